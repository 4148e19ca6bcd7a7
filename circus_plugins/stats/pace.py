"""How fast processes use the CPU, from one question to the next: it waits for nothing, and reads nothing.

The first answer about a process is of its whole life, the next ones are of the time since an earlier question; since
time is counted in hundredths of a second, that is never one of less than `SPAN` ago, however often somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from circus_plugins.stats.words import percent

if TYPE_CHECKING:
    from collections.abc import Hashable

    from circus_plugins.stats.proc import Stat

SPAN = 0.5
"""Seconds that an answer is about, at the least."""
FORGOTTEN = 600.0
"""Seconds after which nobody is expected to ask the same again."""


class Mark(NamedTuple):
    """So much CPU time, in ticks, had a process used then."""

    at: float
    ticks: int


class Question:
    """Asked about some processes, again and again: `end` forgets those that one asking was not about."""

    def __init__(self) -> None:
        self.at = 0.0
        self._before: dict[tuple[int, int], tuple[Mark, Mark]] = {}
        self._now: dict[tuple[int, int], tuple[Mark, Mark]] = {}

    def percent(self, pid: int, seen: Stat, now: float, age: float) -> float:
        """CPU use of a process that is `age` seconds old, in percent of one core; `now` is of a steady clock."""
        # Another process may have the pid by now.
        key = (pid, seen.started)
        mark = Mark(now, seen.ticks)
        known = self._before.get(key)
        if known is None:
            base = Mark(now - age, 0)
            self._now[key] = (base, mark)
        else:
            older, newer = known
            late = now - newer.at >= SPAN
            base = newer if late else older
            self._now[key] = (newer, mark) if late else known
        return percent(seen.ticks - base.ticks, now - base.at)

    def end(self, now: float) -> None:
        """Everybody was asked about."""
        self.at = now
        self._before, self._now = self._now, {}


class Pace:
    """The questions there are, by what they are about."""

    def __init__(self) -> None:
        self._questions: dict[Hashable, Question] = {}

    def of(self, about: Hashable, now: float) -> Question:
        """The question about this, as it was left when it was last asked."""
        for old in [key for key, each in self._questions.items() if each.at < now - FORGOTTEN]:
            del self._questions[old]
        found = self._questions.setdefault(about, Question())
        found.at = now
        return found
