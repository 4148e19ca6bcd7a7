"""The supervisor as a whole: how it starts, how it stops, and with what status it ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal

import pytest

from circus_core.assembly import assemble
from circus_core.errors import ConflictError, PluginError, UnknownWatcherError
from circus_core.model import Config, SupervisorOptions
from circus_core.supervisor import Supervisor
from circus_core.testing import Events, Supervised, alive, watcher
from tests.core.proc import descriptors, settled, stubborn
from tests.core.script import script


def config(*watchers, **options):
    return Config(SupervisorOptions(**options), watchers={each.name.lower(): each for each in watchers})


@contextlib.asynccontextmanager
async def supervised(*watchers, **options):
    """As `supervise`, with options of [circus]."""
    events = Events()
    async with Supervisor(config(*watchers, **options), plugins={"events": events}) as supervisor:
        yield Supervised(supervisor, events)


# Starting


@pytest.mark.covers("option:priority", "event:supervisor_started", "option:autostart")
async def test_watchers_start_by_priority_and_then_it_is_said(supervise):
    watchers = [watcher("b"), watcher("a"), watcher("last", priority=-1), watcher("First", priority=2)]
    async with supervise(*watchers, watcher("idle", autostart=False, priority=3)) as run:
        started = run.events.named("watcher_started")
        assert [event.watcher for event in started] == ["First", "a", "b", "last"]
        assert run.events.named("watcher_added")[0].watcher == "idle"
        assert run.events.seen[-1].name == "supervisor_started"
        assert run.events.seen[-1].pid == os.getpid()
        assert [event.seq for event in run.events.seen] == list(range(1, len(run.events.seen) + 1))


@pytest.mark.covers("circus-option:warmup_delay")
async def test_the_warmup_delay_of_circus_is_between_watchers(supervise):
    async with supervised(watcher("a"), watcher("b"), watcher("c"), warmup_delay=0.05) as run:
        times = [event.at for event in run.events.named("watcher_started")]
        assert all(later - earlier > 0.045 for earlier, later in itertools.pairwise(times))


async def test_a_watcher_that_cannot_start_keeps_no_other_from_starting(supervise):
    watchers = [watcher("bad", "/no/such/program", priority=1, max_retry=0), watcher("good")]
    async with supervise(*watchers) as run:
        assert await run.call("status") == {"statuses": {"bad": "stopped", "good": "active"}}
        assert run.events.named("supervisor_started")


async def test_it_works_with_no_plugin_at_all(supervise, tmp_path):
    async with Supervisor(config(watcher("w", numprocesses=2))) as supervisor:
        assert supervisor.bus.loaded == {}
        assert (await supervisor.client.call("numprocesses", name="w"))["numprocesses"] == 2
    path = tmp_path / "app.ini"
    path.write_text("[watcher:w]\ncmd = sleep 1000\n[plugin:p]\nuse = no.such:Plugin\nhost = core\n")
    async with Supervisor(assemble(str(path), plugins=None)) as supervisor:
        assert supervisor.bus.loaded == {}
        assert (await supervisor.client.call("list"))["watchers"] == ["w"]


class Opens:
    """A plugin that opens a descriptor, and may fail then."""

    def __init__(self, error=None):
        self.error = error
        self.reading = None

    async def circus_startup(self):
        self.reading, self.writing = os.pipe()
        await asyncio.sleep(0)
        if self.error:
            raise self.error

    def circus_shutdown(self):
        os.close(self.reading)
        os.close(self.writing)
        self.reading = None


@pytest.mark.covers("error:plugin")
async def test_a_plugin_that_fails_to_start_closes_what_was_opened(supervise, caplog):
    async with supervise() as run:  # Once, so that what is imported and opened for good is.
        await run.call("list")
    before = descriptors()
    events, first = Events(), Opens()
    plugins = {"events": events, "first": first, "bad": Opens(ValueError("no disk")), "last": Opens()}
    with pytest.raises(PluginError, match="plugin bad: circus_startup failed: ValueError: no disk"):
        await Supervisor(config(watcher("w")), plugins=plugins).start()
    assert first.reading is None
    # `last` opened nothing: its turn never came, so it has nothing to close either.
    assert "circus_shutdown failed" not in caplog.text
    assert events.names() == ["watcher_added", "plugin_started", "plugin_started"]
    assert descriptors() == before


async def test_a_start_that_is_called_off_leaves_nothing_running(supervise):
    events = Events()
    supervisor = Supervisor(config(watcher("w", numprocesses=2, warmup_delay=1000)), plugins={"events": events})
    entering = asyncio.ensure_future(supervisor.__aenter__())
    spawned = await events.wait_for("process_spawned")
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert not alive(spawned.pid)
    assert supervisor.finished.result() == 0


async def test_a_plugin_that_comes_up_after_the_stop_is_shut_down(supervise):
    gate, log = asyncio.Event(), []

    class Slow:
        async def circus_startup(self):
            await gate.wait()
            log.append("up")

        def circus_shutdown(self):
            log.append("down")

    class Next:
        def circus_startup(self):
            log.append("next")

    supervisor = Supervisor(config(watcher("w")), plugins={"slow": Slow(), "next": Next()})
    starting = asyncio.ensure_future(supervisor.start())
    await asyncio.sleep(0)
    await supervisor.stop()
    gate.set()
    await starting
    assert log == ["down", "up", "down"]
    assert not supervisor.watcher("w").running


def test_a_daemon_that_is_stopped_while_a_plugin_starts_ends_once():
    answer = script("""
        class Never:
            async def circus_startup(self):
                await asyncio.Event().wait()
        supervisor = Supervisor(Config(), daemon=True, plugins={"never": Never()})
        before = signal.getsignal(signal.SIGCHLD)
        starting = asyncio.ensure_future(supervisor.start())
        await asyncio.sleep(0)
        await supervisor.stop()
        taken = os.dup(0)
        starting.cancel()
        (result,) = await asyncio.gather(starting, return_exceptions=True)
        os.fstat(taken)
        return type(result).__name__, signal.getsignal(signal.SIGCHLD) == before
    """)
    assert answer == ["CancelledError", True]


# Stopping


@pytest.mark.covers("event:supervisor_stopping")
async def test_stopping_is_said_first_and_all_stop_at_the_same_time(supervise, tmp_path):
    events = Events()
    watchers = [watcher(name, stubborn(tmp_path), graceful_timeout=0.3) for name in "abcdef"]
    supervisor = Supervisor(config(*watchers), plugins={"events": events})
    await supervisor.start()
    settled(tmp_path, *(event.pid for event in events.named("process_spawned")))
    since = len(events.seen)
    await supervisor.stop("it is late", status=3)
    assert events.seen[since].name == "supervisor_stopping"
    assert events.seen[since].reason == "it is late"
    assert len(events.named("watcher_stopped")) == 6
    assert events.seen[-1].at - events.seen[since].at < 6 * 0.3
    assert supervisor.finished.result() == 3
    assert supervisor.emptied.done()


async def test_a_stop_while_it_starts_ends_the_start(supervise):
    events = Events()
    watchers = [watcher("a", numprocesses=9, warmup_delay=1000), watcher("b")]
    supervisor = Supervisor(config(*watchers, warmup_delay=1000), plugins={"events": events})
    starting = asyncio.ensure_future(supervisor.start())
    spawned = await events.wait_for("process_spawned")
    await supervisor.stop()
    await starting
    assert not alive(spawned.pid)
    assert len(events.named("process_spawned")) == 1
    assert events.named("supervisor_started") == []


async def test_two_stops_are_one(supervise):
    events = Events()
    supervisor = Supervisor(config(watcher("w")), plugins={"events": events})
    await supervisor.start()
    await asyncio.gather(supervisor.stop("first", 4), supervisor.stop("second", 5))
    await supervisor.stop("third")
    assert supervisor.finished.result() == 4
    assert [event.reason for event in events.named("supervisor_stopping")] == ["first"]


async def test_who_waits_for_the_stop_may_lose_patience_and_it_goes_on(supervise, tmp_path):
    events = Events()
    supervisor = Supervisor(config(watcher("w", stubborn(tmp_path), graceful_timeout=1000)), plugins={"events": events})
    await supervisor.start()
    settled(tmp_path, events.named("process_spawned")[0].pid)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(supervisor.stop(), 0.01)
    assert not supervisor.emptied.done()
    supervisor.kill()
    assert await supervisor.finished == 0


@pytest.mark.covers("error:conflict")
async def test_nothing_is_started_or_added_while_it_stops(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path)), watcher("idle", autostart=False)) as run:
        settled(tmp_path, *run.pids("w"))
        run.supervisor.begin_stop("now")
        await run.events.wait_for("process_signaled")
        with pytest.raises(ConflictError, match="circusd is stopping"):
            await run.call("add", name="new", cmd="sleep 1000", start=True)
        with pytest.raises(ConflictError, match="circusd is stopping"):
            await run.call("start", name="idle", waiting=True)
        run.supervisor.kill()


async def test_an_unknown_watcher_is_an_error_that_guesses(supervise):
    async with supervise(watcher("frontend")) as run:
        assert run.supervisor.watcher("FrontEnd").name == "frontend"
        with pytest.raises(UnknownWatcherError) as caught:
            run.supervisor.watcher("frontent")
        assert "frontend" in caught.value.hint


async def test_what_runs_beside_is_logged_if_it_fails(supervise, caplog):
    async def fails():
        raise RuntimeError("beside")

    async with supervise() as run:
        with caplog.at_level(logging.WARNING, logger="circus"):
            await asyncio.wait([run.supervisor.background(fails())])
            run.client.cast("stop", name="nobody")
            await asyncio.wait(run.supervisor._tasks)
        assert [record.message for record in caplog.records] == ["a task of circusd failed", "program nobody not found"]


# Failing for good

DIES_YOUNG = {"max_retry": 0, "min_uptime": 1000, "restart_burst": 0, "exit_on_failure": True}


@pytest.mark.covers("option:exit_on_failure")
@pytest.mark.parametrize(
    ("cmd", "options", "status"),
    [
        ("sh -c 'exit 3'", {}, 3),
        ("sh -c 'kill -KILL $$'", {}, 128 + signal.SIGKILL),
        ("/no/such/program", {}, 1),
        ("sh -c 'exit 4'", {"respawn": False}, 4),
    ],
)
async def test_exit_on_failure_ends_everything_with_the_status_of_the_process(supervise, cmd, options, status):
    async with supervise(watcher("vital", cmd, **{**DIES_YOUNG, **options}), watcher("other")) as run:
        assert await run.supervisor.finished == status
        assert [event.reason for event in run.events.named("supervisor_stopping")] == ["vital failed for good"]
        assert not any(alive(event.pid) for event in run.events.named("process_spawned"))


async def test_a_failure_of_others_and_an_end_without_failure_end_nothing(supervise):
    watchers = [
        watcher("done", "true", **{**DIES_YOUNG, "respawn": False}),
        watcher("fails", "false", **{**DIES_YOUNG, "exit_on_failure": False}),
        watcher("asked", **DIES_YOUNG),
    ]
    async with supervise(*watchers) as run:
        await run.call("stop", name="asked", waiting=True)
        await run.events.wait_for("watcher_stopped", count=3)
        assert not run.supervisor.stopping


# Many


async def test_a_thousand_processes_start_and_stop_and_leave_no_descriptor(supervise):
    async with supervise(watcher("w")):
        pass
    before = descriptors()
    async with supervise(*(watcher(f"w{number}", numprocesses=10) for number in range(100))) as run:
        pids = [event.pid for event in run.events.named("process_spawned")]
        assert len(pids) == 1000
    assert descriptors() == before
    assert not any(map(alive, pids))
    assert len(run.events.named("watcher_stopped")) == 100
