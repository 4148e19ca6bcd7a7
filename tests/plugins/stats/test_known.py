"""Which processes there are, by an answer of `status` and by events, some of which that answer knew already."""

from __future__ import annotations

from typing import Any

from circus_core.events import ProcessExited, ProcessReady, ProcessSpawned
from circus_core.happening import stamp
from circus_plugins.stats.known import Known, Processes


def spawned(pid: int, wid: int = 1, at: float = 100.0, watcher: str = "Two Words") -> ProcessSpawned:
    event = ProcessSpawned(watcher=watcher, wid=wid, pid=pid)
    stamp(event, 1, at)
    return event


def exited(pid: int, wid: int = 1, watcher: str = "Two Words") -> ProcessExited:
    return ProcessExited(watcher=watcher, wid=wid, pid=pid, exit_code=0, age=1.0, requested=False)


def status(*rows: tuple[int, int, float, int]) -> dict[str, Any]:
    keys = ("wid", "pid", "age", "restarts")
    return {"Two Words": {"processes": [dict(zip(keys, row, strict=True)) for row in rows]}}


def all_of(processes: Processes) -> list[tuple[int, int, int]]:
    return [
        (each.wid, each.pid, each.restarts) for group in processes.groups.values() for each in group.processes.values()
    ]


def test_they_come_and_go_and_come_again() -> None:
    processes = Processes()
    processes.spawned(spawned(11))
    processes.spawned(spawned(12, wid=2))
    assert processes.groups["two words"].topic == b"stat.two_words"
    assert processes.exited(exited(11)) is not None
    assert processes.exited(exited(11)) is None
    processes.spawned(spawned(13))
    assert all_of(processes) == [(2, 12, 0), (1, 13, 1)]
    processes.stopped("Two Words")
    processes.exited(exited(13))
    processes.stopped("Two Words")
    processes.spawned(spawned(14))
    assert all_of(processes)[-1] == (1, 14, 0)
    processes.removed("Two Words")
    assert all_of(processes) == []
    assert processes.exited(exited(14)) is None


def test_a_new_process_with_an_old_pid_is_another() -> None:
    processes = Processes()
    processes.spawned(spawned(11, at=100))
    first = processes.exited(exited(11))
    processes.spawned(spawned(11, at=103))
    second = processes.exited(exited(11))
    assert isinstance(first, Known)
    assert first is not second


def test_what_was_asked_for_and_the_events_that_follow_it() -> None:
    """The answer is newer than the first events: these end as what it said."""
    processes = Processes()
    processes.take(status((1, 11, 50.0, 3), (2, 12, 1.0, 0)), now=1000.0)
    known = processes.groups["two words"].processes[12]
    processes.spawned(spawned(10, wid=2, at=998.0))
    processes.exited(exited(10, wid=2))
    processes.spawned(spawned(12, wid=2, at=999.0))
    assert [(wid, pid) for wid, pid, _restarts in all_of(processes)] == [(1, 11), (2, 12)]
    assert processes.groups["two words"].processes[12] is known
    processes.exited(exited(11))
    processes.spawned(spawned(13, at=1001.0))
    assert all_of(processes)[-1] == (1, 13, 4)


def test_asked_again_it_keeps_who_is_the_same() -> None:
    processes = Processes()
    processes.take(status((1, 11, 50.0, 3)), now=1000.0)
    known = processes.groups["two words"].processes[11]
    processes.take(status((1, 11, 60.0, 3), (2, 12, 1.0, 0)), now=1010.0)
    assert processes.groups["two words"].processes[11] is known
    processes.take(status((1, 11, 2.0, 4)), now=1020.0)
    assert processes.groups["two words"].processes[11] is not known


def test_when_one_came_up() -> None:
    processes = Processes()
    processes.spawned(spawned(11))
    event = ProcessReady(watcher="Two Words", wid=1, pid=11, after=0.5)
    known = processes.ready(event)
    assert known is not None
    assert known.ready_after == 0.5
    processes.exited(exited(11))
    assert processes.ready(event) is None
