"""A watcher keeps what it is told to keep: real children, waited for by events."""

from __future__ import annotations

import os
import signal

import pytest

from circus_core.errors import CircusError, SupersededError
from circus_core.testing import alive, python, until, watcher


async def test_a_process_that_is_killed_comes_back_in_its_slot(supervise):
    async with supervise(watcher("web", numprocesses=2)) as run:
        first, second = run.pids("web")
        os.kill(first, signal.SIGKILL)
        spawned = await run.events.wait_for("process_spawned", watcher="web", count=3)
        assert spawned.wid == 1
        assert set(run.pids("web")) == {second, spawned.pid}
        exited = run.events.named("process_exited")[0]
        assert (exited.pid, exited.exit_code, exited.requested) == (first, -signal.SIGKILL, False)


async def test_a_stop_overtakes_a_start_that_is_still_warming_up(supervise):
    async with supervise(watcher("slow", numprocesses=3, warmup_delay=1000, autostart=False)) as run:
        starting = run.supervisor.watcher("slow").start()
        await run.events.wait_for("process_spawned", watcher="slow")
        await run.call("stop", name="slow", waiting=True)
        with pytest.raises(SupersededError):
            await starting
        assert run.pids("slow") == []


async def test_whole_tree_is_gone_when_stopped_is_said(supervise, tmp_path):
    pids = tmp_path / "pids"
    cmd = python(f"""
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        out = open({str(pids)!r}, "w", buffering=1)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                print(os.getpid(), file=out)
                time.sleep(1000)
            os._exit(0)
        os.wait()
        print(os.getpid(), file=out)
        time.sleep(1000)
    """)
    async with supervise(watcher("tough", cmd, graceful_timeout=0.2)) as run:
        both = until(lambda: len(found := pids.read_text().split()) == 2 and found if pids.exists() else None)
        await run.call("stop", name="tough", waiting=True)
        assert not [pid for pid in both if alive(int(pid))]


async def test_a_missing_program_is_given_up_with_the_reason(supervise):
    async with supervise(watcher("bad", "/no/such/program", max_retry=2, restart_delay=0.01)) as run:
        gave_up = await run.events.wait_for("watcher_gave_up", watcher="bad")
        assert gave_up.last
        assert "there is no file /no/such/program" in gave_up.reason
        await run.events.wait_for("watcher_stopped", watcher="bad")
        with pytest.raises(CircusError, match="there is no file"):
            await run.call("start", name="bad", waiting=True)
