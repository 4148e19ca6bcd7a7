"""A watcher keeps what it is told to keep: real children, waited for by events. The sequences are PROTOCOL.md 2's."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal

import pytest

from circus_core import tree
from circus_core.errors import CircusError, SupersededError
from circus_core.model import GiveUp, Refuse, Restart, RetryLater
from circus_core.options import declared
from circus_core.testing import alive, python, until, watcher
from tests.core.proc import cmdline, counter, settled, stubborn

WORDS = {
    "process_spawned": "spawn",
    "process_signaled": "kill",
    "process_exited": "reap",
    "watcher_started": "start",
    "watcher_stopped": "stop",
    "watcher_reloaded": "reload",
    "watcher_updated": "updated",
    "watcher_removed": "remove",
    "watcher_added": "add",
}


def sequence(run, since=0, name="w"):
    """The events of a watcher in Circus' words, from the `since`th on."""
    return [WORDS[name] for name in run.events.names(name)[since:] if name in WORDS]


def many(run):
    return len(run.events.names("w"))


# Starting and stopping


@pytest.mark.covers("event:process_spawned", "event:watcher_started", "event:watcher_added", "option:numprocesses")
async def test_start(supervise):
    async with supervise(watcher("w", numprocesses=2)) as run:
        assert run.events.names("w") == ["watcher_added", "process_spawned", "process_spawned", "watcher_started"]
        assert [event.wid for event in run.events.named("process_spawned")] == [1, 2]
        assert [event.pid for event in run.events.named("process_spawned")] == run.pids("w")


@pytest.mark.covers("event:process_signaled", "event:process_exited", "event:watcher_stopped", "option:stop_signal")
async def test_stop(supervise):
    async with supervise(watcher("w", numprocesses=2, stop_signal=signal.SIGINT)) as run:
        since, pids = many(run), run.pids("w")
        await run.call("stop", name="w", waiting=True)
        assert sequence(run, since) == ["kill", "kill", "reap", "reap", "stop"]
        assert {event.signum for event in run.events.named("process_signaled")} == {signal.SIGINT}
        ended = run.events.named("process_exited")
        assert {event.pid for event in ended} == set(pids)
        assert all(event.requested and event.exit_code == -signal.SIGINT and event.age >= 0 for event in ended)
        since = many(run)
        assert await run.call("stop", name="w", waiting=True) == {"info": None}
        assert sequence(run, since) == []


@pytest.mark.covers("option:graceful_timeout")
async def test_stop_of_who_ignores_the_signal(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=1000)) as run:
        settled(tmp_path, *run.pids("w"))
        await run.call("set", name="w", options={"graceful_timeout": 0.05}, waiting=True)
        since = many(run)
        await run.call("stop", name="w", waiting=True)
        assert sequence(run, since) == ["kill", "kill", "reap", "stop"]
        assert run.events.named("process_exited")[0].exit_code == -signal.SIGKILL


async def test_set_stop_signal_is_in_force_at_once(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=1000)) as run:
        settled(tmp_path, *run.pids("w"))
        await run.call("set", name="w", options={"stop_signal": "int"}, waiting=True)
        await run.call("stop", name="w", waiting=True)
        assert run.events.named("process_exited")[0].exit_code == -signal.SIGINT


async def test_restart(supervise):
    async with supervise(watcher("w", numprocesses=2)) as run:
        since, before = many(run), run.pids("w")
        reply = await run.call("restart", name="w", waiting=True)
        assert sequence(run, since) == ["kill", "kill", "reap", "reap", "stop", "spawn", "spawn", "start"]
        assert reply == {"info": {"stopped": sorted(before), "started": run.pids("w"), "kept": []}}


async def test_start_of_what_runs_fills_what_is_empty(supervise):
    async with supervise(watcher("w", numprocesses=2, respawn=False)) as run:
        first, second = run.pids("w")
        os.kill(first, signal.SIGKILL)
        await run.events.wait_for("process_exited")
        since = many(run)
        reply = await run.call("start", name="w", waiting=True)
        assert reply["info"]["kept"] == [second]
        assert sequence(run, since) == ["spawn"]


@pytest.mark.covers("option:warmup_delay")
async def test_warmup_delay_may_be_a_fraction(supervise):
    async with supervise(watcher("w", numprocesses=3, warmup_delay=0.05)) as run:
        times = [event.at for event in run.events.named("process_spawned")]
        assert all(later - earlier > 0.045 for earlier, later in itertools.pairwise(times))
        await run.call("set", name="w", options={"warmup_delay": 0, "numprocesses": 20}, waiting=True)
        assert len(run.pids("w")) == 20


async def test_a_stop_overtakes_a_start_that_is_still_warming_up(supervise):
    async with supervise(watcher("slow", numprocesses=3, warmup_delay=1000, autostart=False)) as run:
        starting = run.supervisor.watcher("slow").start()
        await run.events.wait_for("process_spawned", watcher="slow")
        await run.call("stop", name="slow", waiting=True)
        with pytest.raises(SupersededError):
            await starting
        assert run.pids("slow") == []


async def test_a_stop_overtakes_a_reload_and_what_it_began_ends_too(supervise):
    async with supervise(watcher("w", numprocesses=3)) as run:
        await run.call("set", name="w", options={"warmup_delay": 1000}, waiting=True)
        reloading = run.supervisor.watcher("w").reload()
        await run.events.wait_for("process_spawned", count=4)
        await run.call("stop", name="w", waiting=True)
        with pytest.raises(SupersededError):
            await reloading
        assert not any(alive(event.pid) for event in run.events.named("process_spawned"))


async def test_a_stop_overtakes_an_incr_and_the_number_stays(supervise):
    async with supervise(watcher("w")) as run:
        await run.call("set", name="w", options={"warmup_delay": 1000}, waiting=True)
        run.client.cast("incr", name="w", nb=5)
        await run.events.wait_for("process_spawned", count=2)
        await run.call("stop", name="w", waiting=True)
        assert run.supervisor.watcher("w").options.numprocesses == 6
        assert run.pids("w") == []


async def test_a_stop_overtakes_a_restart_that_is_still_stopping(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=0.3)) as run:
        settled(tmp_path, *run.pids("w"))
        restarting = run.supervisor.watcher("w").restart()
        await run.events.wait_for("process_signaled")
        await run.call("stop", name="w", waiting=True)
        with pytest.raises(SupersededError):
            await restarting
        assert run.supervisor.watcher("w").state == "stopped"
        assert not alive(run.events.named("process_spawned")[0].pid)
        await run.call("start", name="w", waiting=True)


async def test_operations_on_one_watcher_are_done_in_order(supervise):
    async with supervise(watcher("w")) as run:
        it = run.supervisor.watcher("w")
        answers = await asyncio.gather(
            it.restart(), it.scale(lambda: it.options.numprocesses + 1), it.reload(), it.scale(lambda: 1), it.restart()
        )
        assert answers[1] == 2
        assert len(answers[2]["started"]) == 2
        assert answers[3] == 1
        assert answers[4]["stopped"] == answers[2]["started"][-1:]


async def test_two_sets_in_a_row_are_both_kept(supervise):
    async with supervise(watcher("w")) as run:
        await run.call("restart", name="w")
        await run.call("set", name="w", options={"max_age_variance": 7})
        await run.call("set", name="w", options={"min_uptime": 3}, waiting=True)
        options = run.supervisor.watcher("w").options
        assert (options.max_age_variance, options.min_uptime) == (7, 3)


# Dying and coming back


async def test_a_process_that_is_killed_comes_back_in_its_slot(supervise):
    async with supervise(watcher("web", numprocesses=2)) as run:
        first, second = run.pids("web")
        since = len(run.events.names("web"))
        os.kill(first, signal.SIGKILL)
        spawned = await run.events.wait_for("process_spawned", watcher="web", count=3)
        assert spawned.wid == 1
        assert set(run.pids("web")) == {second, spawned.pid}
        exited = run.events.named("process_exited")[0]
        assert (exited.pid, exited.exit_code, exited.requested) == (first, -signal.SIGKILL, False)
        assert sequence(run, since, "web") == ["reap", "spawn"]


@pytest.mark.covers("option:respawn")
async def test_without_respawn_the_last_death_stops_the_watcher(supervise):
    async with supervise(watcher("w", numprocesses=2, respawn=False)) as run:
        since = many(run)
        for pid in run.pids("w"):
            os.kill(pid, signal.SIGKILL)
        await run.events.wait_for("watcher_stopped")
        assert sequence(run, since) == ["reap", "reap", "stop"]
        await run.call("set", name="w", options={"respawn": True}, waiting=True)
        await run.call("start", name="w", waiting=True)
        os.kill(run.pids("w")[0], signal.SIGKILL)
        await run.events.wait_for("process_spawned", count=5)


@pytest.mark.covers("option:min_uptime", "option:restart_burst", "event:restart_delayed")
async def test_the_first_who_die_young_come_back_at_once_then_later(supervise):
    options = {"min_uptime": 1000, "restart_burst": 2, "restart_delay": 0.02, "restart_delay_max": 0.04}
    async with supervise(watcher("w", "false", **options)) as run:
        await run.events.wait_for("restart_delayed", count=3)
        names = [name for name in run.events.names("w") if name in ("restart_delayed", "process_spawned")]
        assert names[:6] == ["process_spawned"] * 3 + ["restart_delayed", "process_spawned", "restart_delayed"]
        delays = [event.delay for event in run.events.named("restart_delayed")][:3]
        assert delays == pytest.approx([0.02, 0.04, 0.04], rel=0.11)
        assert [event.failures for event in run.events.named("restart_delayed")][:3] == [3, 4, 5]
        await run.call("set", name="w", options={"min_uptime": 0}, waiting=True)
        seen = len(run.events.named("restart_delayed"))
        await run.events.wait_for("process_spawned", count=len(run.events.named("process_spawned")) + 20)
        assert len(run.events.named("restart_delayed")) == seen


@pytest.mark.covers("option:max_retry", "event:watcher_gave_up")
async def test_who_keeps_dying_young_is_given_up_after_max_retry(supervise):
    options = {"min_uptime": 1000, "restart_burst": 1, "restart_delay": 0.01}
    async with supervise(watcher("w", "sh -c 'exit 3'", max_retry=2, **options)) as run:
        gave_up = await run.events.wait_for("watcher_gave_up")
        assert (gave_up.last, gave_up.exit_code, gave_up.wid) == (True, 3, 1)
        assert "exited with status 3" in gave_up.reason
        await run.events.wait_for("watcher_stopped")
        assert len(run.events.named("process_spawned")) == 4
        await run.call("set", name="w", options={"max_retry": -1}, waiting=True)
        run.client.cast("start", name="w")
        await run.events.wait_for("process_spawned", count=4 + 6)
        assert len(run.events.named("watcher_gave_up")) == 1


async def test_a_missing_program_is_given_up_with_the_reason(supervise):
    async with supervise(watcher("bad", "/no/such/program", max_retry=2, restart_delay=0.01)) as run:
        gave_up = await run.events.wait_for("watcher_gave_up", watcher="bad")
        assert gave_up.last
        assert "there is no file /no/such/program" in gave_up.reason
        await run.events.wait_for("watcher_stopped", watcher="bad")
        assert len(run.events.named("spawn_failed")) == 2
        run.client.cast("start", name="bad")
        await run.events.wait_for("watcher_stopped", count=2)
        with pytest.raises(CircusError, match="there is no file"):
            await run.call("start", name="bad", waiting=True)


@pytest.mark.covers("event:spawn_failed")
async def test_a_program_that_appears_is_found_at_the_next_try(supervise, tmp_path):
    program = tmp_path / "program"
    async with supervise(watcher("w", str(program), max_retry=-1, restart_delay=0.01)) as run:
        failed = await run.events.wait_for("spawn_failed", count=2)
        assert failed.retry_in >= 0.05, "there is a floor, whatever restart_delay says"
        assert (await run.call("status", name="w"))["status"] == "starting"
        program.write_text("#!/bin/sh\nexec sleep 1000\n")
        program.chmod(0o755)
        await run.events.wait_for("watcher_started")


async def test_a_slot_that_comes_up_during_another_operation_makes_the_watcher_active(supervise, tmp_path):
    program = tmp_path / "program"
    async with supervise(watcher("w", str(program), max_retry=-1, restart_delay=0.01)) as run:
        await run.events.wait_for("spawn_failed")
        await run.call("decr", name="w", waiting=True)
        assert (await run.call("status", name="w"))["status"] == "active"


async def test_the_operator_s_stop_wins_over_a_pending_restart(supervise):
    options = {"min_uptime": 1000, "restart_burst": 0, "restart_delay": 0.1}
    async with supervise(watcher("w", "false", **options), watcher("clock")) as run:
        await run.events.wait_for("restart_delayed")
        await run.call("stop", name="w", waiting=True)
        seen = len(run.events.named("process_spawned", watcher="w"))
        # Four other starts take longer than the delay would have.
        await run.call("set", name="clock", options={"warmup_delay": 0.05, "numprocesses": 5}, waiting=True)
        assert len(run.events.named("process_spawned", watcher="w")) == seen


async def test_a_crash_while_a_long_command_runs_is_mended(supervise, tmp_path):
    async with supervise(watcher("w", numprocesses=2), watcher("other")) as run:
        await run.call("set", name="w", options={"warmup_delay": 1000}, waiting=True)
        run.client.cast("incr", name="w", nb=5)
        await run.events.wait_for("process_spawned", watcher="w", count=3)
        os.kill(run.pids("w")[0], signal.SIGKILL)
        await run.events.wait_for("process_spawned", watcher="w", count=4)
        os.kill(run.pids("other")[0], signal.SIGKILL)
        await run.events.wait_for("process_spawned", watcher="other", count=2)


@pytest.mark.covers("option:max_age")
async def test_max_age_replaces_a_process_and_publishes_its_end(supervise):
    """O-22: with a reap event."""
    async with supervise(watcher("w", max_age=0.05, max_age_variance=0)) as run:
        since, (first,) = many(run), run.pids("w")
        await run.events.wait_for("process_spawned", count=2)
        assert sequence(run, since)[:3] == ["kill", "reap", "spawn"]
        assert run.events.named("process_exited", pid=first)[0].requested


async def test_set_max_age_counts_for_those_that_run(supervise):
    async with supervise(watcher("w", max_age_variance=0)) as run:
        await run.call("set", name="w", options={"max_age": 0.02}, waiting=True)
        await run.events.wait_for("process_spawned", count=3)
        await run.call("set", name="w", options={"max_age": 1000}, waiting=True)
        (pid,) = run.pids("w")
        process = run.supervisor.watcher("w").slots.processes()[0]
        assert process.expiry.when() - asyncio.get_running_loop().time() > 900
        await run.call("set", name="w", options={"max_age": 0}, waiting=True)
        assert run.pids("w") == [pid]
        assert process.expiry is None


# Reloading


@pytest.mark.covers("event:watcher_reloaded")
async def test_reload(supervise):
    async with supervise(watcher("w", numprocesses=2)) as run:
        since, before = many(run), run.pids("w")
        reply = await run.call("reload", name="w", waiting=True)
        # The reaps are O-22.
        assert sequence(run, since) == ["spawn", "kill", "reap", "spawn", "kill", "reap", "reload"]
        assert reply == {"info": {"stopped": sorted(before), "started": sorted(run.pids("w")), "kept": []}}
        assert set(run.supervisor.watcher("w").slots.by_wid) == {1, 3}


@pytest.mark.covers("option:reload_parallel")
@pytest.mark.parametrize("given", [{"parallel": 2}, {"parallel": 9}, {}])
async def test_reload_of_several_at_a_time(supervise, given):
    async with supervise(watcher("w", numprocesses=2, reload_parallel=1 if given else 2)) as run:
        since = many(run)
        await run.call("reload", name="w", waiting=True, **given)
        assert sequence(run, since) == ["spawn", "spawn", "kill", "kill", "reap", "reap", "reload"]
        assert set(run.supervisor.watcher("w").slots.by_wid) == {3, 4}
        await run.call("reload", name="w", waiting=True, **given)
        assert set(run.supervisor.watcher("w").slots.by_wid) == {1, 2}


async def test_a_reload_of_less_than_one_at_a_time_is_refused(supervise):
    async with supervise(watcher("w")) as run:
        with pytest.raises(CircusError, match="'parallel' is 0"):
            await run.call("reload", name="w", parallel=0)


@pytest.mark.parametrize("other", [{"sequential": True}, {"graceful": False}])
@pytest.mark.parametrize("which", [{"name": "w"}, {}])
async def test_a_reload_in_two_manners_at_a_time_is_refused(supervise, which, other):
    async with supervise(watcher("w")) as run:
        before = run.pids("w")
        with pytest.raises(CircusError, match=r"'parallel' and '(sequential|terminate)' contradict") as raised:
            await run.call("reload", parallel=2, **which, **other)
        assert (raised.value.code, raised.value.hint) == ("bad-request", "choose one of them")
        assert run.pids("w") == before


async def test_reload_sequential(supervise):
    async with supervise(watcher("w", numprocesses=2)) as run:
        since = many(run)
        await run.call("reload", name="w", sequential=True, waiting=True)
        assert sequence(run, since) == ["kill", "reap", "spawn", "kill", "reap", "spawn", "reload"]


@pytest.mark.covers("option:send_hup")
async def test_reload_with_send_hup(supervise, tmp_path):
    hups = tmp_path / "hups"
    cmd = python(f"""
        import signal
        signal.signal(signal.SIGHUP, lambda *_: print("hup", file=open({str(hups)!r}, "a"), flush=True))
        open({str(tmp_path / "up")!r}, "w").close()
        while True: signal.pause()
    """)
    async with supervise(watcher("w", cmd)) as run:
        until((tmp_path / "up").exists)
        await run.call("set", name="w", options={"send_hup": True}, waiting=True)
        since, pids = many(run), run.pids("w")
        reply = await run.call("reload", name="w", waiting=True)
        assert sequence(run, since) == ["reload"]
        assert reply == {"info": {"stopped": [], "started": [], "kept": pids}}
        until(lambda: hups.exists() and hups.read_text() == "hup\n")


async def test_reload_not_graceful_is_a_restart(supervise):
    async with supervise(watcher("w")) as run:
        since = many(run)
        await run.call("reload", name="w", graceful=False, waiting=True)
        assert sequence(run, since) == ["kill", "reap", "stop", "spawn", "start"]


async def test_reload_of_a_stopped_watcher_starts_it(supervise):
    async with supervise(watcher("w", autostart=False)) as run:
        reply = await run.call("reload", name="w", waiting=True)
        assert reply["info"]["started"] == run.pids("w")


@pytest.mark.covers("option:singleton")
async def test_a_singleton_never_has_two_processes(supervise):
    async with supervise(watcher("w", singleton=True)) as run:
        since = many(run)
        await run.call("reload", name="w", waiting=True)
        assert sequence(run, since) == ["kill", "reap", "spawn", "reload"]
        assert await run.call("incr", name="w") == {"numprocesses": 1, "singleton": True}
        with pytest.raises(CircusError, match="Singleton watcher has a single process"):
            await run.call("set", name="w", options={"numprocesses": 2}, waiting=True)
        await run.call("set", name="w", options={"singleton": False, "numprocesses": 2}, waiting=True)
        assert len(run.pids("w")) == 2
        with pytest.raises(CircusError, match="Singleton"):
            await run.call("set", name="w", options={"singleton": True}, waiting=True)


async def test_a_reload_whose_spawn_fails_leaves_the_old_processes(supervise, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    async with supervise(watcher("w", str(program), numprocesses=2)) as run:
        before = run.pids("w")
        # The shell opens the script a moment after it was started.
        until(lambda: all(cmdline(pid)[0] == "sleep" for pid in before))
        program.unlink()
        with pytest.raises(CircusError, match=r"w was not reloaded: .*the old processes go on"):
            await run.call("reload", name="w", waiting=True)
        assert run.pids("w") == before
        assert (await run.call("status", name="w"))["status"] == "active"
        assert run.supervisor.watcher("w").slots.by_wid.keys() == {1, 2}


# Scaling


async def test_incr_and_decr_end_the_oldest(supervise):
    async with supervise(watcher("w", numprocesses=2)) as run:
        first, second = run.pids("w")
        since = many(run)
        assert await run.call("incr", name="w", nb=2, waiting=True) == {"numprocesses": 4}
        assert sequence(run, since) == ["spawn", "spawn"]
        since = many(run)
        assert await run.call("decr", name="w", nb=2, waiting=True) == {"numprocesses": 2}
        assert sequence(run, since) == ["kill", "kill", "reap", "reap"]
        assert set(run.supervisor.watcher("w").slots.by_wid) == {3, 4}
        assert not alive(first)
        assert not alive(second)
        assert await run.call("incr", name="w", waiting=True) == {"numprocesses": 3}
        assert set(run.supervisor.watcher("w").slots.by_wid) == {1, 3, 4}
        assert await run.call("decr", name="w", nb=100, waiting=True) == {"numprocesses": 0}
        assert (await run.call("status", name="w"))["status"] == "active"
        assert await run.call("incr", name="w") == {}
        await run.events.wait_for("process_spawned", count=6)


async def test_no_processes_may_be_asked_for(supervise):
    async with supervise(watcher("w", numprocesses=0)) as run:
        assert (await run.call("status", name="w"))["status"] == "active"
        await run.call("set", name="w", options={"numprocesses": 1}, waiting=True)
        assert len(run.pids("w")) == 1
        await run.call("set", name="w", options={"numprocesses": -3}, waiting=True)
        assert run.pids("w") == []


async def test_a_thousand_processes_start_and_stop_and_leave_no_descriptor(supervise):
    from tests.core.proc import descriptors

    async with supervise(watcher("w", "sleep 1000", autostart=False)) as run:
        await run.call("start", name="w", waiting=True)
        await run.call("stop", name="w", waiting=True)
        before = descriptors()
        await run.call("set", name="w", options={"numprocesses": 1000}, waiting=True)
        await run.call("start", name="w", waiting=True)
        assert len(run.pids("w")) == 1000
        await run.call("stop", name="w", waiting=True)
        assert len(run.events.named("process_exited")) == 1001
        assert descriptors() == before


# What plugins may do


@pytest.mark.covers("hook:circus_veto_start", "error:vetoed")
async def test_a_plugin_may_refuse_a_start(supervise):
    class Refuses:
        def circus_veto_start(self, watcher):
            return Refuse(f"{watcher.name} has to wait")

    async with supervise(watcher("w"), plugins={"guard": Refuses()}) as run:
        assert run.pids("w") == []
        vetoed = run.events.named("action_vetoed")[0]
        assert (vetoed.intent, vetoed.reason, vetoed.plugin) == ("start", "w has to wait", "guard")
        with pytest.raises(CircusError, match="w was not started: w has to wait") as raised:
            await run.call("start", name="w", waiting=True)
        assert raised.value.code == "vetoed"
        assert (await run.call("status", name="w"))["status"] == "stopped"


class VetoesSpawn:
    def __init__(self, *answers):
        self.answers = list(answers)

    def circus_veto_spawn(self, watcher, wid):
        return self.answers.pop(0) if self.answers else None


@pytest.mark.covers("hook:circus_veto_spawn")
async def test_a_plugin_may_have_a_spawn_wait(supervise):
    """PEERS.md 3, defect 17."""
    plugin = VetoesSpawn(RetryLater(0.01, "not yet"), RetryLater(0.01, "not yet"))
    async with supervise(watcher("w"), plugins={"guard": plugin}) as run:
        await run.events.wait_for("watcher_started")
        assert [event.reason for event in run.events.named("action_vetoed")] == ["not yet"] * 2
        assert len(run.events.named("process_spawned")) == 1


async def test_the_reason_of_a_spawn_that_waits_is_told(supervise):
    async with supervise(watcher("w", autostart=False), plugins={"g": VetoesSpawn(RetryLater(1000, "no disk"))}) as run:
        with pytest.raises(CircusError, match="w did not start: no disk"):
            await run.call("start", name="w", waiting=True)


async def test_a_plugin_may_leave_a_slot_empty(supervise):
    plugin = VetoesSpawn(GiveUp("one is enough"))
    async with supervise(watcher("w", numprocesses=2), plugins={"guard": plugin}) as run:
        assert len(run.pids("w")) == 1
        gave_up = run.events.named("watcher_gave_up")[0]
        assert (gave_up.wid, gave_up.last, gave_up.reason) == (1, False, "one is enough")
        assert run.events.named("watcher_started")


async def test_a_plugin_may_stop_a_watcher_instead_of_a_spawn(supervise):
    plugin = VetoesSpawn(None, Refuse("enough"))
    async with supervise(watcher("w", numprocesses=3), plugins={"guard": plugin}) as run:
        await run.events.wait_for("watcher_stopped")
        assert run.pids("w") == []
        assert (await run.call("status", name="w"))["status"] == "stopped"


class Confirms:
    """Refuses what is complete, so many times."""

    def __init__(self, spawns=0, starts=0):
        self.spawns, self.starts = spawns, starts
        self.asked = []

    def circus_confirm_spawn(self, process, watcher):
        self.asked.append(process.pid)
        self.spawns -= 1
        return Refuse("it looks bad") if self.spawns >= 0 else None

    def circus_confirm_start(self, watcher):
        self.starts -= 1
        return Refuse("they do not get on") if self.starts >= 0 else None


@pytest.mark.covers("hook:circus_confirm_spawn")
async def test_a_plugin_may_look_at_a_process_before_anybody_is_told(supervise):
    plugin = Confirms(spawns=1)
    async with supervise(watcher("w", numprocesses=2, autostart=False), plugins={"guard": plugin}) as run:
        with pytest.raises(CircusError, match="w was stopped: it looks bad") as raised:
            await run.call("start", name="w", waiting=True)
        assert raised.value.code == "vetoed"
        assert (await run.call("status", name="w"))["status"] == "stopped"
        assert not any(map(alive, plugin.asked))
        unwanted = plugin.asked[0]
        assert not run.events.named("process_spawned", pid=unwanted)
        assert run.events.named("process_exited", pid=unwanted)[0].requested
        assert run.events.named("action_vetoed", intent="spawn", reason="it looks bad")


async def test_whoever_is_refused_at_a_respawn_takes_the_watcher_with_it(supervise):
    plugin = Confirms()
    async with supervise(watcher("w", numprocesses=2), plugins={"guard": plugin}) as run:
        plugin.spawns = 1
        os.kill(run.pids("w")[0], signal.SIGKILL)
        await run.events.wait_for("watcher_stopped")
        assert len(plugin.asked) == 3
        assert not any(map(alive, plugin.asked))


@pytest.mark.covers("hook:circus_confirm_start")
async def test_a_plugin_may_refuse_a_start_that_is_complete(supervise):
    plugin = Confirms(starts=1)
    async with supervise(watcher("w", numprocesses=2), plugins={"guard": plugin}) as run:
        await run.events.wait_for("watcher_stopped")
        assert len(run.events.named("process_spawned")) == 2
        assert not run.events.named("watcher_started")
        assert run.supervisor.watcher("w").slots.last_error == "they do not get on"
        await run.call("start", name="w", waiting=True)
        assert len(run.events.named("watcher_started")) == 1


async def test_and_so_after_a_spawn_that_had_to_wait(supervise):
    plugins = {"later": VetoesSpawn(RetryLater(0.01, "not yet")), "guard": Confirms(starts=1)}
    async with supervise(watcher("w"), plugins=plugins) as run:
        await run.events.wait_for("watcher_stopped")
        assert not run.events.named("watcher_started")


@pytest.mark.covers("hook:circus_decide_restart")
async def test_a_plugin_may_decide_about_a_restart(supervise):
    asked = []

    class Decides:
        def circus_decide_restart(self, exited, recent):
            asked.append((exited.exit_code, [each.exit_code for each in recent]))
            return Restart(0.01) if len(asked) < 3 else GiveUp("three times")

    async with supervise(watcher("w", "sh -c 'exit 5'"), plugins={"judge": Decides()}) as run:
        gave_up = await run.events.wait_for("watcher_gave_up")
        assert gave_up.reason == "three times; the last time it exited with status 5"
        assert asked == [(5, []), (5, [5]), (5, [5, 5])]
        assert len(run.events.named("restart_delayed")) == 2


@pytest.mark.covers("hook:circus_before_stop")
async def test_a_plugin_may_do_something_before_a_stop(supervise):
    seen = []

    class Drains:
        async def circus_before_stop(self, watcher):
            await asyncio.sleep(0)
            seen.append((watcher.name, [alive(pid) for pid in run.pids(watcher.name)]))

    async with supervise(watcher("w"), plugins={"drain": Drains()}) as run:
        await run.call("stop", name="w", waiting=True)
        assert seen == [("w", [True])]


async def test_before_stop_that_is_slow_raises_or_is_cancelled_keeps_nothing_from_stopping(supervise):
    class Slow:
        async def circus_before_stop(self, watcher):
            await asyncio.sleep(1000)

    class Raises:
        async def circus_before_stop(self, watcher):
            raise RuntimeError("no")

    class Cancelled:
        async def circus_before_stop(self, watcher):
            raise asyncio.CancelledError

    plugins = {"slow": Slow(), "raises": Raises(), "cancelled": Cancelled()}
    async with supervise(watcher("w", graceful_timeout=0.1), plugins=plugins) as run:
        await run.call("stop", name="w", waiting=True)
        assert (await run.call("status", name="w"))["status"] == "stopped"


class Ready:
    """Answers as it is told to, process by process."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def circus_await_ready(self, process, watcher):
        self.asked.append(process.pid)
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return True
        return answer


@pytest.mark.covers("hook:circus_await_ready", "event:process_ready")
async def test_a_process_is_ready_when_the_plugin_says_so(supervise):
    gate = asyncio.Event()
    async with supervise(watcher("w", autostart=False), plugins={"ready": Ready(gate)}) as run:
        await run.call("start", name="w")
        await run.events.wait_for("process_spawned")
        details = (await run.call("status", name="w", extended=True))["details"]["w"]
        assert [process["state"] for process in details["processes"]] == ["starting"]
        gate.set()
        ready = await run.events.wait_for("process_ready")
        assert ready.pid == run.pids("w")[0]
        assert ready.after >= 0


async def test_a_reload_ends_no_old_process_before_its_successor_is_ready(supervise):
    first, second = asyncio.Event(), asyncio.Event()
    async with supervise(watcher("w", numprocesses=2), plugins={"ready": Ready(True, True, first, second)}) as run:
        await run.events.wait_for("process_ready", count=2)
        before = run.pids("w")
        reloading = run.supervisor.watcher("w").reload()
        await run.events.wait_for("process_spawned", count=3)
        assert all(map(alive, before))
        first.set()
        await run.events.wait_for("process_spawned", count=4)
        assert [alive(pid) for pid in before] == [False, True]
        second.set()
        await reloading
        assert not any(map(alive, before))


async def test_a_reload_that_fails_half_way_says_how_far_it_came(supervise):
    async with supervise(watcher("w", numprocesses=3), plugins={"ready": Ready(True, True, True, True, False)}) as run:
        await run.events.wait_for("process_ready", count=3)
        before = run.pids("w")
        with pytest.raises(CircusError, match=r"only in part, 1 of 3: pid \d+ did not become ready") as caught:
            await run.call("reload", name="w", waiting=True)
        assert "the other old processes go on" in caught.value.hint
        assert len(run.pids("w")) == 3
        assert set(before[1:]) < set(run.pids("w"))


async def test_options_with_which_the_second_process_does_not_come_up_are_taken_back(supervise):
    """What took over already is replaced once more, so that all run with the options that are in force."""
    ready = Ready(True, True, True, False)
    async with supervise(watcher("w", numprocesses=2, env={"A": "1"}), plugins={"ready": ready}) as run:
        await run.events.wait_for("process_ready", count=2)
        with pytest.raises(CircusError, match="only in part, 1 of 2"):
            await run.call("set", name="w", options={"env": {"A": "2"}}, waiting=True)
        assert (await run.call("get", name="w", keys=["env"]))["options"] == {"env": {"A": "1"}}
        assert len(run.pids("w")) == 2
        for pid in run.pids("w"):
            assert b"A=1" in tree.environment(pid).split(b"\0")


async def test_a_watcher_is_active_once_its_processes_are_ready(supervise):
    gate = asyncio.Event()
    ready = Ready(True, True, True, True, gate)
    async with supervise(watcher("w", numprocesses=2), watcher("next", priority=-1), plugins={"ready": ready}) as run:
        await run.call("stop", waiting=True)
        await run.call("start")
        await run.events.wait_for("process_ready", count=4)
        assert (await run.call("status", name="w"))["status"] == "starting"
        # Who comes later in the order of starts may need this one.
        assert run.pids("next") == []
        gate.set()
        await run.events.wait_for("watcher_started", count=4)
        assert (await run.call("status", name="w"))["status"] == "active"


async def test_a_start_whose_processes_never_become_ready_fails_and_goes_on_trying(supervise):
    options = {"restart_burst": 0, "restart_delay": 0.01, "autostart": False}
    async with supervise(watcher("w", **options), plugins={"ready": Ready(False, False)}) as run:
        with pytest.raises(CircusError, match=r"w did not start: pid \d+ did not become ready"):
            await run.call("start", name="w", waiting=True)
        unready = await run.events.wait_for("process_unready")
        assert unready.reason.endswith("did not become ready")
        await run.events.wait_for("watcher_started")
        assert len(run.pids("w")) == 1


@pytest.mark.covers("event:process_unready")
async def test_a_process_that_is_never_ready_is_given_up_however_long_it_took(supervise):
    options = {"restart_burst": 0, "restart_delay": 0.01, "max_retry": 1, "min_uptime": 0}
    async with supervise(watcher("w", **options), plugins={"ready": Ready(*[False] * 9)}) as run:
        gave_up = await run.events.wait_for("watcher_gave_up")
        assert gave_up.reason.startswith("it did not become ready 2 times in a row")
        assert len(run.events.named("process_unready")) == 2


async def test_a_stop_ends_the_wait_for_a_process(supervise):
    async with supervise(watcher("w", autostart=False), plugins={"ready": Ready(asyncio.Event())}) as run:
        starting = run.supervisor.watcher("w").start()
        await run.events.wait_for("process_spawned")
        await run.call("stop", name="w", waiting=True)
        with pytest.raises(CircusError, match="gave way to a stop"):
            await starting
        assert run.events.named("process_unready") == []


@pytest.mark.parametrize("answer", [False, RuntimeError("cannot tell")])
async def test_a_reload_whose_new_process_does_not_come_up_leaves_the_old(supervise, answer):
    async with supervise(watcher("w"), plugins={"ready": Ready(True, answer)}) as run:
        await run.events.wait_for("process_ready")
        before = run.pids("w")
        with pytest.raises(CircusError, match="the old processes go on"):
            await run.call("reload", name="w", waiting=True)
        assert run.pids("w") == before


async def test_a_reload_whose_new_process_dies_before_it_is_ready_leaves_the_old(supervise):
    ready = Ready(True, asyncio.Event())
    async with supervise(watcher("w"), plugins={"ready": ready}) as run:
        await run.events.wait_for("process_ready")
        before = run.pids("w")
        reloading = run.supervisor.watcher("w").reload()
        spawned = await run.events.wait_for("process_spawned", count=2)
        os.kill(spawned.pid, signal.SIGKILL)
        with pytest.raises(CircusError, match="the old processes go on"):
            await reloading
        assert run.pids("w") == before
        slots = run.supervisor.watcher("w").slots
        # Nothing was restarted, and no further try is planned.
        assert (slots.restarts, run.events.named("restart_delayed")) == (0, [])
        assert slots.last_error == f"pid {spawned.pid} was killed by SIGKILL before it was ready"
        ready.answers = [True]
        await run.call("reload", name="w", waiting=True)
        assert (slots.restarts, slots.last_error) == (0, "")


async def test_a_process_that_is_not_ready_is_replaced(supervise):
    async with supervise(watcher("w"), plugins={"ready": Ready(False)}) as run:
        await run.events.wait_for("process_ready")
        assert len(run.events.named("process_spawned")) == 2
        assert not run.events.named("process_exited")[0].requested


async def test_a_plugin_that_raises_in_every_hook_changes_nothing(supervise):
    from circus_core.events import EVENTS
    from circus_core.hookspecs import Interventions

    def fails(self):
        raise RuntimeError("in every hook")

    hooks = [name for name in vars(Interventions) if name.startswith("circus_")]
    hooks += [f"circus_{name}" for name in EVENTS] + ["circus_event"]
    plugin = type("Fails", (), dict.fromkeys(hooks, fails))()
    async with supervise(watcher("w", numprocesses=2), plugins={"fails": plugin}) as run:
        os.kill(run.pids("w")[0], signal.SIGKILL)
        await run.events.wait_for("process_spawned", count=3)
        await run.call("reload", name="w", waiting=True)
        await run.call("restart", name="w", waiting=True)
        assert len(run.pids("w")) == 2
        (loaded,) = (each for each in (await run.call("plugins"))["plugins"] if each["name"] == "fails")
        assert loaded["disabled"]
        assert loaded["last_error"].endswith("RuntimeError: in every hook")


async def test_the_history_belongs_to_the_slot(supervise, tmp_path):
    """Three starts in two slots: the one that keeps dying is given up, the other is not touched."""
    cmd = f"sh -c 'test $(circus.wid) = 2 && exec sleep 1000; echo x >> {tmp_path / 'deaths'}'"
    options = {"min_uptime": 1000, "restart_burst": 0, "restart_delay": 0.01, "max_retry": 1}
    async with supervise(watcher("w", cmd, numprocesses=2, **options)) as run:
        gave_up = await run.events.wait_for("watcher_gave_up")
        assert (gave_up.wid, gave_up.last) == (1, False)
        assert len(run.pids("w")) == 1
        assert (await run.call("status", name="w"))["status"] == "active"
        assert len(run.events.named("process_exited", wid=2)) == 0


async def test_an_environment_is_not_needed_to_come_back(supervise, tmp_path):
    """A worker that dies at its first start, and lives at its second."""
    cmd = counter(tmp_path / "starts", "n > 1 and signal.pause()")
    async with supervise(watcher("w", cmd)) as run:
        await run.events.wait_for("process_spawned", count=2)
        pid = run.pids("w")[0]
        until(lambda: (tmp_path / "starts").read_text().split()[1:] == [str(pid)])


@pytest.mark.covers("event:watcher_updated")
@pytest.mark.parametrize("key", [key for key, entry in declared(type(watcher("w"))).items() if not entry.prefix])
async def test_every_option_can_be_set_to_what_it_is(supervise, key):
    """And `updated` is published; what each changes is tested elsewhere."""
    async with supervise(watcher("w")) as run:
        shown = (await run.call("options", name="w"))["options"][key]
        if shown is None:
            return
        pids = run.pids("w")
        await run.call("set", name="w", options={key: shown}, waiting=True)
        assert [event.option for event in run.events.named("watcher_updated")] == [key]
        assert run.pids("w") == pids


async def test_what_is_killed_after_a_stop_was_ordered_does_not_come_back(supervise, tmp_path):
    """The order counts, not the turn of the loop in which it is carried out."""
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=1000)) as run:
        settled(tmp_path, *run.pids("w"))
        (pid,) = run.pids("w")
        stopping = run.supervisor.begin_stop("a test")
        run.supervisor.kill()
        # So that the loop sees the death as soon as the order.
        until(lambda: not alive(pid))
        await stopping
        assert len(run.events.named("process_spawned")) == 1


async def test_what_is_said_of_a_watcher_names_it_once(supervise, caplog):
    lacking = watcher("lacking", working_dir="/no/such", max_retry=2, restart_delay=0)
    async with supervise(lacking, watcher("w")) as run:
        await run.events.wait_for("watcher_gave_up")
        with pytest.raises(CircusError, match=r"^w was not reloaded: cannot enter working_dir /no/such: "):
            await run.call("set", name="w", options={"working_dir": "/no/such"}, waiting=True)
    said = [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    cannot = "cannot enter working_dir /no/such: No such file or directory (make it, or name another)"
    assert said == [
        f"lacking/1: {cannot}; next try in 0.1 s",
        f"lacking did not start: {cannot}",
        f"lacking/1: {cannot}",
        f"lacking/1: given up: {cannot}; tried twice",
        f"w/2: {cannot}; next try in 0.5 s",
        "w: its options are again what they were",
        f"w was not reloaded: {cannot} (the old processes go on)",
    ]
