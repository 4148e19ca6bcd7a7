"""The plugin `ready`: tells when a process has come up, in the way that its watcher's options say.

The ways themselves are imported for the first watcher that has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from circus_core.events import Event, event
from circus_core.kinds import NUMBER, REGEX, choice
from circus_core.options import Effect, Kind
from circus_core.plugin import CircusPlugin, hookimpl
from circus_core.structure import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from circus_core.model import Config, Launch, ProcessRef, WatcherOptions
    from circus_core.plugin import Registry
    from circus_plugins.ready.expected import Expected, Listener
    from circus_plugins.ready.probes import Probes

WAYS = ("accepting", "delay", "http", "notify", "output")
DEFAULTS: dict[str, Any] = {"ready_timeout": 30.0, "ready_delay": 1.0, "ready_url": "/"}
ONLY = {"ready_delay": "delay", "ready_address": "accepting", "ready_url": "http", "ready_output": "output"}
"""Options that only one way has."""


def _address(value: object) -> str:
    from circus_plugins.ready.calling import parsed

    if not isinstance(value, str):
        raise ValueError("expected a text")
    if "$" not in value and "((" not in value:
        parsed(value)
    return value


def _url(value: object) -> str:
    from circus_plugins.ready.answering import address_of

    if not isinstance(value, str):
        raise ValueError("expected a text")
    if "$" not in value and "((" not in value:
        address_of(value)
    return value


ADDRESS: Kind[str] = Kind(
    "address", "HOST:PORT, a path or @NAME", "isn't an address", _address, _address, schema={"type": "string"}
)
URL: Kind[str] = Kind(
    "address", "a path, or an http:// or https:// address", "isn't such an address", _url, _url,
    schema={"type": "string"},
)  # fmt: skip


@event
class ProcessSilent(Event):
    """A process that has to say WATCHDOG=1 at NOTIFY_SOCKET was not heard of for too long, or said itself that it is
    stuck; it is ended by SIGABRT. `reason` says which."""

    name: ClassVar[str] = "process_silent"
    watcher: str
    wid: int
    pid: int
    reason: str


class Ready(CircusPlugin):
    """Waits until processes are ready, and hears what those say that speak systemd's notify protocol."""

    name = "ready"

    def __init__(self) -> None:
        self._launched: dict[tuple[str, int], Expected] = {}
        self._known: dict[int, Expected] = {}
        self._probes: Probes | None = None

    def circus_register_options(self, registry: Registry) -> None:
        """`ready` and what goes with it, of `[watcher:...]`."""

        def add(key: str, kind: Kind[Any], **more: Any) -> None:
            registry.option("watcher", key, kind, DEFAULTS.get(key), **more)

        add(
            "ready", choice(*WAYS), effect=Effect.RELOAD,
            help="How a process shows that it is ready: it takes connections, has lived for ready_delay, answers a"
            " request, says READY=1 as sd_notify(3) does, or says a line. Unset, it is ready once it is spawned.",
        )  # fmt: skip
        add(
            "ready_timeout", NUMBER, unit="s", minimum=0.001,
            help="A process that is not ready in this time is ended and tried again.",
        )  # fmt: skip
        add("ready_delay", NUMBER, unit="s", minimum=0, help="With ready = delay: how long it has to live.")
        add(
            "ready_address", ADDRESS,
            help="With ready = accepting: where it takes connections. Unset, that is at the sockets that circusd gives"
            " it, or if there are none, wherever it listens.",
        )  # fmt: skip
        add(
            "ready_url", URL,
            help="With ready = http: the page that it has to answer with a status from 200 to 399. A path alone is"
            " asked for at the sockets that circusd gives it, or where it listens.",
        )  # fmt: skip
        add(
            "ready_output", REGEX,
            help="With ready = output: a pattern that is looked for in each line that it says.",
        )  # fmt: skip
        add(
            "watchdog_timeout", NUMBER, unit="s", minimum=0.001, effect=Effect.RELOAD,
            help="Once it is ready it has to say WATCHDOG=1 as sd_notify(3) does, at least once in this time; else it"
            " is ended by SIGABRT and replaced.",
        )  # fmt: skip

    def circus_check_config(self, config: Config) -> list[Problem]:
        """Whether the options of each watcher make sense together."""
        return [problem for watcher in config.watchers.values() for problem in _problems(watcher)]

    def circus_adjust_launch(self, launch: Launch, watcher: WatcherOptions) -> Launch | None:
        """Have an eye on the sockets of a process that is to be, and give it one to notify."""
        if not _asked(watcher):
            return None
        from circus_plugins.ready.expected import Expected
        from circus_plugins.ready.probes import Probes

        self._probes = self._probes or Probes()
        self._forget((launch.watcher, launch.wid))
        expected = Expected(launch, watcher, self._probes, self._silent)
        self._launched[launch.watcher, launch.wid] = expected
        return expected.launch

    def circus_spawn_failed(self, event: Any) -> None:
        """There is nobody to wait for."""
        self._forget((event.watcher, event.wid))

    def circus_confirm_spawn(self, process: ProcessRef) -> None:
        """What was made ready for it is its own now."""
        expected = self._launched.pop((process.watcher, process.wid), None)
        if expected is not None:
            self._known[process.pid] = expected
            expected.spawned(process)

    @hookimpl(optionalhook=True)
    def circus_overhear_output(self, process: ProcessRef) -> Listener | None:
        """Listen for the line that says that it is ready."""
        expected = self._known.get(process.pid) or self._launched.get((process.watcher, process.wid))
        return expected.overhear() if expected is not None else None

    def circus_await_ready(self, process: ProcessRef, watcher: WatcherOptions) -> Awaitable[bool] | None:
        """Wait in the way that the options say, and no longer than they say."""
        expected = self._known.get(process.pid)
        return expected.come_up(process) if expected is not None else None

    def circus_process_exited(self, event: Any) -> None:
        """It says nothing more."""
        expected = self._known.pop(event.pid, None)
        if expected is not None:
            expected.close()

    def circus_describe_watcher(self, watcher: WatcherOptions) -> dict[str, str] | None:
        """Which processes are not ready yet and why, and what others say of themselves."""
        own = [expected for expected in self._known.values() if expected.watcher.name == watcher.name]
        waiting = "; ".join(filter(None, (expected.waits() for expected in own)))
        said = "; ".join(filter(None, (expected.says() for expected in own)))
        return {heading: words for heading, words in (("not ready", waiting), ("says", said)) if words} or None

    def circus_shutdown(self) -> None:
        """Close what is left."""
        for slot in tuple(self._launched):
            self._forget(slot)
        while self._known:
            self._known.popitem()[1].close()

    def _forget(self, slot: tuple[str, int]) -> None:
        expected = self._launched.pop(slot, None)
        if expected is not None:
            expected.close()

    def _silent(self, process: ProcessRef, reason: str) -> None:
        self.log.error("%s/%d: pid %d is ended: %s", process.watcher, process.wid, process.pid, reason)
        self.publish(ProcessSilent(watcher=process.watcher, wid=process.wid, pid=process.pid, reason=reason))
        self.client.cast("kill", name=process.watcher, pid=process.pid, signum="ABRT")


def _asked(watcher: WatcherOptions) -> bool:
    return bool(watcher.extra.get("ready") or watcher.extra.get("watchdog_timeout"))


def _problems(watcher: WatcherOptions) -> Iterator[Problem]:
    title, extra = f"watcher:{watcher.name}", watcher.extra
    way = extra.get("ready")
    if way == "output":
        if extra.get("ready_output") is None:
            hint = "say by it which line shows that it is ready"
            yield Problem(title, "ready", "is output, and there is no ready_output", hint, others=("ready_output",))
        if not any(key.startswith(("stdout_stream.", "stderr_stream.")) for key in extra):
            hint = "set stdout_stream.class = StdoutStream to have it go where it goes now, or give it a file"
            yield Problem(title, "ready", "is output, and circusd reads none of it", hint)
    for key, needed in ONLY.items():
        if key in extra and way != needed:
            yield Problem(title, key, f"means nothing without ready = {needed}", "set that, or drop this", warning=True)
