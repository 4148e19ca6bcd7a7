"""The commands that change what there is: `add`, `rm` and `set`."""

from __future__ import annotations

import asyncio

import pytest

from circus_core.errors import CircusError, ConflictError, OptionError, RequestError
from circus_core.kinship import MARK
from circus_core.testing import alive, until, watcher
from tests.core.proc import cmdline, environ, settled, stubborn


@pytest.mark.covers("command:add")
async def test_add(supervise):
    async with supervise() as run:
        assert await run.call("add", name="Late", cmd="sleep", args=["1000"]) == {}
        assert await run.call("status") == {"statuses": {"Late": "stopped"}}
        await run.call("start", name="late", waiting=True)
        (pid,) = run.pids("late")
        assert cmdline(pid) == ["sleep", "1000"]
        # Not even PATH: PROTOCOL.md 1.5.
        assert environ(pid).keys() == {MARK}
        assert run.events.names("Late") == ["watcher_added", "process_spawned", "watcher_started"]


async def test_add_and_start_at_once(supervise):
    async with supervise() as run:
        options = {"numprocesses": 2, "env": {"A": "1"}, "rlimit_nofile": 77, "stop_signal": "INT"}
        reply = await run.call("add", name="w", cmd="sleep 1000", options=options, start=True, waiting=True)
        # At the top level, not in info: PROTOCOL.md 1.5. The int of the limit is O-08.
        assert reply == {"started": run.pids("w"), "kept": []}
        assert environ(run.pids("w")[0])["A"] == "1"
        assert (await run.call("add", name="v", cmd="sleep 1000", start=True)) == {}
        await run.events.wait_for("watcher_started", watcher="v")


@pytest.mark.covers("error:conflict", "error:bad-option")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": "W"}, ConflictError, "'W' already exist$"),
        ({"name": "  "}, RequestError, "'name' is empty"),
        ({"cmd": ""}, OptionError, "'cmd' is empty"),
        ({"cmd": "it's"}, RequestError, "isn't a command line"),
        ({"args": 3}, RequestError, "isn't a command line"),
        ({"options": {"numproceses": 2}}, OptionError, "unknown key 'numproceses'.*numprocesses"),
        ({"options": {"numprocesses": "2"}}, OptionError, "'numprocesses' isn't an integer"),
        ({"options": {"singleton": True, "numprocesses": 2}}, OptionError, "numprocesses"),
        ({"options": []}, RequestError, "'options' property should be an object"),
    ],
)
async def test_add_nonsense(supervise, arguments, error, message):
    """O-07 for the empty name. Nothing is added."""
    async with supervise(watcher("w")) as run:
        with pytest.raises(error, match=message):
            await run.call("add", **{"name": "new", "cmd": "sleep 1000", **arguments})
        assert (await run.call("list"))["watchers"] == ["w"]


@pytest.mark.covers("command:rm", "event:watcher_removed")
async def test_rm(supervise):
    async with supervise(watcher("w")) as run:
        (pid,) = run.pids("w")
        assert await run.call("rm", name="W", waiting=True) == {}
        assert not alive(pid)
        assert (await run.call("numwatchers")) == {"numwatchers": 0}
        expected = ["watcher_removed", "process_signaled", "process_exited", "watcher_stopped"]
        assert run.events.names("w")[-4:] == expected
        with pytest.raises(CircusError, match="program w not found"):
            await run.call("rm", name="w")


async def test_rm_nostop_lets_the_processes_go_on(supervise):
    import os
    import signal

    async with supervise(watcher("w", numprocesses=2)) as run:
        pids = run.pids("w")
        await run.call("rm", name="w", nostop=True, waiting=True)
        assert run.events.names("w")[-1] == "watcher_removed"
    try:
        assert all(map(alive, pids))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)  # noqa: ASYNC222


async def test_a_name_may_be_used_again_at_once(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=0.3)) as run:
        (old,) = run.pids("w")
        settled(tmp_path, old)
        await run.call("rm", name="w")
        options = {"copy_env": True, "shell": True}
        await run.call("add", name="w", cmd="sleep 1000 & wait", options=options, start=True, waiting=True)
        (new,) = run.pids("w")
        process = run.supervisor.watcher("w").slots.processes()[0]
        (child,) = until(process.children)
        assert alive(old)
        await run.events.wait_for("watcher_stopped", watcher="w")
        assert not alive(old)
        assert alive(new)
        assert alive(child)


async def test_the_end_waits_for_what_was_removed_before(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=1.5)) as run:
        (pid,) = run.pids("w")
        settled(tmp_path, pid)
        await run.call("rm", name="w")
        await run.events.wait_for("process_signaled")
    assert not alive(pid)


async def test_kill_all_reaches_what_was_removed(supervise, tmp_path):
    """For somebody who has asked twice."""
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=1000)) as run:
        (pid,) = run.pids("w")
        settled(tmp_path, pid)
        await run.call("rm", name="w")
        await run.events.wait_for("process_signaled")
        run.supervisor.kill()
    assert not alive(pid)


@pytest.mark.covers("command:set", "event:watcher_updated")
async def test_set_publishes_each_option_in_order(supervise):
    async with supervise(watcher("w")) as run:
        pids = run.pids("w")
        assert await run.call("set", name="W", options={"priority": 3, "max_retry": 2}, waiting=True) == {}
        assert [event.option for event in run.events.named("watcher_updated")] == ["priority", "max_retry"]
        assert run.pids("w") == pids
        assert (await run.call("get", name="w", keys=["priority", "max_retry"]))["options"] == {
            "priority": 3, "max_retry": 2,
        }  # fmt: skip


async def test_set_of_a_stopped_watcher_starts_nothing(supervise):
    async with supervise(watcher("w", autostart=False)) as run:
        await run.call("set", name="w", options={"numprocesses": 3, "cmd": "sleep 2000"}, waiting=True)
        assert run.pids("w") == []
        await run.call("start", name="w", waiting=True)
        assert [cmdline(pid) for pid in run.pids("w")] == [["sleep", "2000"]] * 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"numprocesses": "many"}, "'numprocesses' isn't an integer"),
        ({"max_age": "old"}, "'max_age' isn't a number"),
        ({"warmup_delay": []}, "'warmup_delay' isn't a number"),
        ({"uid": 1.5}, "'uid' isn't an integer or string"),
        ({"shell": 1}, "'shell' isn't a valid boolean"),
        ({"shell": "perhaps"}, "'shell' isn't a valid boolean"),
        ({"env": "A"}, "'env' isn't a valid object"),
        ({"env": {"A": 1}}, "'env' isn't a valid object.*'A' isn't a string"),
        ({"rlimit_bogus": 1}, "'rlimit_bogus' isn't a valid rlimit setting"),
        ({"rlimit_core": "x"}, "'rlimit_core' isn't a valid int"),
        ({"nosuch": 1}, "unknown key 'nosuch'"),
        ({"name": "x"}, "unknown key 'name'"),
        ({"graceful_timeout": -1}, "'graceful_timeout' is -1"),
        ({"priority": 1, "cmd": ""}, "'cmd' is empty"),
    ],
)
async def test_set_nonsense_changes_nothing_and_says_what_circus_says(supervise, options, message):
    async with supervise(watcher("w")) as run:
        before = run.supervisor.watcher("w").options
        with pytest.raises(OptionError, match=message):
            await run.call("set", name="w", options=options)
        assert run.supervisor.watcher("w").options == before
        assert run.events.named("watcher_updated") == []


async def test_set_of_a_free_form_option_that_is_there(supervise):
    """O-17."""
    async with supervise(watcher("w", extra={"flapping.window": "1"})) as run:
        await run.call("set", name="w", options={"flapping.window": "2"}, waiting=True)
        assert (await run.call("get", name="w", keys=["flapping.window"]))["options"] == {"flapping.window": "2"}
        with pytest.raises(OptionError, match=r"unknown key 'flapping.retry'"):
            await run.call("set", name="w", options={"flapping.retry": "2"})


@pytest.mark.covers("error:failed")
async def test_a_singleton_s_number_in_the_words_of_circus(supervise):
    async with supervise(watcher("w", singleton=True)) as run:
        with pytest.raises(CircusError, match="Singleton watcher has a single process") as raised:
            await run.call("set", name="w", options={"numprocesses": 2})
        assert (raised.value.code, raised.value.errno) == ("failed", 5)


async def test_set_that_needs_new_processes_and_another_number(supervise):
    async with supervise(watcher("w")) as run:
        await run.call("set", name="w", options={"cmd": "sleep 2000", "numprocesses": 3}, waiting=True)
        assert [cmdline(pid) for pid in run.pids("w")] == [["sleep", "2000"]] * 3


async def test_set_fails_if_the_new_processes_cannot_be_started_and_the_old_go_on(supervise):
    async with supervise(watcher("w", max_retry=1)) as run:
        pids = run.pids("w")
        with pytest.raises(CircusError, match=r"no such file|there is no file"):
            await run.call("set", name="w", options={"cmd": "/no/such/program"}, waiting=True)
        assert run.pids("w") == pids


async def test_progress_is_told_to_whoever_waits(supervise):
    said = []
    async with supervise(watcher("w", numprocesses=2, autostart=False)) as run:
        await run.supervisor.dispatch("start", {"name": "w", "waiting": True}, progress=said.append)
        assert said == ["w: 1 of 2 started", "w: 2 of 2 started"]
        await run.supervisor.dispatch("stop", {"name": "w", "waiting": True}, progress=said.append)
        assert said[2:] == ["w: 0 of 2 stopped", "w: 1 of 2 stopped"]


async def test_many_changes_at_once_leave_what_the_last_said(supervise):
    async with supervise(watcher("w")) as run:
        numbers = [5, 2, 7, 1, 3]
        await asyncio.gather(
            *(run.call("set", name="w", options={"numprocesses": number}, waiting=True) for number in numbers)
        )
        assert len(run.pids("w")) == 3
        until(lambda: len([pid for pid in run.pids("w") if alive(pid)]) == 3)


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\tb"])
async def test_a_name_with_a_control_character_is_refused(supervise, name):
    async with supervise() as run:
        with pytest.raises(CircusError, match="has a control character"):
            await run.call("add", name=name, cmd="true")


async def test_more_processes_than_any_machine_can_bear_are_refused(supervise):
    async with supervise(watcher("w", numprocesses=0)) as run:
        for command, more in (("set", {"options": {"numprocesses": 10**30}}), ("incr", {"nb": 10**30})):
            with pytest.raises(CircusError, match=f"'numprocesses' is {10**30}") as raised:
                await run.call(command, name="w", **more)
            assert raised.value.hint == "the most possible is 100000"
        assert (await run.call("numprocesses", name="w"))["numprocesses"] == 0
