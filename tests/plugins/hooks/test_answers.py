"""The plugin `hooks`: when each hook is called, with what, and what its answer comes to (PROTOCOL.md 6.7)."""

from __future__ import annotations

import os
import signal
import time

import pytest

from circus_core.errors import CircusError
from circus_core.model import Refuse, RetryLater
from circus_core.testing import alive, until
from circus_plugins.hooks import NAMES
from circus_plugins.stats import Statistics
from tests.core.proc import settled, stubborn
from tests.plugins.hooks.conftest import last_error

ALL = sorted(NAMES)
SIGNALLED = ["before_signal", "after_signal"]
REAPED = ["before_reap", "after_reap"]


def events(run):
    return [event.action for event in run.events.seen if event.action and not event.action.startswith("hook")]


@pytest.mark.covers("option:hooks.", "event:hook_succeeded")
async def test_each_hook_in_its_turn_with_what_belongs_to_it(supervise, module, hooks):
    async with supervise(module.watcher(*ALL, numprocesses=2), plugins=hooks) as run:
        first, second = run.pids("w")
        assert module.seen == [
            ("before_start", {}),
            ("before_spawn", {}), ("after_spawn", {"pid": first}),
            ("before_spawn", {}), ("after_spawn", {"pid": second}),
            ("after_start", {}),
        ]  # fmt: skip
        module.seen.clear()
        began = time.time()
        await run.call("stop", name="w", waiting=True)
        assert module.names == ["before_stop", *SIGNALLED * 2, *REAPED * 2, "after_stop"]
        sent = {"pid": first, "signum": signal.SIGTERM}
        assert module.seen[1:3] == [("before_signal", sent), ("after_signal", sent)]
        given = dict(module.seen)
        assert set(given["before_reap"]) == {"process_pid", "time"}
        assert given["before_reap"]["process_pid"] in (first, second)
        assert began <= given["before_reap"]["time"] <= time.time()
        assert given["after_reap"]["exit_code"] == -signal.SIGTERM
        assert set(given["after_reap"]) == {"process_pid", "time", "exit_code", "process_status"}
        succeeded = run.events.named("hook_succeeded", watcher="w")
        assert [event.hook for event in succeeded][-7:] == module.names[-7:]
        assert all(event.seconds >= 0 for event in succeeded)


async def test_a_process_that_ends_by_itself_and_its_successor(supervise, module, hooks):
    async with supervise(module.watcher(*ALL), plugins=hooks) as run:
        (pid,) = run.pids("w")
        module.seen.clear()
        os.kill(pid, signal.SIGKILL)
        await run.events.wait_for("process_spawned", count=2)
        assert module.names == [*REAPED, "before_spawn", "after_spawn"]
        assert module.seen[1][1]["process_status"] == 2


async def test_a_reload_and_a_signal(supervise, module, hooks):
    async with supervise(module.watcher(*ALL, cmd="sleep 1000"), plugins=hooks) as run:
        (pid,) = run.pids("w")
        module.seen.clear()
        await run.call("signal", name="w", signum="CONT")
        sent = {"pid": pid, "signum": signal.SIGCONT}
        assert module.seen == [("before_signal", sent), ("after_signal", sent)]
        module.seen.clear()
        await run.call("reload", name="w", waiting=True)
        await run.events.wait_for("process_exited", pid=pid)
        assert module.names == ["before_spawn", "after_spawn", *SIGNALLED, *REAPED]


# What a false answer comes to


@pytest.mark.parametrize("answer", [False, None, 0, ""])
async def test_before_start_false_keeps_it_stopped(supervise, module, answering, hooks, answer):
    answering["before_start"] = answer
    async with supervise(module.watcher(*ALL), plugins=hooks) as run:
        assert module.names == ["before_start"]
        assert events(run) == ["add"]
        with pytest.raises(CircusError, match=r"hooks.before_start = \S+ answered") as raised:
            await run.call("start", name="w", waiting=True)
        assert raised.value.code == "vetoed"
        assert (await run.call("status", name="w"))["status"] == "stopped"
        assert await last_error(run) == f"hooks.before_start = {module.path()} answered {answer!r}"
        answering.clear()
        await run.call("start", name="w", waiting=True)
        assert (await run.call("status", name="w"))["status"] == "active"


@pytest.mark.covers("hook:circus_confirm_start")
async def test_after_start_false_stops_it_again(supervise, module, answering, hooks):
    answering["after_start"] = False
    async with supervise(module.watcher(*ALL), plugins=hooks) as run:
        await run.events.wait_for("watcher_stopped")
        assert events(run) == ["add", "spawn", "kill", "reap", "stop"]
        assert module.names == [
            "before_start", "before_spawn", "after_spawn", "after_start", "before_stop", *SIGNALLED, *REAPED,
            "after_stop",
        ]  # fmt: skip
        with pytest.raises(CircusError, match=r"w was stopped: hooks.after_start = .* answered False"):
            await run.call("start", name="w", waiting=True)


async def test_before_spawn_false_stops_it(supervise, module, answering, hooks):
    answering["before_spawn"] = False
    async with supervise(module.watcher(*ALL, numprocesses=3), plugins=hooks) as run:
        await run.events.wait_for("watcher_stopped")
        assert events(run) == ["add", "stop"]
        assert module.names == ["before_start", "before_spawn", "before_stop", "after_stop"]
        with pytest.raises(CircusError, match=r"w was stopped: hooks.before_spawn = .* answered False"):
            await run.call("start", name="w", waiting=True)


async def test_before_spawn_false_stops_it_when_a_process_has_ended_too(supervise, module, answering, hooks):
    async with supervise(module.watcher("before_spawn", numprocesses=2), plugins=hooks) as run:
        first, second = run.pids("w")
        answering["before_spawn"] = False
        os.kill(first, signal.SIGKILL)
        await run.events.wait_for("watcher_stopped")
        assert not alive(second)


@pytest.mark.covers("hook:circus_confirm_spawn")
async def test_after_spawn_false_ends_the_process_and_stops_it(supervise, module, answering, hooks):
    answering["after_spawn"] = False
    async with supervise(module.watcher(*ALL, numprocesses=3), plugins=hooks) as run:
        await run.events.wait_for("watcher_stopped")
        assert events(run) == ["add", "kill", "reap", "stop"]
        # It is told to end at once, and whether it has ended before the stop begins is chance.
        assert [name for name in module.names if name not in REAPED] == [
            "before_start", "before_spawn", "after_spawn", *SIGNALLED, "before_stop", "after_stop",
        ]  # fmt: skip
        assert [name for name in module.names if name in REAPED] == REAPED
        pid = run.events.named("process_exited")[0].pid
        assert module.seen[2] == ("after_spawn", {"pid": pid})
        assert not alive(pid)
        assert (await run.call("status", name="w"))["status"] == "stopped"


async def test_before_signal_false_holds_every_signal_back_but_sigkill(supervise, module, answering, hooks, tmp_path):
    answering["before_signal"] = False
    watcher = module.watcher(*ALL, cmd=stubborn(tmp_path), graceful_timeout=0.05)
    async with supervise(watcher, plugins=hooks) as run:
        (pid,) = run.pids("w")
        settled(tmp_path, pid)
        module.seen.clear()
        await run.call("signal", name="w", signum="USR1")
        await run.call("stop", name="w", waiting=True)
        assert run.events.named("process_exited")[0].exit_code == -signal.SIGKILL
        assert events(run)[-4:] == ["kill", "kill", "reap", "stop"]
        told = [(name, given["signum"]) for name, given in module.seen if name.endswith("signal")]
        assert told == [
            ("before_signal", signal.SIGUSR1), ("before_signal", signal.SIGTERM), ("after_signal", signal.SIGTERM),
            ("after_signal", signal.SIGKILL),
        ]  # fmt: skip


async def test_the_answers_of_all_others_mean_nothing(supervise, module, answering, hooks):
    ignored = ["before_stop", "after_stop", "after_signal", "before_reap", "after_reap"]
    answering.update(dict.fromkeys(ignored, False))
    async with supervise(module.watcher(*ignored), plugins=hooks) as run:
        await run.call("restart", name="w", waiting=True)
        assert (await run.call("status", name="w"))["status"] == "active"


# What an exception comes to


@pytest.mark.covers("event:hook_failed")
@pytest.mark.parametrize("hook", ["before_start", "after_start", "before_spawn", "after_spawn"])
@pytest.mark.parametrize("error", [ValueError("boom"), SystemExit(3)])
async def test_one_that_raises_has_refused(supervise, module, answering, hooks, hook, error, caplog):
    answering[hook] = error
    async with supervise(module.watcher(hook), plugins=hooks) as run:
        with pytest.raises(CircusError, match=f"raised {type(error).__name__}"):
            await run.call("start", name="w", waiting=True)
        assert (await run.call("status", name="w"))["status"] == "stopped"
        failed = run.events.named("hook_failed", watcher="w", hook=hook)
        assert {event.error for event in failed} == {str(error)}
        assert not run.events.named("hook_succeeded")
        assert not run.events.named("plugin_failed")
        logged = [record for record in caplog.records if record.exc_info]
        assert len(logged) == len(failed)
        assert logged[0].message == f"w: hooks.{hook} = {module.path()} failed"


@pytest.mark.parametrize("hook", ["before_start", "after_start", "before_spawn", "after_spawn"])
async def test_unless_its_option_says_true(supervise, module, answering, hooks, hook):
    answering[hook] = ValueError("boom")
    async with supervise(module.watcher(f"{hook}=note,true"), plugins=hooks) as run:
        assert (await run.call("status", name="w"))["status"] == "active"
        assert run.events.named("hook_failed", hook=hook)


async def test_nothing_of_a_stop_is_kept_from_happening_by_one_that_raises(supervise, module, answering, hooks):
    raising = ["before_stop", "before_signal", "after_signal", "before_reap", "after_reap", "after_stop"]
    answering.update(dict.fromkeys(raising, ValueError))
    async with supervise(module.watcher(*raising), plugins=hooks) as run:
        await run.call("stop", name="w", waiting=True)
        assert module.names == raising
        assert run.events.named("process_exited")[0].exit_code == -signal.SIGTERM


# In words of circus-bus


async def test_before_spawn_may_ask_to_wait(supervise, module, answering, hooks):
    """PEERS.md 3, nr 17."""
    answering["before_spawn"] = RetryLater(0.01, "no database yet")
    async with supervise(module.watcher(*ALL), plugins=hooks) as run:
        await run.events.wait_for("action_vetoed", count=3)
        assert (await run.call("status", name="w"))["status"] == "starting"
        assert await last_error(run) == "no database yet"
        answering["before_spawn"] = RetryLater(0.01)
        await run.events.wait_for("action_vetoed", reason=f"hooks.before_spawn = {module.path()} asks to wait")
        answering.clear()
        await run.events.wait_for("watcher_started")
        assert module.names[-2:] == ["after_spawn", "after_start"]


async def test_no_other_may(supervise, module, answering, hooks):
    answering["before_start"] = RetryLater(1)
    async with supervise(module.watcher("before_start"), plugins=hooks) as run:
        with pytest.raises(CircusError, match="answered RetryLater, which only before_spawn may"):
            await run.call("start", name="w", waiting=True)


async def test_a_refusal_may_have_a_reason(supervise, module, answering, hooks):
    answering["before_start"] = Refuse("the disk is full")
    async with supervise(module.watcher("before_start"), plugins=hooks) as run:
        with pytest.raises(CircusError, match="w was not started: the disk is full"):
            await run.call("start", name="w", waiting=True)


# Those that take time


async def test_one_that_blocks_circusd_is_named_in_the_log(supervise, module, hooks, caplog):
    module.write("""
        import time
        def slow(watcher, arbiter, hook_name):
            until = time.monotonic() + 0.15
            while time.monotonic() < until:
                pass
            return True
    """)
    async with supervise(module.watcher("before_start=slow"), plugins=hooks):
        slow = f"w: hooks.before_start = {module.path('slow')} took 0."
        assert any(slow in record.message and "nothing else" in record.message for record in caplog.records)


COROUTINES = """
import asyncio
SEEN = []
ANSWERS = {}
async def note(watcher, arbiter, hook_name, **given):
    await asyncio.sleep(0)
    SEEN.append((hook_name, watcher.status()))
    if hook_name in ANSWERS:
        answer = ANSWERS[hook_name]
        if isinstance(answer, Exception):
            raise answer
        return answer
    return True
async def hangs(watcher, arbiter, hook_name, **given):
    await asyncio.sleep(1000)
"""


async def test_a_stop_waits_for_a_coroutine(supervise, module, hooks):
    module.write(COROUTINES)
    async with supervise(module.watcher("before_stop", "after_stop"), plugins=hooks) as run:
        (pid,) = run.pids("w")
        await run.call("stop", name="w", waiting=True)
        assert module.seen[0] == ("before_stop", "stopping")
        await run.events.wait_for("hook_succeeded", hook="after_stop")
        order = [event.name for event in run.events.seen if event.name in ("hook_succeeded", "process_signaled")]
        assert order == ["hook_succeeded", "process_signaled", "hook_succeeded"]
        assert not alive(pid)


async def test_but_not_for_ever(supervise, module, hooks):
    module.write(COROUTINES)
    async with supervise(module.watcher("before_stop=hangs", graceful_timeout=0.05), plugins=hooks) as run:
        await run.call("stop", name="w", waiting=True)
        failed = await run.events.wait_for("hook_failed", hook="before_stop")
        assert "too long" in failed.error


@pytest.mark.parametrize("hook", ["after_spawn", "after_start"])
@pytest.mark.parametrize("answer", [False, ValueError("boom")])
async def test_a_coroutine_may_object_afterwards(supervise, module, hooks, hook, answer):
    module.write(COROUTINES)
    async with supervise(module.watcher(hook, autostart=False), plugins=hooks) as run:
        await run.call("start", name="w", waiting=True)
        module.imported.ANSWERS[hook] = answer
        await run.call("restart", name="w", waiting=True)
        await run.events.wait_for("watcher_stopped", count=2)
        assert f"hooks.{hook} = {module.path()}" in await last_error(run)


async def test_a_coroutine_has_time_to_end_when_circusd_ends(supervise, module, hooks):
    module.write(COROUTINES)
    async with supervise(module.watcher("after_stop"), plugins=hooks):
        pass
    assert module.seen == [("after_stop", "stopped")]


@pytest.mark.parametrize("hook", ["before_start", "before_spawn", "before_signal", "extended_stats"])
async def test_where_the_answer_is_needed_at_once_there_are_no_coroutines(supervise, module, hooks, hook):
    module.write(COROUTINES)
    async with supervise(module.watcher(hook), plugins=hooks) as run:
        with pytest.raises(CircusError, match="is a coroutine function, and circusd needs its answer at once"):
            await run.call("start", name="w", waiting=True)


async def test_nor_in_disguise(supervise, module, hooks):
    module.write(COROUTINES + "\ndef disguised(**given):\n    return note(**given)\n")
    async with supervise(module.watcher("before_start=disguised"), plugins=hooks) as run:
        with pytest.raises(CircusError, match="raised TypeError: it answered a coroutine"):
            await run.call("start", name="w", waiting=True)


async def test_a_signal_to_a_descendant_is_none_of_a_hook_s_business(supervise, module, hooks):
    async with supervise(module.watcher(*ALL, cmd="sh -c 'sleep 1000; :'"), plugins=hooks) as run:
        process = run.supervisor.watcher("w").slots.processes()[0]
        until(process.children)
        module.seen.clear()
        await run.call("signal", name="w", signum="CONT", children=True)
        assert run.events.named("signal_sent", pid=process.children()[0])
        assert module.seen == []


MORE = """
def more(watcher, arbiter, hook_name, pid, stats):
    stats["queued"] = [watcher.name, hook_name, pid]
"""


async def test_extended_stats_adds_to_what_is_told_of_a_process(supervise, module, hooks):
    module.write(MORE)
    mine = module.watcher("extended_stats=more")
    async with supervise(mine, plugins={**hooks, "statistics": Statistics()}) as run:
        pid = run.pids("w")[0]
        at_length = (await run.call("stats", name="w", extended=True))["info"][str(pid)]
        assert at_length["queued"] == ["w", "extended_stats", pid]
        assert "queued" not in (await run.call("stats", name="w"))["info"][str(pid)]
        assert not run.events.named("hook_succeeded"), "nor does Circus tell of it"


async def test_extended_stats_that_raises_is_told_to_who_asked(supervise, module, hooks):
    module.write("def f(**given):\n    raise LookupError('no queue')\n")
    mine = module.watcher("extended_stats=f")
    async with supervise(mine, plugins={**hooks, "statistics": Statistics()}) as run:
        for _again in range(12):
            with pytest.raises(CircusError, match="raised LookupError: no queue") as raised:
                await run.call("stats", name="w", extended=True)
            assert raised.value.errno == 5
        assert not run.events.named("hook_failed")
        assert not run.events.named("plugin_failed")
