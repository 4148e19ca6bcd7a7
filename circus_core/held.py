"""Events kept for a plugin that is not at work yet: in order, and of too many the latest. It hands on none."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from circus_core.events import EventsLost
from circus_core.happening import stamp

if TYPE_CHECKING:
    from circus_core.happening import Event

KEPT = 10_000
"""So many are kept, which is more than a start takes and less than a plugin that never comes up could fill."""


class Held:
    """What happened since a plugin was loaded."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._lost: tuple[int, int] | None = None

    def keep(self, happened: Event) -> None:
        """Add the newest event."""
        if len(self._events) == KEPT:
            gone = self._events[0].seq
            self._lost = (self._lost[0] if self._lost else gone, gone)
        self._events.append(happened)

    def take(self) -> list[Event]:
        """All of it, oldest first; what is lost is told before."""
        events = list(self._events)
        self._events.clear()
        if self._lost is not None:
            told = EventsLost(first=self._lost[0], last=self._lost[1])
            stamp(told, told.last, events[0].at)
            events.insert(0, told)
        return events
