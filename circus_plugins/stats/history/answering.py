"""Answers a question about the past: series of values, each about the same time as those of the others, without gaps
closed or made up. It keeps nothing."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from circus_plugins.phrases import duration, size
from circus_plugins.stats.history.frames import KIB, Sums
from circus_plugins.stats.history.keeping import CIRCUSD
from circus_plugins.stats.history.reel import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from circus_plugins.stats.history.keeping import History
    from circus_plugins.stats.history.reel import Piece, Series

ENOUGH = 120
"""Values of a series where nobody said how many."""
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)
"""Seconds that a value is about, where nobody said how many."""
VALUES = 60_000
"""Values in one answer at most: circusd, which hands it on, needs some ten milliseconds for so many."""
SERIES = 500
"""Processes in one answer at most."""
TURN = 200
"""Frames read in one turn of the loop."""
NEARLY = 0.99
"""Of a half, so that sums of fractions that are not exact do not decide."""
FIGURES, MOSTS = 3, 2
"""How many values stand for one moment, and how many more where one is about several looks."""

Line = dict[str, list[Any]]
"""The values of a series, by what they are."""


@frozen
class Question:
    """What circusd hands on: `last` seconds in steps of `step` seconds, of watchers, and of which processes.

    `step` is None for so many that it is enough. Without a `name` it is all watchers.
    """

    name: str | None
    process: int | None
    processes: bool
    last: float
    step: float | None


@define
class Grid:
    """Moments: the `points` values of a series are each about `step` seconds, and the last ends with `end`."""

    end: float
    step: float
    points: int

    @property
    def begin(self) -> float:
        """When the first value begins."""
        return self.end - self.points * self.step

    def places(self, since: float, until: float) -> range:
        """Which values something is a part of that lasted so long: the one that its middle is in, or, where it is
        longer, those of which it has half or more. Between what follows each other no value is left out."""
        half = NEARLY * min(until - since, self.step) / 2
        first = math.floor((since + half - self.begin) / self.step)
        last = math.floor((until - half - self.begin) / self.step)
        return range(max(first, 0), min(last, self.points - 1) + 1)


async def answer(history: History, question: Question, interval: float) -> dict[str, Any]:
    """The reply of the command `history`, as far as it is known here; `interval` is that of the looks.

    Instead of it, `missing` says that there is no such `watcher`, or `process`.
    """
    watchers, processes, left_out = _chosen(history, question)
    if question.process is not None and not processes:
        return {"missing": "process"}
    if question.name is not None and not watchers and not processes:
        return {"missing": "watcher"}
    grid = _grid(history, question, interval, len(watchers) + len(processes))
    clock = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    reply: dict[str, Any] = {
        "begin": round(grid.begin + clock, 3),
        "step": grid.step,
        "points": grid.points,
        "interval": interval,
        "since": _at(_since(history), clock),
        "looks_since": _at((history.processes if processes else history.watchers).looks.begins, clock),
        "left_out": left_out,
        "shortened": shortened(history),
        "size": history.size,
    }
    told = _Told(grid, single=grid.step < 1.5 * interval)
    # All of it as it is now, for there may be further looks before it is read.
    of_watchers = history.watchers.pieces(grid.begin, grid.step)
    of_processes = history.processes.pieces(grid.begin, grid.step)
    lines = await told.lines(of_watchers, watchers, "processes")
    named = {watchers[number].watcher: line for number, line in lines.items()}
    if CIRCUSD in named:
        reply["circusd"] = named.pop(CIRCUSD)
    lines = await told.lines(of_processes, processes, "threads")
    return {**reply, "watchers": named, "processes": _by_watcher(processes, lines)}


def shortened(history: History) -> str | None:
    """In words, what is not kept as long as it should be, for the lack of memory."""
    parts = []
    for what, reel in (("watchers", history.watchers), ("processes", history.processes)):
        for strip, each, whole in ((reel.looks, "look", HOUR), (reel.minutes, "minute", DAY)):
            if strip.cut and strip.begins is not None:
                kept = strip.frames[-1].at - strip.begins
                parts.append(f"of {what} each {each} of the last {duration(min(kept, whole))}")
    return f"history_memory ({size(history.limit)}) is full: kept is {', '.join(parts)}" if parts else None


def _chosen(history: History, question: Question) -> tuple[dict[int, Series], dict[int, Series], int]:
    """The watchers and processes that the question is about, by number, and how many processes are too many."""
    everyone = history.watchers.series
    if question.name is None:
        watchers = {number: series for number, series in everyone.items() if not series.gone}
    else:
        named = history.watcher(question.name)
        watchers = {named: everyone[named]} if named is not None and question.process is None else {}
    if not question.processes:
        return watchers, {}, 0
    oldest = _end(history) - question.last
    found = [
        (number, series)
        for number, series in history.processes.series.items()
        if series.last > oldest and _asked_for(series, question)
    ]
    # Those that run come first, and then who ended last.
    found.sort(key=lambda each: (-each[1].last, each[1].process.wid if each[1].process else 0))
    if question.process is not None:
        found = found[:1]
    return watchers, dict(found[:SERIES]), max(len(found) - SERIES, 0)


def _asked_for(series: Series, question: Question) -> bool:
    if series.process is None or (question.name is not None and series.watcher.lower() != question.name.lower()):
        return False
    return question.process in (None, series.process.pid)


def _grid(history: History, question: Question, interval: float, series: int) -> Grid:
    last, step = min(question.last, DAY), question.step
    if step is None:
        step = next((float(each) for each in STEPS if each >= max(last / ENOUGH, interval)), last / ENOUGH)
    step = max(step, interval)
    figures = FIGURES if step < 1.5 * interval else FIGURES + MOSTS
    points = max(math.ceil(last / step - 1e-9), 1)
    if points * series * figures > VALUES:
        points = max(VALUES // (series * (FIGURES + MOSTS)), 1)
        step = max(step, last / points)
        points = max(math.ceil(last / step - 1e-9), 1)
    return Grid(_end(history), step, points)


def _end(history: History) -> float:
    frames = history.watchers.looks.frames
    return frames[-1].at if frames else time.clock_gettime(time.CLOCK_BOOTTIME)


def _since(history: History) -> float | None:
    begins = [strip.begins for strip in (history.watchers.looks, history.watchers.minutes) if strip.begins is not None]
    return min(begins, default=None)


def _at(moment: float | None, clock: float) -> float | None:
    return None if moment is None else round(moment + clock, 3)


def _by_watcher(chosen: Mapping[int, Series], lines: Mapping[int, Line]) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {}
    for number, line in lines.items():
        series = chosen[number]
        process = series.process
        assert process is not None
        about = {
            "pid": process.pid,
            "wid": process.wid,
            "spawned_at": round(process.spawned_at, 3),
            "running": not series.gone,
            "ended_at": None if series.ended_at is None else round(series.ended_at, 3),
        }
        told.setdefault(series.watcher, []).append({**about, **line})
    return told


@frozen
class _Told:
    """Values on a grid. `single`: each is about one look, so that there is no mean and no most."""

    grid: Grid
    single: bool

    async def lines(
        self, pieces: Iterable[Piece], numbers: Iterable[int], count: str
    ) -> dict[int, dict[str, list[Any]]]:
        """The values of each of these series, None where nobody looked or it was not there."""
        lines: dict[int, Line] = {number: self._line(count) for number in numbers}
        for place, sums in (await self._summed(pieces, lines.keys())).items():
            for number, (cpu, most_cpu, memory, most_memory, many) in sums.rows():
                line = lines[number]
                line["cpu"][place] = round(cpu, 1)
                line["rss"][place] = round(memory) * KIB
                line[count][place] = round(many) if self.single else round(many, 1)
                if not self.single:
                    line["cpu_max"][place] = round(most_cpu, 1)
                    line["rss_max"][place] = int(most_memory) * KIB
        return lines

    def _line(self, count: str) -> Line:
        keys = ("cpu", "rss", count) if self.single else ("cpu", "cpu_max", "rss", "rss_max", count)
        return {key: [None] * self.grid.points for key in keys}

    async def _summed(self, pieces: Iterable[Piece], wanted: Container[int]) -> Mapping[int, Sums]:
        """What there is of each place of the grid."""
        grid, found = self.grid, dict[int, Sums]()
        numbers, at = None, list[int]()
        for turn, (since, until, frame) in enumerate(pieces, 1):
            if turn % TURN == 0:
                await asyncio.sleep(0)
            if frame.numbers is not numbers:
                numbers = frame.numbers
                at = [place for place, number in enumerate(numbers) if number in wanted]
            weight = min(until - since, grid.step)
            for place in grid.places(since, until) if at else ():
                found.setdefault(place, Sums()).add(frame, weight, at)
        return found
