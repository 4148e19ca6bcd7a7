"""The defects of Circus that the design excludes (PEERS.md 3), as far as they are the core's, one test for each.

Those of sockets (7), streams (8, 16), endpoints (11, 12), a web console (13) and statistics (18) are tested with these.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from circus_core.errors import ConfigError
from circus_core.model import Restart, RetryLater
from circus_core.supervisor import Supervisor
from circus_core.testing import Events, alive, python, until, watcher
from tests.core.proc import descriptors, settled, stubborn


async def test_1_supervision_goes_on_under_any_command(supervise):
    """#1202, #1179, #690: ConflictError at start, and no supervision meanwhile, by one lock for everything."""
    events = Events()
    watchers = (watcher("w", numprocesses=2), watcher("slow", numprocesses=4, warmup_delay=1000, priority=-1))
    async with supervise(plugins={"more": events}) as run:
        for options in watchers:
            run.supervisor.take_up(options)
        run.client.cast("start")
        await events.wait_for("process_spawned", watcher="slow")
        os.kill(run.pids("w")[0], signal.SIGKILL)
        await events.wait_for("process_spawned", watcher="w", count=3)
        assert (await run.call("incr", name="w", waiting=True))["numprocesses"] == 3
        assert (await run.call("status"))["statuses"] == {"w": "active", "slow": "starting"}


async def test_2_commands_to_different_watchers_run_at_the_same_time(supervise):
    """#1154, #987: of five restarts of five watchers one was done, and four were refused."""
    names = "abcde"
    async with supervise(*(watcher(name) for name in names)) as run:
        before = [run.pids(name)[0] for name in names]
        replies = await asyncio.gather(*(run.call("restart", name=name, waiting=True) for name in names))
        assert [reply["info"]["stopped"] for reply in replies] == [[pid] for pid in before]
        again = await asyncio.gather(*(run.call("restart", name="a", waiting=True) for _ in range(3)))
        assert len({reply["info"]["started"][0] for reply in again}) == 3


async def test_3_stopped_means_that_no_child_lives(supervise, tmp_path):
    """#1044, #1077: the parent obeys, its child does not, and Circus says that both have stopped."""
    code = f"""
        import os, signal
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            open({str(tmp_path)!r} + "/" + str(os.getpid()), "w").close()
            while True:
                signal.pause()
        signal.pause()
    """
    async with supervise(watcher("w", python(code), graceful_timeout=0.1)) as run:
        child = int(until(lambda: next(iter(os.listdir(tmp_path)), None)))
        await run.call("stop", name="w", waiting=True)
        assert not alive(child)
        assert (await run.call("status", name="w"))["status"] == "stopped"


async def test_4_a_missing_binary_is_tried_slowly_and_stops_nothing_else(supervise):
    """#1157: thousands of tries, one after another, and circusctl timed out."""
    async with supervise(watcher("bad", "/no/such/program", max_retry=-1, restart_delay=0)) as run:
        began = time.monotonic()
        failed = await run.events.wait_for("spawn_failed", count=4)
        assert time.monotonic() - began > 2 * 0.05
        assert failed.retry_in >= 0.05
        assert (await run.call("numwatchers"))["numwatchers"] == 1
        await run.call("set", name="bad", options={"restart_delay": 1000, "restart_delay_max": 1000}, waiting=True)
        assert (await run.events.wait_for("spawn_failed", count=5)).retry_in > 800


async def test_5_what_the_operator_stopped_stays_stopped(supervise):
    """#809: every end was counted as a crash, also those that were asked for, and the watcher came back."""
    options = {"min_uptime": 1000, "restart_burst": 1, "restart_delay": 0.02, "max_retry": 0}
    async with supervise(watcher("w", **options)) as run:
        for _ in range(6):
            await run.call("restart", name="w", waiting=True)
        assert run.events.named("restart_delayed") == run.events.named("watcher_gave_up") == []
        os.kill(run.pids("w")[0], signal.SIGKILL)
        await run.events.wait_for("process_spawned", count=8)
        run.client.cast("kill", name="w", signum=signal.SIGKILL)
        await run.call("stop", name="w", waiting=True)
        assert (await run.call("status", name="w"))["status"] == "stopped"
        assert run.pids("w") == []


async def test_5_a_stop_cancels_the_restart_that_waits(supervise):
    options = {"min_uptime": 1000, "restart_burst": 0, "restart_delay": 1000, "restart_delay_max": 1000}
    async with supervise(watcher("w", "false", **options)) as run:
        await run.events.wait_for("restart_delayed")
        assert len((await run.call("status", name="w", extended=True))["details"]["w"]["waiting"]) == 1
        await run.call("stop", name="w", waiting=True)
        assert (await run.call("status", name="w", extended=True))["details"]["w"]["waiting"] == []


async def test_6_the_crashes_of_some_do_not_count_for_the_healthy(supervise):
    """#1155: two of three workers exit, and the third is killed."""
    options = {"min_uptime": 1000, "restart_burst": 0, "max_retry": 0}
    async with supervise(watcher("w", numprocesses=3, **options)) as run:
        first, second, healthy = run.pids("w")
        os.kill(first, signal.SIGKILL)
        os.kill(second, signal.SIGKILL)
        gave_up = await run.events.wait_for("watcher_gave_up", count=2)
        assert not gave_up.last
        assert run.pids("w") == [healthy]
        assert alive(healthy)
        assert (await run.call("status", name="w"))["status"] == "active"


async def test_9_a_changed_priority_is_noticed(supervise, tmp_path):
    """#1109: the watchers of a reloaded configuration were a set, in any order."""
    path, events = tmp_path / "app.ini", Events()
    text = "".join(f"[watcher:{name}]\ncmd = sleep 1000\npriority = {{{name}}}\n" for name in "abc")
    path.write_text(text.format(a=3, b=2, c=1))
    async with Supervisor(str(path), plugins={"events": events}) as supervisor:
        path.write_text(text.format(a=1, b=2, c=3))
        await supervisor.client.call("reloadconfig", waiting=True)
        assert [each.name for each in supervisor.in_order()] == ["c", "b", "a"]
        await supervisor.client.call("stop", waiting=True)
        await supervisor.client.call("start", waiting=True)
        assert [event.watcher for event in events.named("watcher_started")] == [*"abc", *"cba"]


async def test_10_a_plugin_sees_the_first_spawn(supervise):
    """PR #221: plugins came up last, and their events had no memory."""
    async with supervise(watcher("w")) as run:
        assert run.events.names() == [
            "watcher_added", "plugin_started", "process_spawned", "watcher_started", "supervisor_started",
        ]  # fmt: skip


@pytest.mark.parametrize(("cmd", "status"), [("sh -c 'exit 3'", 3), ("/no/such/program", 1)])
def test_14_circusd_exits_when_a_vital_worker_fails_for_good(circusd, cmd, status):
    """#1103: in a container, circusd went on without the one process that it was there for."""
    started = circusd(f"""
        [watcher:vital]
        cmd = {cmd}
        exit_on_failure = True
        max_retry = 1
        min_uptime = 1000
        restart_burst = 0
        restart_delay = 0.01
        [watcher:other]
        cmd = sleep 1000
    """)
    assert started.wait() == status, started.output()
    assert "vital failed for good and has exit_on_failure" in started.output()


async def test_15_reloading_for_ever_leaves_no_descriptor(supervise, tmp_path):
    """#944: after 150 days of reloadconfig a closed descriptor in the poll set kept a core busy."""
    path = tmp_path / "app.ini"
    text = "[circus]\nwarmup_delay = 0\n[watcher:a]\ncmd = sleep {}\n[watcher:b{}]\ncmd = sleep 1000\n"
    path.write_text(text.format(1000, 0))
    async with Supervisor(str(path)) as supervisor:
        before = descriptors()
        for number in range(1, 31):
            path.write_text(text.format(1000 + number, number))
            await supervisor.client.call("reloadconfig", waiting=True)
        assert list(supervisor.watchers) == ["a", "b30"]
        after = descriptors()
        # Embedded, there is one for each process.
        assert len(after) == len(before)
        assert sorted(after.values()) == sorted(before.values())


async def test_17_a_spawn_may_wait_and_the_watcher_goes_on(supervise):
    """#789: before_spawn could only say no, and that stopped the watcher, its healthy processes too."""

    class NotYet:
        answers = 3

        def circus_veto_spawn(self, watcher, wid):
            self.answers -= wid == 2
            return RetryLater(0.01, "not yet") if wid == 2 and self.answers >= 0 else None

    async with supervise(watcher("w", numprocesses=2), plugins={"guard": NotYet()}) as run:
        await run.events.wait_for("watcher_started")
        assert [event.wid for event in run.events.named("process_spawned")] == [1, 2]
        assert len(run.events.named("action_vetoed", intent="spawn")) == 3
        assert run.events.named("watcher_stopped") == []


@pytest.mark.parametrize("kind", ["stale", "recycled", "garbage"])
def test_19_no_pid_file_of_who_is_gone_blocks_a_start(circusd, tmp_path, kind):
    """aiida-core #2459, #5825: a pid without a lock, which another process has by now."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = tmp_path / "circus.pid"
    path.write_text({"stale": f"{ended.pid}\n", "recycled": f"{os.getpid()}\n", "garbage": "\0pid"}[kind])
    started = circusd(f"[circus]\npidfile = {path}\n[watcher:w]\ncmd = sleep 1000\n").up()
    assert started.call("numprocesses", name="w")["numprocesses"] == 1
    assert path.read_text().split()[0] == str(started.pid)


def test_20_a_bad_watcher_is_an_error_and_never_dropped(tmp_path):
    """Arbiter.load_from_config logged it, and started without it."""
    path = tmp_path / "app.ini"
    path.write_text("[watcher:good]\ncmd = sleep 1\n[watcher:bad]\nnumprocesses = many\n[watcher:worse]\nnothing = 1\n")
    with pytest.raises(ConfigError) as caught:
        Supervisor(str(path))
    told = str(caught.value)
    assert f"{path}:4" in told
    assert "bad" in told
    assert "worse" in told


async def test_the_graceful_timeout_of_one_delays_no_other(supervise, tmp_path):
    """Part of 1 and 2: who hangs while it stops keeps only its own watcher busy."""
    async with supervise(watcher("hangs", stubborn(tmp_path), graceful_timeout=1000), watcher("other")) as run:
        settled(tmp_path, *run.pids("hangs"))
        run.client.cast("stop", name="hangs")
        await run.events.wait_for("process_signaled", watcher="hangs")
        await run.call("restart", name="other", waiting=True)
        await run.call("kill", name="hangs", signum=signal.SIGKILL, waiting=True)
        await run.events.wait_for("watcher_stopped", watcher="hangs")


class Muddled:
    """A plugin that took the arguments of its answers for one another."""

    def circus_veto_spawn(self, watcher, wid):
        return RetryLater("not yet", 0.01)

    def circus_decide_restart(self, exited, recent):
        return Restart("later")


async def test_17_a_plugin_whose_answer_makes_no_sense_is_passed_over(supervise):
    async with supervise(watcher("w"), plugins={"muddled": Muddled()}) as run:
        os.kill(run.pids("w")[0], signal.SIGKILL)
        await run.events.wait_for("process_spawned", count=2)
        assert {event.hook for event in run.events.named("plugin_failed")} == {
            "circus_veto_spawn", "circus_decide_restart",
        }  # fmt: skip
