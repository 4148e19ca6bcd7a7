"""The commands that start and stop watchers: one, several by a pattern, all; waiting or not; and who goes first."""

from __future__ import annotations

import asyncio

import pytest

from circus_core.errors import CircusError
from circus_core.testing import alive, watcher
from tests.core.proc import settled, stubborn


async def states(run):
    return (await run.call("status"))["statuses"]


def web(*names, **options):
    return [watcher(name, **options) for name in names]


# One


@pytest.mark.covers("command:start")
async def test_start_one(supervise):
    async with supervise(watcher("Web", numprocesses=2, autostart=False)) as run:
        reply = await run.call("start", name="wEB", waiting=True)
        assert reply == {"info": {"started": run.pids("web"), "kept": []}}
        assert len(run.pids("web")) == 2
        assert await run.call("start", name="web", waiting=True) == {"info": {"started": [], "kept": run.pids("web")}}
        assert len(run.events.named("watcher_started")) == 1


@pytest.mark.covers("command:stop")
async def test_stop_one(supervise):
    async with supervise(watcher("web"), watcher("api")) as run:
        assert await run.call("stop", name="WEB", waiting=True) == {"info": None}
        assert await states(run) == {"web": "stopped", "api": "active"}


@pytest.mark.covers("command:start", "command:stop", "command:restart", "command:reload")
async def test_whoever_does_not_wait_is_answered_at_once_and_without_a_result(supervise):
    """O-02; and what was asked for has begun, so the order of requests is the order of their effects."""
    async with supervise(watcher("w")) as run:
        for command in ("stop", "start", "restart", "reload"):
            assert run.supervisor.dispatch(command, {"name": "w"}) == {}
        await run.events.wait_for("watcher_reloaded")
        assert [event.name for event in run.events.seen if event.name.startswith("watcher_")] == [
            "watcher_added", "watcher_started", "watcher_stopped", "watcher_started", "watcher_stopped",
            "watcher_started", "watcher_reloaded",
        ]  # fmt: skip


@pytest.mark.parametrize("command", ["start", "restart", "reload"])
async def test_what_cannot_start_says_why_to_whoever_waits(supervise, command):
    async with supervise(watcher("w", "/no/such/program", autostart=False, max_retry=1)) as run:
        assert await run.call(command, name="w") == {}
        await run.events.wait_for("watcher_stopped")
        with pytest.raises(CircusError, match=r"w did not start: .*there is no file /no/such/program") as raised:
            await run.call(command, name="w", waiting=True)
        assert (raised.value.errno, raised.value.code) == (4, "spawn-failed")


@pytest.mark.covers("command:restart")
async def test_restart_one(supervise):
    async with supervise(watcher("w", numprocesses=2), watcher("off", autostart=False)) as run:
        before = run.pids("w")
        reply = await run.call("restart", name="W", waiting=True)
        assert reply == {"info": {"stopped": sorted(before), "started": run.pids("w"), "kept": []}}
        reply = await run.call("restart", name="off", waiting=True)
        assert reply == {"info": {"stopped": [], "started": run.pids("off"), "kept": []}}


# Several


@pytest.mark.parametrize(
    ("pattern", "match", "meant"),
    [
        ("Web*", None, {"web1", "Web2"}),
        ("wEb?", "glob", {"web1", "Web2"}),
        ("*[12]", "glob", {"web1", "Web2"}),
        ("web", "regex", {"web1", "Web2"}),
        ("EB", "regex", set()),
        (r".*\D$", "regex", {"api", "a.i"}),
        ("WEB2", "simple", {"Web2"}),
        ("web*", "simple", set()),
        ("a.i", "regex", {"a.i"}),
        ("*", "glob", {"web1", "Web2", "api", "a.i"}),
    ],
)
async def test_names_and_patterns(supervise, pattern, match, meant):
    """PROTOCOL.md 1.4, and a name that is spelled out is no pattern."""
    async with supervise(*web("web1", "Web2", "api", "a.i")) as run:
        asked = {"name": pattern, "match": match, "waiting": True}
        if meant:
            reply = await run.call("stop", **asked)
            assert reply == ({"info": None} if len(meant) == 1 else {})
        else:
            with pytest.raises(CircusError) as raised:
                await run.call("stop", **asked)
            assert (raised.value.message, raised.value.errno) == (f"program {pattern} not found", 3)
        assert {name for name, state in (await states(run)).items() if state == "stopped"} == meant


@pytest.mark.parametrize("command", ["start", "stop", "restart"])
async def test_a_pattern_that_cannot_be_read(supervise, command):
    async with supervise(watcher("w")) as run:
        for match, name, message in (
            ("regex", "(", "the regular expression '(' cannot be read"),
            ("fuzzy", "w", "unknown match method fuzzy"),
            ("glob", "", "program  not found"),
        ):
            with pytest.raises(CircusError) as raised:
                await run.call(command, name=name, match=match)
            assert raised.value.message.startswith(message)
            assert raised.value.errno == 3
        assert await states(run) == {"w": "active"}


async def test_a_group_starts_in_order_and_without_those_that_do_not_start_by_themselves(supervise):
    """O-06: a single match starts, whatever its autostart."""
    everyone = [watcher("a", priority=1), watcher("b", priority=2), watcher("off", autostart=False)]
    async with supervise(*everyone) as run:
        await run.call("stop", waiting=True)
        for pattern in ({}, {"name": "*"}):
            since = len(run.events.seen)
            assert await run.call("start", **pattern, waiting=True) == {}
            assert await states(run) == {"a": "active", "b": "active", "off": "stopped"}
            started = [event.watcher for event in run.events.seen[since:] if event.name == "watcher_started"]
            assert started == ["b", "a"]
            await run.call("stop", waiting=True)
        await run.call("start", name="o*", waiting=True)
        assert await states(run) == {"a": "stopped", "b": "stopped", "off": "active"}


async def test_a_group_restart_starts_all_that_it_stopped(supervise):
    """O-06."""
    async with supervise(watcher("w1", autostart=False), watcher("w2"), watcher("other")) as run:
        await run.call("start", name="w1", waiting=True)
        before = run.pids("w1") + run.pids("w2")
        other = run.pids("other")
        assert await run.call("restart", name="w*", waiting=True) == {}
        assert await states(run) == {"w1": "active", "w2": "active", "other": "active"}
        assert not any(map(alive, before))
        assert run.pids("other") == other


async def test_a_group_answers_its_failure_when_all_are_done(supervise):
    async with supervise(watcher("w1", "/no/such/program", autostart=False, max_retry=1), watcher("w2")) as run:
        (before,) = run.pids("w2")
        with pytest.raises(CircusError, match=r"^w1 did not start"):
            await run.call("restart", name="w*", waiting=True)
        assert run.pids("w2") not in ([], [before])


@pytest.mark.parametrize("everything", [{}, {"name": "*"}])
@pytest.mark.parametrize("command", ["start", "restart"])
async def test_a_group_answers_all_its_failures_in_one(supervise, command, everything):
    async with supervise(web("fine")[0], *(watcher(name, "/no/such/program", max_retry=1) for name in "ab")) as run:
        with pytest.raises(CircusError, match=r"^2 of 3 failed:\na did not start: .*\nb did not start: ") as raised:
            await run.call(command, **everything, waiting=True)
        assert raised.value.code == "failed"
        assert (await states(run))["fine"] == "active"


async def test_a_reload_of_everything_answers_what_failed(supervise, tmp_path):
    program = tmp_path / "program"
    program.symlink_to("/bin/sleep")
    async with supervise(watcher("a", f"{program} 1000"), watcher("b")) as run:
        (a,), (b,) = run.pids("a"), run.pids("b")
        program.unlink()
        with pytest.raises(CircusError, match="a was not reloaded: "):
            await run.call("reload", waiting=True)
        assert run.pids("a") == [a]
        assert run.pids("b") != [b]


async def test_a_stop_while_everything_stops_to_start_again_holds(supervise, tmp_path):
    async with supervise(watcher("slow", stubborn(tmp_path), graceful_timeout=0.3), *web("fast")) as run:
        settled(tmp_path, *run.pids("slow"))
        restarting = asyncio.ensure_future(run.call("restart", waiting=True))
        await run.events.wait_for("watcher_stopped", watcher="fast")
        await run.call("stop", name="fast", waiting=True)
        await restarting
        assert await states(run) == {"slow": "active", "fast": "stopped"}


# Everything


async def test_stop_and_start_of_everything(supervise):
    async with supervise(*web("a", "b"), watcher("off", autostart=False)) as run:
        await run.call("start", name="off", waiting=True)
        assert await run.call("stop", waiting=True) == {}
        assert set((await states(run)).values()) == {"stopped"}
        assert await run.call("start") == {}
        await run.events.wait_for("watcher_started", watcher="b", count=2)


async def test_restart_of_everything_starts_what_starts_by_itself(supervise):
    async with supervise(*web("a", "b"), watcher("off", autostart=False)) as run:
        before = run.pids("a") + run.pids("b")
        await run.call("stop", name="b", waiting=True)
        assert await run.call("restart", waiting=True) == {}
        assert await states(run) == {"a": "active", "b": "active", "off": "stopped"}
        assert not any(map(alive, before))


@pytest.mark.covers("command:reload")
@pytest.mark.parametrize("manner", [{}, {"sequential": True}, {"graceful": False}])
async def test_reload_of_everything_leaves_stopped_what_is(supervise, manner):
    """O-14."""
    async with supervise(*web("a", "b", numprocesses=2), watcher("off", autostart=False)) as run:
        await run.call("stop", name="b", waiting=True)
        before = run.pids("a")
        assert await run.call("reload", waiting=True, **manner) == {}
        assert await states(run) == {"a": "active", "b": "stopped", "off": "stopped"}
        assert len(run.pids("a")) == 2
        assert not set(before) & set(run.pids("a"))
        assert len(run.events.named("watcher_reloaded")) == (0 if manner.get("graceful") is False else 1)


@pytest.mark.parametrize("stop", [{}, {"name": "*"}, {"name": "b"}])
async def test_a_stop_holds_for_those_that_a_start_of_many_has_not_reached(supervise, stop):
    async with supervise(watcher("a", numprocesses=2, priority=1), watcher("b")) as run:
        await run.call("stop", waiting=True)
        run.supervisor.dispatch("start", {})
        await run.call("stop", **stop, waiting=True)
        await run.call("start", name="a", waiting=True)
        await run.call("set", name="a", options={"warmup_delay": 1000}, waiting=True)
        await run.call("stop", name="a", waiting=True)
        since = len(run.events.named("process_spawned", watcher="a"))
        starting = asyncio.ensure_future(run.call("start", waiting=True))
        await run.events.wait_for("process_spawned", watcher="a", count=since + 1)
        await run.call("stop", **stop, waiting=True)
        await run.call("stop", name="a", waiting=True)
        await starting
        assert await states(run) == {"a": "stopped", "b": "stopped"}


async def test_what_was_removed_before_a_start_of_many_reached_it_stays_removed(supervise):
    async with supervise(watcher("a", numprocesses=2, priority=1), watcher("b")) as run:
        await run.call("set", name="a", options={"warmup_delay": 1000}, waiting=True)
        await run.call("stop", waiting=True)
        starting = asyncio.ensure_future(run.call("start", waiting=True))
        await run.events.wait_for("process_spawned", watcher="a", count=3)
        await run.call("rm", name="b", waiting=True)
        await run.call("stop", name="a", waiting=True)
        await starting
        assert len(run.events.named("process_spawned", watcher="b")) == 1


# Numbers


@pytest.mark.covers("command:incr", "command:decr")
async def test_incr_and_decr(supervise):
    async with supervise(watcher("w")) as run:
        assert await run.call("incr", name="W", waiting=True) == {"numprocesses": 2}
        assert await run.call("incr", name="w", nb="2", waiting=True) == {"numprocesses": 4}
        assert len(run.pids("w")) == 4
        assert await run.call("decr", name="w", waiting=True) == {"numprocesses": 3}
        assert await run.call("decr", name="w", nb=7, waiting=True) == {"numprocesses": 0}
        assert run.pids("w") == []
        assert await run.call("decr", name="w") == {}
        await run.call("stop", name="w", waiting=True)
        assert await run.call("incr", name="w", nb=2, waiting=True) == {"numprocesses": 2}
        assert run.pids("w") == []
        await run.call("start", name="w", waiting=True)
        assert len(run.pids("w")) == 2


@pytest.mark.parametrize("command", ["incr", "decr"])
async def test_the_number_of_a_singleton_stays(supervise, command):
    async with supervise(watcher("w", singleton=True)) as run:
        before = run.pids("w")
        for waiting in (False, True):
            reply = await run.call(command, name="w", nb=3, waiting=waiting)
            assert reply == {"numprocesses": 1, "singleton": True}
        assert run.pids("w") == before


@pytest.mark.covers("command:restart", "command:reload")
@pytest.mark.parametrize("command", ["restart", "reload"])
async def test_who_means_only_what_runs_does_not_start_what_was_stopped(supervise, command):
    async with supervise(watcher("a"), watcher("b")) as run:
        before = run.pids("b")
        stopped = run.call("stop", name="a", waiting=True)
        # Also one that is only about to be stopped.
        replies = await asyncio.gather(stopped, run.call(command, name="a", running=True, waiting=True))
        assert replies[1]["info"] == {"stopped": [], "started": [], "kept": []}
        assert run.supervisor.watcher("a").state == "stopped"
        await run.call(command, name="b", running=True, waiting=True)
        assert run.pids("b") not in ([], before)
