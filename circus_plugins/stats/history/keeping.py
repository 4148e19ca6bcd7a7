"""Keeps what looks find, of watchers and of their processes, within a limit of memory. It looks at nobody itself.

Watchers come first: they get a half, if processes need the other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from circus_plugins.stats.history.frames import KIB, MOST
from circus_plugins.stats.history.reel import Reel, Series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from circus_plugins.stats.feed import Seen
    from circus_plugins.stats.known import Known

CIRCUSD = ""
"""The name under which circusd itself is kept; no watcher can have it."""


@define(eq=False)
class History:
    """What was; `limit` is in bytes."""

    limit: int
    watchers: Reel = field(factory=Reel)
    processes: Reel = field(factory=Reel)
    _named: dict[str, int] = field(factory=dict)
    _known: dict[Known, int] = field(factory=dict)
    _number: int = 0

    def take(self, at: float, seconds: float, seen: Iterable[Seen]) -> None:
        """Keep what a look found; it was about so many seconds before `at`, by the clock of `frames`."""
        watchers: list[tuple[int, float, int, int]] = []
        processes: list[tuple[int, float, int, int]] = []
        for each in seen:
            name = CIRCUSD if each.group is None else each.group.name
            if not each.processes and name == CIRCUSD:
                continue
            watchers.append((self._watcher(name), each.cpu + each.late, each.rss // KIB, len(each.processes)))
            for known, watched in each.processes:
                if known is not None:
                    number = self._known.get(known) or self._process(known)
                    processes.append((number, watched.cpu, watched.rss // KIB, watched.threads))
        _take(self.watchers, at, seconds, watchers)
        if _take(self.processes, at, seconds, processes):
            self._forget()
        self.watchers.trim(max(self.limit / 2, self.limit - self.processes.size))
        self.processes.trim(self.limit - self.watchers.size)

    def exited(self, known: Known, at: float) -> None:
        """A process ended, in epoch seconds."""
        number = self._known.get(known)
        if number is not None:
            self.processes.series[number].ended_at = at

    def watcher(self, name: str) -> int | None:
        """The number of a watcher, if anything is kept of it."""
        return self._named.get(name.lower())

    @property
    def size(self) -> int:
        """What it takes, in bytes, roughly."""
        return self.watchers.size + self.processes.size

    def _watcher(self, name: str) -> int:
        number = self._named.get(name.lower())
        if number is None:
            number = self._named[name.lower()] = self._next()
            self.watchers.series[number] = Series(name)
        return number

    def _process(self, known: Known) -> int:
        number = self._known[known] = self._next()
        self.processes.series[number] = Series(known.watcher, known)
        return number

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _forget(self) -> None:
        for gone in self.watchers.forget():
            del self._named[gone.watcher.lower()]
        for gone in self.processes.forget():
            if gone.process is not None:
                del self._known[gone.process]


def _take(reel: Reel, at: float, seconds: float, rows: list[tuple[int, float, int, int]]) -> bool:
    numbers = [row[0] for row in rows]
    cpu, memory = [row[1] for row in rows], [row[2] for row in rows]
    count = [min(row[3], MOST) for row in rows]
    return reel.take(at, seconds, numbers, (cpu, memory, count))
