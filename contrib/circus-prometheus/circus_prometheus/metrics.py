"""Every metric, declared once: its name, kind, labels, source and meaning; it has no values."""

from __future__ import annotations

from attrs import frozen

STATES = ("stopped", "starting", "active", "stopping")
"""The states that a watcher can be in (PROTOCOL.md 1.5)."""


@frozen
class Metric:
    """One metric. `source`: counted from `events`, asked for with `status` or `stats`, or of the `plugin` itself.

    Counters are exposed with `_total` behind `name`.
    """

    name: str
    kind: str
    source: str
    help: str
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        """The name that Prometheus sees."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def counter(name: str, help: str, *labels: str, source: str = "events") -> Metric:
    """A metric that only grows."""
    return Metric(name, "counter", source, help, labels)


def gauge(name: str, source: str, help: str, *labels: str) -> Metric:
    """A metric that goes up and down."""
    return Metric(name, "gauge", source, help, labels)


UP = gauge("circus_up", "plugin", "1 if circusd answered while this was asked for, else 0.")
INFO = gauge("circus_info", "plugin", "Always 1; the version of circus-bus.", "version")
EVENTS = counter("circus_events", "Events of circusd that were seen.", "event")
LOST = counter("circus_events_lost", "Events of circusd that were missed, so that counters lack them.")
STATE = gauge("circus_watcher_state", "status", "1 for the state that the watcher is in, else 0.", "watcher", "state")
WANTED = gauge("circus_watcher_processes_wanted", "status", "How many processes there should be.", "watcher")
RUNNING = gauge("circus_watcher_processes", "status", "How many processes run.", "watcher")
WAITING = gauge("circus_watcher_processes_waiting", "status", "How many wait to be started again.", "watcher")
GIVEN_UP = gauge("circus_watcher_processes_given_up", "status", "How many are not started any more.", "watcher")
UPTIME = gauge("circus_watcher_uptime_seconds", "status", "Time since the watcher was started.", "watcher")
RESTARTS = counter(
    "circus_watcher_restarts", "Processes that followed one that had ended.", "watcher", source="status"
)  # fmt: skip
SPAWNS = counter("circus_process_spawns", "Processes that were started.", "watcher")
EXITS = counter(
    "circus_process_exits", "Processes that ended: with which code or signal, and whether somebody asked for it.",
    "watcher", "status", "requested",
)  # fmt: skip
FAILURES = counter("circus_process_spawn_failures", "Processes that could not be started.", "watcher")
DELAYS = counter("circus_process_restart_delays", "Restarts that were put off, after early deaths.", "watcher")
FLAPS = counter("circus_process_flaps", "Times a process was held back as flapping.", "watcher")
GAVE_UP = counter("circus_watcher_gave_up", "Processes of the watcher that were given up.", "watcher")
LIVED = counter("circus_process_exited_age_seconds", "Time that processes which ended had lived.", "watcher")
BURNT = counter("circus_process_exited_cpu_seconds", "CPU time of processes which ended.", "watcher")
AGE = gauge("circus_process_age_seconds", "status", "Time since the process was started.", "watcher", "wid")
RESIDENT = gauge("circus_process_resident_memory_bytes", "stats", "Memory in RAM.", "watcher", "wid")
VIRTUAL = gauge("circus_process_virtual_memory_bytes", "stats", "Address space.", "watcher", "wid")
CPU = gauge("circus_process_cpu_ratio", "stats", "CPU time per time; 1 is one core.", "watcher", "wid")

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
