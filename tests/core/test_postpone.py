"""A plugin may have a watcher start later, and hears if nobody wants that start any more."""

from __future__ import annotations

import pytest

from circus_core.model import Postpone
from circus_core.testing import alive, watcher


class Postpones:
    """Postpones until `wanted`, and has processes that end sleep."""

    def __init__(self):
        self.wanted = False
        self.called_off = []

    def circus_veto_start(self, watcher):
        return None if self.wanted else Postpone("nobody wants it")

    def circus_decide_restart(self, exited):
        return Postpone("nobody wants it")

    def circus_start_called_off(self, event):
        self.called_off.append(event.watcher)


@pytest.mark.covers("hook:circus_veto_start", "hook:circus_decide_restart")
async def test_a_start_may_be_postponed(supervise):
    plugin = Postpones()
    async with supervise(watcher("w"), plugins={"later": plugin}) as run:
        assert await run.call("start", name="w", waiting=True) == {"info": {"started": [], "kept": []}}
        assert (await run.call("status", name="w", extended=True))["details"]["w"]["last_error"] == ""
        plugin.wanted = True
        (pid,) = (await run.call("start", name="w", waiting=True))["info"]["started"]
        seen = len(run.events.seen)
        await run.call("signal", name="w", signum=9)
        await run.events.wait_for("watcher_stopped")
        assert not alive(pid)
        names = [event.name for event in run.events.seen[seen:]]
        assert names == ["signal_sent", "process_exited", "watcher_stopped"]
        assert run.events.named("action_vetoed") == []
        assert plugin.called_off == []


async def test_only_the_last_process_stops_a_watcher(supervise):
    plugin = Postpones()
    plugin.wanted = True
    async with supervise(watcher("w", numprocesses=2), plugins={"later": plugin}) as run:
        first, second = run.pids("w")
        await run.call("signal", name="w", signum=9, pid=first)
        await run.events.wait_for("process_exited")
        assert run.pids("w") == [second]
        assert (await run.call("status", name="w"))["status"] == "active"
        assert (await run.call("restart", name="w", waiting=True))["info"]["stopped"] == [second]
        assert len(run.pids("w")) == 2


@pytest.mark.covers("event:start_called_off")
async def test_a_stop_or_a_removal_calls_a_postponed_start_off(supervise):
    plugin = Postpones()
    async with supervise(watcher("w"), watcher("v"), watcher("u"), plugins={"later": plugin}) as run:
        await run.call("stop", name="w", waiting=True)
        await run.call("stop", name="w", waiting=True)
        await run.call("rm", name="v", waiting=True)
        await run.call("rm", name="u", nostop=True, waiting=True)
        assert plugin.called_off == ["w", "v", "u"]
        await run.call("start", name="w", waiting=True)
        plugin.wanted = True
        await run.call("restart", name="w", waiting=True)
        await run.call("stop", name="w", waiting=True)
        assert plugin.called_off == ["w", "v", "u"], "it was no longer postponed"
