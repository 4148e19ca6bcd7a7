"""Commands side by side: those for one watcher in order, those for several at once, and all of them until the end."""

from __future__ import annotations

import asyncio

import pytest

from circus_core.errors import CircusError, SupersededError
from circus_core.testing import alive, watcher
from tests.core.proc import settled, stubborn


async def test_five_restarts_of_five_watchers_at_the_same_time_all_succeed(supervise):
    """O-03."""
    names = [f"w{number}" for number in range(5)]
    async with supervise(*(watcher(name, numprocesses=2) for name in names)) as run:
        before = {name: run.pids(name) for name in names}
        replies = await asyncio.gather(*(run.call("restart", name=name, waiting=True) for name in names))
        for name, reply in zip(names, replies, strict=True):
            assert reply["info"] == {"stopped": sorted(before[name]), "started": run.pids(name), "kept": []}


async def test_commands_for_one_watcher_wait_for_each_other(supervise):
    async with supervise(watcher("w")) as run:
        replies = await asyncio.gather(
            run.call("restart", name="w", waiting=True),
            run.call("incr", name="w", nb=2, waiting=True),
            run.call("set", name="w", options={"numprocesses": 2}, waiting=True),
            run.call("reload", name="w", waiting=True),
            run.call("decr", name="w", waiting=True),
            run.call("restart", name="w", waiting=True),
        )
        assert [replies[1], replies[2], replies[4]] == [{"numprocesses": 3}, {}, {"numprocesses": 1}]
        assert replies[5]["info"]["stopped"] == replies[3]["info"]["started"][-1:]
        assert replies[5]["info"]["started"] == run.pids("w")


async def test_whoever_gives_up_waiting_calls_nothing_off(supervise):
    async with supervise(watcher("a", priority=1), watcher("b")) as run:
        await run.call("stop", waiting=True)
        starting = asyncio.ensure_future(run.call("start", waiting=True))
        await asyncio.sleep(0)
        starting.cancel()
        await run.events.wait_for("watcher_started", watcher="b", count=2)


# The end


@pytest.mark.covers("command:quit")
async def test_quit(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=0.1), watcher("other")) as run:
        pids = run.pids("w") + run.pids("other")
        settled(tmp_path, pids[0])
        assert await run.call("quit") == {}
        await run.events.wait_for("process_signaled", watcher="w")
        assert await run.call("status", name="w") == {"status": "stopping"}
        for command, asked in (("start", {"name": "other"}), ("add", {"name": "new", "cmd": "sleep 1000"})):
            with pytest.raises(CircusError, match="circusd is stopping") as raised:
                await run.call(command, **asked, waiting=True)
            assert raised.value.code == "conflict"
        assert await run.call("quit", waiting=True) == {}
        assert not any(map(alive, pids))
        await run.supervisor.finished


async def test_quit_ends_a_start_that_lasts_and_whoever_waits_for_it_is_told(supervise):
    async with supervise(watcher("a", numprocesses=2, priority=1), watcher("b")) as run:
        await run.call("set", name="a", options={"warmup_delay": 1000}, waiting=True)
        await run.call("stop", waiting=True)
        starting = asyncio.ensure_future(run.call("start", waiting=True))
        await run.events.wait_for("process_spawned", watcher="a", count=3)
        assert await run.call("quit", waiting=True) == {}
        with pytest.raises(SupersededError, match="start gave way to the end of circusd"):
            await starting
        assert len(run.events.named("process_spawned", watcher="b")) == 1


@pytest.mark.covers("command:reloadconfig")
async def test_reloadconfig_without_a_file(supervise):
    async with supervise(watcher("w")) as run:
        before = run.pids("w")
        for asked in ({}, {"plan": True}, {"waiting": True}):
            with pytest.raises(CircusError, match="there is no configuration file to read again") as raised:
                await run.call("reloadconfig", **asked)
            assert (raised.value.errno, raised.value.code) == (3, "bad-request")
        assert run.pids("w") == before
