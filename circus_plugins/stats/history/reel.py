"""What is kept of series of one sort, watchers or processes: each look of an hour, and each minute of a day.

It looks at nothing, and knows the time only from those who do.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

from attrs import define, field

from circus_plugins.stats.history.frames import NUMBERS, Look, Minute, Strip, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from circus_plugins.stats.history.frames import Frame
    from circus_plugins.stats.known import Known

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
SERIES = 300
"""What a series takes besides its figures, in bytes, roughly."""

Piece = tuple[float, float, "Frame"]
"""From when to when, and what was then."""


@define(eq=False)
class Series:
    """A watcher, by its name as it is written, or a process of it. `last` is when it was seen last, if it is gone.

    `ended_at` is when the process ended, in epoch seconds, if circusd told.
    """

    watcher: str
    process: Known | None = None
    last: float = math.inf
    ended_at: float | None = None

    @property
    def gone(self) -> bool:
        """Whether the latest look did not see it."""
        return self.last < math.inf

    @property
    def brief(self) -> bool:
        """Whether it is a process that did not live for a minute: such are kept by the look alone."""
        return (
            self.process is not None and self.ended_at is not None and self.ended_at - self.process.spawned_at < MINUTE
        )


@define(eq=False)
class Reel:
    """Looks and minutes, and whose they are, by number."""

    series: dict[int, Series] = field(factory=dict)
    looks: Strip = field(factory=lambda: Strip(HOUR))
    minutes: Strip = field(factory=lambda: Strip(DAY))
    _sums: Sums = field(factory=Sums)
    _since: float = 0.0

    def take(self, at: float, span: float, numbers: Sequence[int], columns: Iterable[Sequence[float]]) -> bool:
        """Keep a look; answers whether a minute was full."""
        before = self.looks.frames[-1] if self.looks.frames else None
        full = before is not None and at // MINUTE != before.at // MINUTE
        if before is not None and full:
            self._fill(before.at)
            self._since = at - span
        frame = Look(at, span, array(NUMBERS, numbers), columns)
        self.looks.add(frame)
        if before is not None and before.numbers is not frame.numbers:
            self._note_changes(before, frame)
        if before is None:
            self._since = at - span
        self._sums.add(frame, span)
        return full

    def trim(self, limit: float) -> None:
        """Keep no more than may be kept, in bytes; a half is for minutes, if looks need the other one."""
        limit -= len(self.series) * SERIES
        self.minutes.trim(max(limit / 2, limit - self.looks.size))
        self.looks.trim(limit - self.minutes.size)

    @property
    def size(self) -> int:
        """What it all takes, in bytes."""
        return self.looks.size + self.minutes.size + len(self.series) * SERIES

    def forget(self) -> Iterator[Series]:
        """Forget, and answer, the series of which nothing is kept any more."""
        looks = _begins(self.looks)
        minutes = min(looks, _begins(self.minutes))
        for number, series in tuple(self.series.items()):
            if series.last < (looks if series.brief else minutes):
                del self.series[number]
                yield series

    def pieces(self, after: float, step: float) -> list[Piece]:
        """What was since then, the oldest first: minutes where nothing finer is kept, or finer is of no use."""
        looks, minutes = self.looks, self.minutes
        newer = [(frame.at - frame.span, frame.at, frame) for frame in looks.frames]
        if step < MINUTE:
            seam = math.inf if looks.begins is None else looks.begins
        else:
            seam = minutes.frames[-1].at if minutes.frames else -math.inf
            newer = [piece for piece in newer if piece[1] > seam]
        older = [(frame.at - frame.span, min(frame.at, seam), frame) for frame in minutes.frames]
        return [piece for piece in (*older, *newer) if piece[1] > max(piece[0], after)]

    def _fill(self, at: float) -> None:
        """A minute is over."""
        rows = [(number, row) for number, row in self._sums.rows() if not self._brief(number)]
        self._sums = Sums()
        rows.sort()
        numbers = array(NUMBERS, (number for number, _row in rows))
        cpu, most_cpu, memory, most_memory, count = (
            zip(*(row for _number, row in rows), strict=True) if rows else [()] * 5
        )
        whole = (round(size) for size in memory), (round(size) for size in most_memory)
        self.minutes.add(Minute(at, at - self._since, numbers, (cpu, most_cpu, *whole, count)))

    def _brief(self, number: int) -> bool:
        series = self.series.get(number)
        return series is None or series.brief

    def _note_changes(self, before: Frame, now: Frame) -> None:
        there = set(now.numbers)
        for number in set(before.numbers) - there:
            if number in self.series:
                self.series[number].last = before.at
        for number in there - set(before.numbers):
            self.series[number].last = math.inf


def _begins(strip: Strip) -> float:
    return math.inf if strip.begins is None else strip.begins
