"""Slots: their numbers, and that they are filled again, whatever operations and deaths come in whatever order."""

from __future__ import annotations

import asyncio
import os
import signal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circus_core.events import ProcessExited
from circus_core.model import Restart
from circus_core.testing import alive, supervised, watcher
from circus_core.upkeep import RECENT
from tests.core.proc import settled, stubborn

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("scale"), st.integers(0, 4)),
        st.tuples(st.just("reload"), st.booleans()),
        st.tuples(st.just("crash"), st.integers(0, 3)),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=8,
)


async def walk(steps, *, waiting):
    """Take the steps, each after the other or all at once; what has to hold then is looked at."""
    async with supervised(watcher("w", numprocesses=2)) as run:
        it = run.supervisor.watcher("w")
        done = []
        for what, how in steps:
            processes = it.slots.processes()
            match what:
                case "scale":
                    done.append(it.scale(lambda number=how: number))
                case "reload":
                    done.append(it.reload(sequential=how))
                case "restart":
                    done.append(it.restart())
                case "crash" if how < len(processes):
                    os.kill(processes[how].pid, signal.SIGKILL)
                case "end" if how < len(processes):
                    done += it.end([processes[how]])
            if waiting:
                await asyncio.gather(*done)
                done = []
                # During a graceful reload there are twice as many (PROTOCOL.md 6.4).
                assert all(1 <= wid <= 2 * 4 for wid in it.slots.by_wid)
        await asyncio.gather(*done)
        wanted = it.options.numprocesses
        assert wanted == ([how for what, how in steps if what == "scale"] or [2])[-1]
        assert len(it.slots.by_wid) == wanted
        # One that was killed a moment ago may not have been noticed yet, but it is in a slot, and will be.
        assert [slot.wid for slot in it.slots.by_wid.values()] == list(it.slots.by_wid)
        await run.call("stop", name="w", waiting=True)
        assert it.slots.leaving == {}
        spawned = run.events.named("process_spawned")
        assert not any(alive(event.pid) for event in spawned)
        # Every process that was spawned has one end, and no two in one slot overlap.
        ended = run.events.named("process_exited")
        assert sorted(event.pid for event in ended) == sorted(event.pid for event in spawned)
        inside = {}
        for event in run.events.seen:
            if event.name == "process_spawned":
                assert event.wid not in inside
                inside[event.wid] = event.pid
            elif event.name == "process_exited":
                assert inside.pop(event.wid) == event.pid


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_slots_hold_what_they_should_after_each_step(steps):
    asyncio.run(walk(steps, waiting=True))


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_slots_hold_what_they_should_when_all_is_asked_at_once(steps):
    asyncio.run(walk(steps, waiting=False))


async def test_a_number_is_free_only_once_its_process_and_its_tree_are_gone(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path), numprocesses=2, graceful_timeout=1000)) as run:
        slots = run.supervisor.watcher("w").slots
        settled(tmp_path, *run.pids("w"))
        first = slots.processes()[0]
        run.client.cast("decr", name="w", waiting=True)
        await run.events.wait_for("process_signaled", pid=first.pid)
        assert slots.by_wid.keys() == {2}
        assert list(slots.leaving) == [first]
        slot = slots.open()
        assert slot.wid == 3
        slots.retire(slot)
        first.kill()
        await first.gone()
        assert slots.open().wid == 1
        # The other is killed as all stops, or it would come back and take its grace.
        run.supervisor.begin_stop("the test is over")
        run.supervisor.kill()


async def test_only_the_last_deaths_are_kept_for_plugins(supervise):
    lengths = []

    class Counts:
        def circus_decide_restart(self, exited, recent):
            assert all(isinstance(each, ProcessExited) for each in recent)
            lengths.append(len(recent))
            return Restart()

    async with supervise(watcher("w", "true"), plugins={"counts": Counts()}) as run:
        await run.events.wait_for("process_exited", count=RECENT + 5)
        assert lengths[:3] == [0, 1, 2]
        assert max(lengths) == RECENT


async def test_restarts_are_counted_in_the_slot_and_the_watcher(supervise):
    async with supervise(watcher("w", numprocesses=2)) as run:
        slots = run.supervisor.watcher("w").slots
        for count in (3, 4):
            os.kill(slots.by_wid[1].process.pid, signal.SIGKILL)
            await run.events.wait_for("process_spawned", count=count)
        assert (slots.by_wid[1].restarts, slots.by_wid[2].restarts, slots.restarts) == (2, 0, 2)
        assert slots.last_exit.exit_code == -signal.SIGKILL
