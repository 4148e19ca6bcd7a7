"""What is kept of the past, by looks that never took place: for how long, in how much memory, and whose it is."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from array import array
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define
from hypothesis import example, given, settings
from hypothesis import strategies as st

from circus_plugins.stats.feed import Seen
from circus_plugins.stats.history.answering import SERIES, STEPS, VALUES, Grid, Question, answer
from circus_plugins.stats.history.frames import FRAME, Look, Sums
from circus_plugins.stats.history.keeping import History
from circus_plugins.stats.history.reel import DAY, HOUR
from circus_plugins.stats.known import Group, Known

if TYPE_CHECKING:
    from collections.abc import Iterable

MB = 1 << 20


@define
class Used:
    """What a look at a process found."""

    cpu: float = 1.0
    rss: int = 10 * MB
    threads: int = 2


class Machine:
    """A machine whose processes are looked at. `now` is the time of the latest look."""

    def __init__(self, limit: int = 64 * MB) -> None:
        self.history = History(limit)
        self.groups: dict[str, Group] = {}
        self.used: dict[Known, Used] = {}
        self.now = 1_000_000.0
        self.circusd: Used | None = None

    def watcher(self, name: str) -> Group:
        return self.groups.setdefault(name.lower(), Group(name, b""))

    def spawn(self, name: str, pid: int, used: Used | None = None, wid: int = 1) -> Known:
        known = Known(name, wid, pid, self.epoch())
        self.watcher(name).processes[pid] = known
        self.used[known] = used or Used()
        return known

    def exit(self, known: Known) -> None:
        del self.watcher(known.watcher).processes[known.pid]
        self.history.exited(known, self.epoch())

    def epoch(self) -> float:
        return self.now + time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    def look(self, seconds: float = 1.0, *, about: float | None = None) -> None:
        self.now += seconds
        seen = [self._seen(group) for group in self.groups.values()]
        if self.circusd is not None:
            seen.append(Seen(None, [(None, self.circusd)], self.circusd.cpu, self.circusd.rss))  # type: ignore[list-item]
        self.history.take(self.now, seconds if about is None else about, seen)

    def _seen(self, group: Group) -> Seen:
        used: Any = [(known, self.used[known]) for known in group.processes.values()]
        return Seen(group, used, sum(each.cpu for _, each in used), sum(each.rss for _, each in used))

    def looks(self, count: int, seconds: float = 1.0) -> None:
        for _ in range(count):
            self.look(seconds)

    async def ask(
        self,
        name: str | None = None,
        process: int | None = None,
        *,
        last: float = HOUR,
        step: float | None = 0,
        processes: bool = True,
        interval: float = 1.0,
    ) -> dict[str, Any]:
        return await answer(self.history, Question(name, process, processes, last, step), interval)


def missing(values: Iterable[object]) -> list[int]:
    """Where there is no value."""
    return [place for place, value in enumerate(values) if value is None]


async def test_each_look_of_an_hour_is_kept() -> None:
    machine = Machine()
    machine.spawn("Web", 41, used := Used())
    machine.spawn("Web", 42, Used(3.0, 20 * MB, 7), wid=2)
    for second in range(4000):
        used.cpu, used.rss = float(second), (second + 1) * MB
        machine.look()
    past = await machine.ask("web")
    assert (past["step"], past["points"], past["interval"]) == (1.0, 3600, 1.0)
    assert past["looks_since"] == pytest.approx(machine.epoch() - HOUR, abs=1)
    web = past["watchers"]["Web"]
    assert web["cpu"] == [second + 3.0 for second in range(400, 4000)]
    assert web["rss"] == [(second + 21) * MB for second in range(400, 4000)]
    assert web["processes"] == [2] * 3600
    assert web.keys() == {"cpu", "rss", "processes"}, "what a look finds has no mean and no most"
    one, two = past["processes"]["Web"]
    assert (one["pid"], one["wid"], one["running"], one["ended_at"]) == (41, 1, True, None)
    assert one["cpu"] == [float(second) for second in range(400, 4000)]
    assert (two["pid"], set(two["cpu"]), set(two["rss"]), set(two["threads"])) == (42, {3.0}, {20 * MB}, {7})
    assert past["shortened"] is None
    assert len(machine.history.watchers.looks.frames) == 3600


async def test_each_minute_of_a_day_is_kept_as_a_mean_and_a_most() -> None:
    machine = Machine()
    machine.spawn("web", 41, used := Used())
    # A look in ten seconds, of which every sixth finds much.
    for look in range(26 * 360):
        used.cpu, used.rss, used.threads = (60.0, 60 * MB, 8) if look % 6 == 3 else (0.0, 0, 2)
        machine.look(10)
    past = await machine.ask("web", last=DAY, interval=10, step=60)
    assert (past["step"], past["points"]) == (60.0, 1440)
    for values, count in ((past["watchers"]["web"], "processes"), (past["processes"]["web"][0], "threads")):
        assert missing(values["cpu"]) == []
        # The last minute is not over.
        told = {key: set(values[key][:-1]) for key in ("cpu", "cpu_max", "rss", "rss_max", count)}
        many = 1.0 if count == "processes" else 3.0
        assert told == {"cpu": {10.0}, "cpu_max": {60.0}, "rss": {10 * MB}, "rss_max": {60 * MB}, count: {many}}
    assert past["since"] == pytest.approx(machine.epoch() - DAY, abs=61)
    assert machine.history.watchers.minutes.frames[0].at > machine.now - DAY - 61
    # Where minutes do, looks are not read one by one.
    assert len(machine.history.watchers.pieces(machine.now - DAY, 60)) <= 1440 + 6
    # Finer than it is kept: of the last hour each look, and before that what the minutes were.
    past = await machine.ask("web", last=2 * HOUR, interval=10)
    values = past["watchers"]["web"]["cpu"]
    assert (past["points"], missing(values)) == (720, [])
    assert set(values[:358]) == {10.0}
    assert values.count(60.0) == 60
    assert set(values[362:]) == {0.0, 60.0}


async def test_a_gap_is_a_gap_and_a_late_look_is_none() -> None:
    machine = Machine()
    machine.spawn("web", 41)
    machine.looks(5)
    # The machine was suspended: what a process used since is about the time that it ran.
    machine.look(10, about=1)
    machine.looks(3)
    # Nobody came to look, and what it used meanwhile is known all the same.
    machine.look(4, about=4)
    past = await machine.ask("web", last=25)
    values = past["watchers"]["web"]["cpu"]
    assert missing(values) == [0, 1, 2, *range(8, 17)]
    assert past["processes"]["web"][0]["cpu"] == values
    past = await machine.ask("web", last=100, step=5)
    assert missing(past["watchers"]["web"]["cpu"]) == [*range(15), 17]


@given(st.lists(st.floats(0, 0.03), min_size=100, max_size=100), st.sampled_from([1, 2, 3, 7.5, 10]))
@settings(max_examples=20, deadline=None)
def test_looks_that_are_a_little_late_leave_no_gap(late: list[float], step: float) -> None:
    machine = Machine()
    machine.spawn("web", 41)
    begin = machine.now
    for count, seconds in enumerate(late, 1):
        machine.look(begin + count + seconds - machine.now)
    past = asyncio.run(machine.ask("web", last=90, step=step))
    assert missing(past["watchers"]["web"]["cpu"]) == []


tenths = st.integers(1, 3000).map(lambda number: number / 10)


@given(tenths, tenths, st.lists(tenths, min_size=1))
@example(1.1, 6.05, [1.1] * 28)
@example(0.1, 0.25, [0.1] * 26)
def test_of_what_follows_each_other_there_is_no_place_between(step: float, phase: float, spans: list[float]) -> None:
    grid = Grid(end=2_000_000.1, step=step, points=20_000)
    found: list[int] = []
    since = grid.end - sum(spans) - phase
    for span in spans:
        found += grid.places(since, since + span)
        since += span
    if found:
        assert sorted(set(found)) == list(range(min(found), max(found) + 1))


async def test_what_was_longer_counts_for_more() -> None:
    machine = Machine()
    machine.spawn("web", 41, used := Used(6.0))
    machine.look()
    used.cpu = 1.0
    machine.look(4)
    past = await machine.ask("web", last=5, step=5)
    assert past["watchers"]["web"]["cpu"] == [2.0]
    assert past["watchers"]["web"]["cpu_max"] == [6.0]


async def test_of_a_watcher_it_counts_what_ended_between_two_looks() -> None:
    machine = Machine()
    machine.history.take(10.0, 1.0, [Seen(machine.watcher("brief"), late=25.0)])
    past = await machine.ask("brief", last=1)
    assert past["watchers"]["brief"] == {"cpu": [25.0], "rss": [0], "processes": [0]}


async def test_a_number_that_another_process_had_is_another_process() -> None:
    machine = Machine()
    first = machine.spawn("web", 41, Used(50.0))
    machine.looks(3)
    machine.exit(first)
    machine.spawn("web", 41, Used(7.0))
    machine.looks(2)
    machine.spawn("other", 41, Used(9.0))
    machine.look()
    two = (await machine.ask("web", last=6))["processes"]["web"]
    assert [each["running"] for each in two] == [True, False]
    assert [each["cpu"] for each in two] == [[None] * 3 + [7.0] * 3, [50.0] * 3 + [None] * 3]
    assert two[1]["ended_at"] == two[0]["spawned_at"]
    only = (await machine.ask("web", 41, last=6))["processes"]
    assert [each["cpu"] for each in only["web"]] == [[None] * 3 + [7.0] * 3]
    assert await machine.ask("web", 42) == {"missing": "process"}


async def test_who_cannot_be_looked_at_for_a_moment_is_the_same_as_before() -> None:
    machine = Machine()
    known = machine.spawn("web", 41)
    machine.looks(2)
    group = machine.watcher("web").processes
    del group[41]
    machine.look()
    group[41] = known
    machine.look()
    [told] = (await machine.ask("web", last=4))["processes"]["web"]
    assert (told["cpu"], told["running"]) == ([1.0, 1.0, None, 1.0], True)


async def test_processes_that_ended_are_forgotten_with_what_is_kept_of_them() -> None:
    machine = Machine()
    machine.spawn("web", 41)
    long = machine.spawn("batch", 42)
    machine.looks(12, 10)
    machine.exit(long)
    brief = machine.spawn("batch", 43)
    machine.looks(3, 10)
    machine.exit(brief)

    async def told() -> list[int]:
        past = await machine.ask(last=DAY, step=600, interval=10)
        return [each["pid"] for each in past["processes"].get("batch", ())]

    assert await told() == [43, 42]
    machine.looks(370, 10)
    # Of one that did not live for a minute only looks are kept, so that there may be many.
    assert await told() == [42]
    machine.looks(24 * 360 + 10, 10)
    assert await told() == []
    assert [series.process.pid for series in machine.history.processes.series.values() if series.process] == [41]


async def test_no_end_of_short_lives_takes_no_end_of_memory() -> None:
    machine = Machine()
    known = machine.spawn("crash", 1)
    for pid in range(2, 7200):
        machine.look()
        machine.exit(known)
        known = machine.spawn("crash", pid)
    assert len(machine.history.processes.series) <= 3600 + 120
    assert len(machine.history.processes.minutes.frames[-1].numbers) == 0
    strip = machine.history.processes.looks
    numbers = {id(frame.numbers): 4 * len(frame.numbers) for frame in strip.frames}
    assert strip.size == sum(FRAME + len(frame.data) for frame in strip.frames) + sum(numbers.values())
    past = await machine.ask("crash", step=None)
    assert len(past["processes"]["crash"]) == SERIES
    assert past["left_out"] == pytest.approx(3600 - SERIES, abs=2)
    assert past["watchers"]["crash"]["processes"] == [1.0] * past["points"]


async def test_watchers_that_are_removed_come_back_or_get_another_name() -> None:
    machine = Machine()
    machine.spawn("web", 41, Used(5.0))
    machine.spawn("old", 42)
    machine.looks(2)
    del machine.groups["web"], machine.groups["old"]
    machine.watcher("new")
    machine.look()
    machine.spawn("Web", 51, Used(6.0))
    machine.look()
    past = await machine.ask(last=4)
    # Who is gone is not among all, but may be asked for by name as long as something is kept.
    assert past["watchers"].keys() == {"web", "new"}
    assert past["watchers"]["web"]["cpu"] == [5.0, 5.0, None, 6.0]
    assert past["watchers"]["new"]["rss"] == [None, None, 0, 0]
    assert (await machine.ask("OLD", last=4))["watchers"]["old"]["cpu"] == [1.0, 1.0, None, None]
    assert await machine.ask("none") == {"missing": "watcher"}
    machine.looks(25 * 3600 // 60, 60)
    assert await machine.ask("old") == {"missing": "watcher"}


async def test_circusd_is_told_of_beside_the_watchers() -> None:
    machine = Machine()
    machine.circusd = Used(0.5, 30 * MB)
    machine.spawn("circusd", 41)
    machine.looks(2)
    past = await machine.ask(last=2, processes=False)
    assert past["circusd"] == {"cpu": [0.5, 0.5], "rss": [30 * MB] * 2, "processes": [1, 1]}
    assert past["watchers"]["circusd"]["cpu"] == [1.0, 1.0]
    assert past["processes"] == {}


@pytest.mark.parametrize("count", [3, 600])
def test_it_takes_no_more_memory_than_it_says(count: int) -> None:
    machine = Machine(1 << 30)
    for pid in range(count):
        machine.spawn(f"web{pid % 3}", pid)
    machine.looks(2)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    said = machine.history.size
    machine.looks(300)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken < 1.15 * (machine.history.size - said)
    assert machine.history.size < 300 * (count * 10 + 500) + 5 * count * 30 + 1000 * count


@pytest.mark.covers("stats-option:history_memory")
async def test_a_limit_is_kept_and_what_is_shortened_is_said() -> None:
    machine = Machine(4 * MB)
    for pid in range(200):
        machine.spawn("web", pid, wid=pid + 1)
    for _ in range(3700):
        machine.look()
        assert machine.history.size <= 4 * MB
    past = await machine.ask("web", step=None)
    assert past["size"] == machine.history.size > 3.8 * MB
    assert past["shortened"].startswith("history_memory (4.0M) is full: kept is of processes each look of the last ")
    # Watchers come first: the one there is has a longer past than its processes.
    assert len(machine.history.watchers.looks.frames) == 3600
    assert machine.epoch() - 1800 < past["looks_since"] < machine.epoch() - 600
    assert len(past["processes"]["web"]) == 200
    assert past["watchers"]["web"]["processes"][-1] == 200
    # With fewer there is room again.
    for pid in range(198):
        machine.exit(next(each for each in machine.used if each.pid == pid))
    for _ in range(3700):
        machine.look()
        assert machine.history.size <= 4 * MB
    assert (await machine.ask("web", 199))["shortened"] is None


@pytest.mark.parametrize("watchers", [1, 200])
def test_what_one_does_not_need_the_other_may_have(watchers: int) -> None:
    machine = Machine(4 * MB)
    for number in range(200):
        # Either there are many processes, or many watchers, that have none.
        machine.watcher(f"web{number % watchers}")
        if watchers == 1:
            machine.spawn("web0", number)
    for _ in range(1440 * 2):
        machine.look(30)
        assert machine.history.size <= 4 * MB
    assert machine.history.size > 3.8 * MB


def test_watchers_have_a_half_if_they_need_it() -> None:
    machine = Machine(4 * MB)
    for number in range(200):
        machine.spawn(f"web{number}", number)
    machine.looks(3700)
    history = machine.history
    assert history.size <= 4 * MB
    assert history.watchers.size == pytest.approx(2 * MB, rel=0.05)
    assert history.processes.size == pytest.approx(2 * MB, rel=0.05)
    assert machine.history.watchers.looks.cut


async def test_an_answer_is_no_longer_than_circusd_can_hand_on() -> None:
    machine = Machine()
    for pid in range(300):
        machine.spawn("web", pid, wid=pid + 1)
    machine.looks(100)
    past = await machine.ask("web", last=100)
    lists = [past["watchers"]["web"], *past["processes"]["web"]]
    values = [value for line in lists for value in line.values() if isinstance(value, list)]
    assert sum(map(len, values)) <= VALUES
    assert 1 < past["step"] < 10
    assert missing(past["watchers"]["web"]["cpu"]) == []
    assert (await machine.ask("web", 7, last=100))["step"] == 1.0


@pytest.mark.parametrize(("last", "step"), [(120, 1), (600, 5), (HOUR, 30), (DAY, 900), (30, 1)])
async def test_a_step_is_a_usual_one_where_nobody_says_which(last: float, step: float) -> None:
    machine = Machine()
    machine.spawn("web", 41)
    machine.looks(3)
    past = await machine.ask("web", last=last, step=None)
    assert past["step"] == step
    assert step in STEPS
    assert past["points"] == last / step
    assert past["begin"] + last == pytest.approx(machine.epoch(), abs=0.01)


async def test_before_the_first_look_there_is_nothing() -> None:
    past = await Machine().ask(last=10)
    assert (past["since"], past["looks_since"], past["watchers"], past["shortened"]) == (None, None, {}, None)


async def test_looks_are_forgotten_while_they_are_read() -> None:
    machine = Machine()
    known = machine.spawn("web", 41)
    machine.looks(1000)
    machine.exit(known)
    asking = asyncio.create_task(machine.ask("web"))
    # It pauses, so that looks have their turns.
    await asyncio.sleep(0)
    machine.looks(2000, 60)
    assert machine.history.processes.series == {}
    past = await asking
    assert past["processes"]["web"][0]["cpu"].count(1.0) == 1000


@given(
    st.lists(
        st.tuples(st.floats(0.1, 10), st.floats(0, 1000), st.integers(0, 2**32 - 1), st.integers(0, 65535)), min_size=1
    )
)
def test_sums_are_weighted_means_and_mosts(looks: list[tuple[float, float, int, int]]) -> None:
    sums = Sums()
    for weight, used, size, many in looks:
        sums.add(Look(0.0, weight, array("I", [9, 5]), ([0.0, used], [0, size], [0, many])), weight, [1])
    total = sum(weight for weight, *_ in looks)
    [(number, (cpu, most_cpu, memory, most_memory, count))] = sums.rows()
    assert number == 5
    assert cpu == pytest.approx(sum(each[0] * each[1] for each in looks) / total, rel=1e-5, abs=1e-6)
    assert most_cpu == pytest.approx(max(each[1] for each in looks), rel=1e-5)
    assert memory == pytest.approx(sum(each[0] * each[2] for each in looks) / total)
    assert most_memory == max(each[2] for each in looks)
    assert count == pytest.approx(sum(each[0] * each[3] for each in looks) / total)
