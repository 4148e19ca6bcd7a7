"""A supervisor inside somebody else's program leaves that program's signals, children and flags alone."""

from __future__ import annotations

import asyncio

import pytest

from circus_core.model import Config
from circus_core.supervisor import Supervisor
from circus_core.testing import Events, alive, watcher
from tests.core.script import script

FLAGS = """
def subreaper():
    import ctypes
    flag = ctypes.c_int(-1)
    assert ctypes.CDLL(None).prctl(37, ctypes.byref(flag), 0, 0, 0) == 0  # PR_GET_CHILD_SUBREAPER
    return flag.value

def handlers():
    return {signum: signal.getsignal(signum) for signum in signal.valid_signals()}
"""


def test_no_signal_is_taken_and_no_flag_is_set():
    answer = script(
        """
        seen = []
        signal.signal(signal.SIGCHLD, lambda signum, frame: seen.append(signum))
        before = handlers(), subreaper(), os.umask(0o027)
        async with supervised(watcher("w", numprocesses=3)) as run:
            during = handlers(), subreaper(), os.umask(0o027)
            wakeup = signal.set_wakeup_fd(-1)
            signal.set_wakeup_fd(wakeup)
            os.kill(run.pids("w")[0], signal.SIGKILL)
            await run.events.wait_for("process_spawned", count=4)
            until(lambda: seen)
        after = handlers(), subreaper(), os.umask(0o027)
        return before[:2] == during[:2] == after[:2], [during[2], after[2]], wakeup, before[1]
        """,
        before=FLAGS,
    )
    assert answer == [True, [0o027, 0o027], -1, 0]


def test_the_children_of_the_program_stay_its_own():
    answer = script("""
        from circus_core import tree
        ended = subprocess.Popen(["sh", "-c", "exit 7"])
        lives = subprocess.Popen(["sleep", "1000"])
        apart = subprocess.Popen(["sh", "-c", "exit 9"], start_new_session=True)
        theirs = await asyncio.create_subprocess_exec("sleep", "1000")
        until(lambda: tree.stat(ended.pid).state == tree.stat(apart.pid).state == "Z")
        async with supervised(watcher("w", numprocesses=2)) as run:
            os.kill(run.pids("w")[0], signal.SIGKILL)
            await run.events.wait_for("process_spawned", count=3)
            inside = [tree.stat(ended.pid).state, tree.stat(apart.pid).state]
            late = await asyncio.create_subprocess_exec("sh", "-c", "exit 8")
            status = await late.wait()
        still = alive(lives.pid) and alive(theirs.pid)
        lives.kill()
        theirs.kill()
        return inside, status, still, [ended.wait(), apart.wait(), lives.wait(), await theirs.wait()]
    """)
    assert answer == [["Z", "Z"], 8, True, [7, 9, -9, -9]]


def test_a_program_that_reaps_every_child_is_no_trouble():
    answer = script("""
        def reap(signum, frame):
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                pass
        signal.signal(signal.SIGCHLD, reap)
        async with supervised(watcher("w", numprocesses=3)) as run:
            pids = run.pids("w")
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            await run.events.wait_for("process_spawned", count=6)
            codes = {event.exit_code for event in run.events.named("process_exited")}
        # Whoever waits first gets the status.
        return len(pids), [alive(event.pid) for event in run.events.named("process_spawned")], codes <= {None, -9}
    """)
    assert answer == [3, [False] * 6, True]


def test_no_zombie_and_no_descriptor_is_left():
    answer = script("""
        from circus_core import tree
        async with supervised(watcher("w")):
            pass
        before = descriptors()
        async with supervised(watcher("a", numprocesses=20), watcher("b", "true", restart_delay=0.01)) as run:
            for pid in run.pids("a"):
                os.kill(pid, signal.SIGKILL)
            await run.events.wait_for("process_spawned", watcher="a", count=40)
            await run.events.wait_for("restart_delayed", watcher="b")
        return tree.children(os.getpid()), descriptors() == before
    """)
    assert answer == [[], True]


async def test_two_supervisors_in_one_program_do_not_know_each_other(supervise):
    """Though their watchers have the same name."""
    async with supervise(watcher("w", numprocesses=2)) as one:
        async with supervise(watcher("w", numprocesses=2)) as other:
            ours, theirs = one.pids("w"), other.pids("w")
            assert set(ours).isdisjoint(theirs)
            await other.call("restart", waiting=True)
            assert not any(map(alive, theirs))
        assert one.pids("w") == ours
        assert all(map(alive, ours))
        assert {event.pid for event in one.events.named("process_spawned")} == set(ours)


async def test_the_block_s_own_exception_comes_out_and_everything_has_stopped(supervise):
    events = Events()
    napper = watcher("napper", numprocesses=2)
    with pytest.raises(LookupError, match="mine"):
        async with Supervisor(Config(watchers={"napper": napper}), plugins={"events": events}):
            raise LookupError("mine")
    pids = [event.pid for event in events.named("process_spawned")]
    assert len(pids) == 2
    assert not any(map(alive, pids))


async def test_a_task_that_is_cancelled_inside_the_block_stops_everything(supervise):
    events = Events()

    async def program():
        async with Supervisor(Config(watchers={"napper": watcher("napper")}), plugins={"events": events}):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(program())
    await events.wait_for("supervisor_started")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(events.named("process_spawned")[0].pid)


def test_it_runs_in_a_thread_that_is_not_the_main_one():
    answer = script("""
        async def inside():
            async with supervised(watcher("w", numprocesses=2)) as run:
                os.kill(run.pids("w")[0], signal.SIGKILL)
                await run.events.wait_for("process_spawned", count=3)
                return [event.pid for event in run.events.named("process_spawned")]
        pids = await asyncio.to_thread(lambda: asyncio.run(inside()))
        return len(pids), [pid for pid in pids if alive(pid)]
    """)
    assert answer == [3, []]


def test_nothing_is_logged_and_no_handler_is_set_up():
    answer = script("""
        import logging
        async with supervised(watcher("w")):
            pass
        names = ["", *(name for name in logging.root.manager.loggerDict if name.startswith("circus"))]
        return [name for name in names if logging.getLogger(name).handlers]
    """)
    assert answer == []
