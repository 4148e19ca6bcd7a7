"""A picture of a real circusd stays true: over changes, and over the end of circusd and another one."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from circus_plugins.client import Client
from circus_plugins.picture import Live, Picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from circus_core.testing import Circusd

CONFIGURATION = """
[socket:web]
host = 127.0.0.1
port = 0
[watcher:web]
cmd = sleep 1000
numprocesses = 2
[watcher:off]
cmd = sleep 1000
autostart = False
"""


class Seen:
    """A picture, and a way to wait until it shows something."""

    def __init__(self) -> None:
        self.picture = Picture()
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    def changed(self) -> None:
        self._changed.set()

    async def until(self, condition: Callable[[Picture], object]) -> None:
        async with asyncio.timeout(20):
            while not condition(self.picture):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def looking(endpoint: str, **given: Any) -> AsyncIterator[Seen]:
    seen = Seen()
    live = Live(seen.picture, seen.changed, endpoint=endpoint, told=seen.events.append, **given)
    running = asyncio.create_task(live.run())
    try:
        yield seen
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def call(run: Circusd, command: str, **properties: Any) -> dict[str, Any]:
    with Client(run.endpoint, timeout=20) as client:
        return client.call(command, **properties)


async def test_everything_that_changes_is_seen(circusd: Callable[..., Circusd]) -> None:
    run = circusd(CONFIGURATION).up()
    async with looking(run.endpoint, interval=0.1) as seen:
        await seen.until(lambda now: len(now.watchers) == 2 and now.problem == "")
        picture = seen.picture
        web = picture.watchers["web"]
        assert (picture.pid, web.state, web.up, web.wanted, web.mood) == (run.pid, "active", 2, 2, "good")
        assert picture.watchers["off"].mood == "off"
        assert [each.name for each in picture.sockets.values()] == ["web"]
        # No streamer runs here, so circusd is asked.
        await seen.until(lambda _: web.figures.memory and len(web.figures.cpus) > 2)
        assert all(process.figures.memory for process in web.processes.values())
        call(run, "incr", name="web")
        await seen.until(lambda _: web.up == 3)
        (pid, *_) = web.processes
        os.kill(pid, signal.SIGKILL)
        await seen.until(lambda _: pid not in web.processes and web.up == 3)
        assert web.restarts == 1
        call(run, "stop", name="web")
        await seen.until(lambda _: web.state == "stopped" and not web.processes)
        call(run, "add", name="New", cmd="sleep 1000", start=True)
        await seen.until(lambda now: "new" in now.watchers and now.watchers["new"].state == "active")
        call(run, "rm", name="new")
        await seen.until(lambda now: "new" not in now.watchers)
        assert "watcher_removed" in [event["event"] for event in seen.events if event.get("watcher") == "New"]


async def test_it_begins_with_what_was_before_where_that_is_kept(circusd: Callable[..., Circusd]) -> None:
    with tempfile.TemporaryDirectory(prefix="circus-") as folder:
        streamer = f"[plugin:stats]\nhistory = True\ninterval = 0.1\nstats_endpoint = ipc://{folder}/stats.sock\n"
        run = circusd(streamer + CONFIGURATION).up()
        until(lambda: len(told(run)) >= 20)
        began = time.time()
        async with looking(run.endpoint) as seen:
            await seen.until(
                lambda now: "web" in now.watchers and min(now.watchers["web"].figures.times or [began]) < began
            )
            picture = seen.picture
            web = picture.watchers["web"]
            assert len(web.processes) == 2
            for figures in (web.figures, picture.circusd, *(each.figures for each in web.processes.values())):
                assert sum(at < began for at in figures.times) >= 19
                assert list(figures.times) == sorted(figures.times)
                assert len(figures.cpus) == len(figures.memories) == len(figures.times)
            assert web.figures.memories[0] > 100_000
            assert picture.circusd.memories[-1] > 20_000_000
            latest = web.figures.times[-1]
            await seen.until(lambda _: web.figures.times[-1] > latest)


def told(run: Circusd) -> list[float]:
    """The CPU figures that the history has of web."""
    try:
        past = call(run, "history", name="web", last=30, step=0)["watchers"]
    except CircusError:
        return []
    return [value for value in past["web"]["cpu"] if value is not None]


async def test_what_is_wrong_is_said_in_words(circusd: Callable[..., Circusd]) -> None:
    run = circusd("[watcher:sick]\ncmd = sh -c 'exit 3'\nmax_retry = 0\nrestart_burst = 0\n")
    async with looking(run.endpoint) as seen:
        await seen.until(lambda now: "sick" in now.watchers and now.watchers["sick"].mood == "bad")
        assert "gave up: it died within 1 s of its start" in seen.picture.watchers["sick"].trouble


async def test_a_circusd_that_ends_and_another_one(circusd: Callable[..., Circusd]) -> None:
    run = circusd(CONFIGURATION).up()
    async with looking(run.endpoint) as seen:
        await seen.until(lambda now: not now.problem)
        run.signal(signal.SIGKILL)
        await seen.until(lambda now: now.problem)
        for pid in seen.picture.watchers["web"].processes:
            os.kill(pid, signal.SIGKILL)
        run.again()
        await seen.until(lambda now: not now.problem and now.pid == run.pid and now.watchers["web"].up == 2)


async def test_nobody_there(tmp_path: Any) -> None:
    async with looking(f"ipc://{tmp_path}/none") as seen:
        await seen.until(lambda now: "no answer" in now.problem)


async def test_an_endpoint_that_is_none() -> None:
    with pytest.raises(CircusError, match="is not an endpoint"):
        await Live(Picture(), lambda: None, endpoint="nonsense").run()
