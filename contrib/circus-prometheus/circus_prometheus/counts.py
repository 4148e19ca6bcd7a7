"""Counters from events, by metric and labels; watchers that are gone leave nothing behind."""

from __future__ import annotations

import signal
from collections import defaultdict
from typing import TYPE_CHECKING

from circus_prometheus import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from circus_core.events import Event
    from circus_prometheus.metrics import Metric

BY_WATCHER = {
    "process_spawned": metrics.SPAWNS,
    "spawn_failed": metrics.FAILURES,
    "restart_delayed": metrics.DELAYS,
    "process_flapping": metrics.FLAPS,
    "watcher_gave_up": metrics.GAVE_UP,
}
"""Events that are counted as they are, whatever else they say."""


class Counts:
    """What was counted so far."""

    def __init__(self) -> None:
        self._events: dict[str, int] = defaultdict(int)
        self._lost = 0
        self._watchers: dict[str, dict[tuple[Metric, tuple[str, ...]], float]] = {}
        self._leaving: set[str] = set()

    def take(self, event: Event) -> None:
        """Count an event."""
        self._events[event.name] += 1
        fields = event.fields()
        watcher = fields.get("watcher")
        if event.name == "events_lost":
            self._lost += fields["last"] - fields["first"] + 1
        elif event.name == "watcher_added":
            self._leaving.discard(fields["watcher"])
        elif event.name == "watcher_removed":
            # It is stopped next, and what is told of that still has its name.
            self._leaving.add(fields["watcher"])
        elif event.name == "watcher_stopped" and watcher in self._leaving:
            self._leaving.discard(watcher)
            self._watchers.pop(watcher, None)
        elif event.name in BY_WATCHER:
            self._add(BY_WATCHER[event.name], fields["watcher"])
        elif event.name == "process_exited":
            requested = "true" if fields["requested"] else "false"
            self._add(metrics.EXITS, fields["watcher"], status(fields["exit_code"]), requested)
            self._add(metrics.LIVED, fields["watcher"], by=fields["age"])
            self._add(metrics.BURNT, fields["watcher"], by=fields["cpu"])

    @property
    def watchers(self) -> set[str]:
        """Of whom something was counted."""
        return set(self._watchers)

    def drop(self, watchers: Iterable[str]) -> None:
        """Forget what was counted of watchers that are gone, as is seen from circusd if the event of it was lost."""
        for watcher in watchers:
            self._watchers.pop(watcher, None)
            self._leaving.discard(watcher)

    def __iter__(self) -> Iterator[tuple[Metric, tuple[str, ...], float]]:
        """Every count, with its metric and the values of its labels."""
        for event, number in self._events.items():
            yield metrics.EVENTS, (event,), float(number)
        yield metrics.LOST, (), self._lost
        for counted in self._watchers.values():
            for (metric, labels), value in counted.items():
                yield metric, labels, value

    def _add(self, metric: Metric, *labels: str, by: float = 1) -> None:
        counted = self._watchers.setdefault(labels[0], defaultdict(float))
        counted[metric, labels] += by


def status(exit_code: int | None) -> str:
    """A process's end as a label: its code, or the name of the signal."""
    if exit_code is None:
        return "unknown"
    if exit_code >= 0:
        return str(exit_code)
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
