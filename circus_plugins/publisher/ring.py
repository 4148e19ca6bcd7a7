"""The latest events, in memory, for whoever missed some; it holds objects, and encodes only what is asked for."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.events import Event


@frozen
class Page:
    """Part of a ring. `next` is the `seq` to go on after; `lost` the first and last seq that are wanted and gone."""

    events: list[Event]
    next: int
    lost: tuple[int, int] | None


@define
class Ring:
    """At most `size` events, oldest first, each one's `seq` one more than that of the one before."""

    size: int
    _events: deque[Event] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._events = deque(maxlen=self.size)

    def append(self, happened: Event) -> None:
        """Keep an event; the oldest goes if there are too many."""
        self._events.append(happened)

    def resize(self, size: int) -> None:
        """Keep so many from now on."""
        if size != self.size:
            self.size = size
            self._events = deque(self._events, maxlen=size)

    @property
    def first(self) -> int:
        """The seq of the oldest event kept, 0 if there is none."""
        return self._events[0].seq if self._events else 0

    @property
    def last(self) -> int:
        """The seq of the newest event, 0 if there is none."""
        return self._events[-1].seq if self._events else 0

    def after(self, since: int, until: int, limit: int, wanted: Callable[[Event], bool]) -> Page:
        """The oldest `limit` wanted events with `since < seq <= until`."""
        found: list[Event] = []
        reached = since
        known = min(max(0, since + 1 - self.first), len(self._events))
        for happened in islice(self._events, known, None):
            if happened.seq > until or len(found) == limit:
                break
            reached = happened.seq
            if wanted(happened):
                found.append(happened)
        gone = (since + 1, min(self.first - 1, until)) if self.first > since + 1 and until > since else None
        return Page(found, reached, gone)

    def latest(self, until: int, limit: int, wanted: Callable[[Event], bool]) -> Page:
        """The newest `limit` wanted events with `seq <= until`, oldest first."""
        found: list[Event] = []
        for happened in reversed(self._events):
            if len(found) == limit:
                break
            if happened.seq <= until and wanted(happened):
                found.append(happened)
        return Page(found[::-1], min(self.last, until), None)
