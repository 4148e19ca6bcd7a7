"""The daemon's reaper, and its signals: in a process of its own, whose children are all its business."""

from __future__ import annotations

import os
import signal

import pytest

from circus_core.testing import python
from tests.core.script import script

ORPHAN = python("""
    import os, signal, sys
    folder = sys.argv[1]
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            open(f"{folder}/{os.getpid()}", "w").close()
            signal.pause()
        os._exit(0)
    os.wait()
    signal.pause()
""")

LOOK = """
from circus_core import tree

async def come(condition):
    "Wait for what no event tells of while the loop goes on."
    return await asyncio.to_thread(until, condition)
"""


def test_orphans_come_to_the_daemon_and_are_reaped(tmp_path):
    answer = script(
        f"""
        async with supervised(watcher("w", {ORPHAN!r}, args={str(tmp_path)!r}), daemon=True) as run:
            orphan = int(await come(lambda: next(iter(os.listdir({str(tmp_path)!r})), None)))
            await come(lambda: tree.stat(orphan).ppid == os.getpid())
            os.kill(orphan, signal.SIGKILL)
            await come(lambda: tree.stat(orphan) is None)
            exited = len(run.events.named("process_exited"))
            return exited, tree.children(os.getpid()) == run.pids("w")
        """,
        before=LOOK,
    )
    assert answer == [0, True]


def test_orphans_that_are_left_when_the_daemon_ends_are_ended():
    """Those of which the daemon knows no more than that they became its children."""
    answer = script(
        """
        async with supervised(daemon=True) as run:
            shell = subprocess.Popen(["sh", "-c", "setsid sleep 1000 & exec sleep 1000"])
            (orphan,) = await come(lambda: tree.children(shell.pid))
            await come(lambda: tree.stat(orphan).session == orphan)
            shell.kill()
            shell.wait()
        return alive(orphan), tree.children(os.getpid())
        """,
        before=LOOK,
    )
    assert answer == [False, []]


def test_processes_that_rm_nostop_released_outlive_the_daemon_with_all_that_comes_from_them(tmp_path):
    """The operator's word counts; others that were left behind end with the daemon."""
    answer = script(
        f"""
        cmd = {ORPHAN!r}
        folders = [{str(tmp_path)!r} + "/" + name for name in ("kept", "other")]
        for folder in folders:
            os.mkdir(folder)
        async with supervised(
            watcher("kept", cmd, args=folders[0]), watcher("other", cmd, args=folders[1]), daemon=True
        ) as run:
            orphans = [int(await come(lambda: next(iter(os.listdir(folder)), None))) for folder in folders]
            for orphan in orphans:
                await come(lambda: tree.stat(orphan).ppid == os.getpid())
            (kept,), (other,) = run.pids("kept"), run.pids("other")
            await run.call("rm", name="kept", nostop=True, waiting=True)
        lived = alive(kept), alive(orphans[0]), alive(other), alive(orphans[1])
        os.kill(kept, signal.SIGKILL), os.kill(orphans[0], signal.SIGKILL)
        return lived
        """,
        before=LOOK,
    )
    assert answer == [True, True, False, False]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may start processes that it may then not signal")
def test_who_may_not_be_signalled_keeps_neither_a_stop_nor_the_end_waiting():
    """As in a container whose root has all capabilities dropped but those to become somebody else."""
    answer = script(
        """
        options = {"uid": 65534, "graceful_timeout": 0.05}
        async with supervised(watcher("w", **options), watcher("v"), daemon=True) as run:
            (pid,) = run.pids("w")
            try:
                await run.call("stop", name="w", waiting=True)
            except SystemCallError as error:
                refused = str(error)
            status = await run.call("status", name="w")
            exits = run.events.names("w").count("process_exited")
            lives = alive(pid)
            kept = (await run.call("start", name="w", waiting=True))["info"]["kept"] == [pid]
        return refused.replace(str(pid), "PID"), status["status"], exits, lives, kept, alive(pid), pid
        """,
        before="from circus_core.errors import SystemCallError",
        wrapper=("setpriv", "--bounding-set=-kill", "--inh-caps=-kill"),
    )
    os.kill(answer.pop(), signal.SIGKILL)
    said = "w/1: pid PID may not be signalled by circusd's user, and goes on"
    hint = "circusd has to run as the process's user, or with CAP_KILL"
    assert answer == [f"{said} ({hint})", "stopped", 0, True, True, True]


def test_a_child_of_a_library_is_left_to_it_and_hides_none_of_ours():
    answer = script(
        """
        async with supervised(watcher("w", numprocesses=3), daemon=True) as run:
            library = subprocess.Popen(["sh", "-c", "exit 7"])
            await come(lambda: tree.stat(library.pid).state == "Z")
            for pid in run.pids("w"):
                os.kill(pid, signal.SIGKILL)
            await run.events.wait_for("process_spawned", count=6)
            state = tree.stat(library.pid).state
            others = subprocess.run(["sh", "-c", "exit 6"]).returncode
            theirs = await asyncio.create_subprocess_exec("sh", "-c", "exit 5")
            return state, library.wait(), others, await theirs.wait()
        """,
        before=LOOK,
    )
    assert answer == ["Z", 7, 6, 5]


def test_a_thousand_that_end_at_once_are_all_noticed():
    answer = script("""
        async with supervised(watcher("w", numprocesses=1000, respawn=False), daemon=True) as run:
            for pid in run.pids("w"):
                os.kill(pid, signal.SIGKILL)
            await run.events.wait_for("watcher_stopped")
            from circus_core import tree
            return len(run.events.named("process_exited", exit_code=-9)), tree.children(os.getpid())
    """)
    assert answer == [1000, []]


def test_no_flood_of_sigchld_loses_a_sigterm():
    """The pipe that wakes the loop is full, and that is no loss."""
    answer = script("""
        from circus_core.signals import Signals
        signals, came = Signals(), []
        told = asyncio.Event()
        signals.on(signal.SIGCHLD, lambda: came.append("child"))
        signals.on(signal.SIGTERM, lambda: (came.append("term"), told.set()))
        for _ in range(100_000):
            signal.raise_signal(signal.SIGCHLD)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(told.wait(), 20)
        signals.close()
        return came
    """)
    assert set(answer) == {"child", "term"}
    assert answer.count("term") == 1
    assert len(answer) < 10, "one call for many that came together"


def test_signals_are_as_before_when_they_are_closed():
    answer = script("""
        from circus_core.signals import Signals
        mine = lambda signum, frame: None
        signal.signal(signal.SIGUSR1, mine)
        before = {signum: signal.getsignal(signum) for signum in signal.valid_signals()}, descriptors()
        signals = Signals()
        for signum in (signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
            signals.on(signum, lambda: None)
        taken = signal.getsignal(signal.SIGUSR1) is not mine
        signals.close()
        after = {signum: signal.getsignal(signum) for signum in signal.valid_signals()}, descriptors()
        return taken, before == after, signal.set_wakeup_fd(-1)
    """)
    assert answer == [True, True, -1]
