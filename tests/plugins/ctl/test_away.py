"""Who follows output or events waits for a circusd that is away, is told so, and misses nothing of the next one."""

from __future__ import annotations

import asyncio
import select
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from circus_plugins.client import AsyncClient, Client
from tests.plugins.ctl.running import COMMAND, environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd

    Start = Callable[..., Circusd]

AWAY, BACK = "circusd is away; waiting until it is back", "circusd is back"


CONFIGURATION = """
[watcher:says]
cmd = sh -c 'echo $(circus.env.word); exec sleep 1000'
copy_env = True
stdout_stream.class = FileStream
stdout_stream.filename = log
[env:says]
WORD = one
"""


def restarted(run: Circusd) -> None:
    """Another circusd, whose process says another word."""
    run.configure(CONFIGURATION.replace("one", "two"))
    run.again()


@pytest.mark.parametrize(
    ("words", "first", "second"),
    [
        (["tail", "-f"], "says/1 | one", "says/1 | two"),
        (["events", "--since", "1h", "--follow"], "watcher_started", "watcher_started"),
        (["listen"], "watcher.says.spawn", "watcher.says.spawn"),
    ],
)
def test_a_follower_on_the_command_line(circusd: Start, words: list[str], first: str, second: str) -> None:
    run = circusd(CONFIGURATION).up()
    following = [*COMMAND, "--endpoint", run.endpoint, *words]
    with subprocess.Popen(
        following, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        try:
            while not select.select([process.stdout], [], [], 0)[0]:
                # `listen` has nothing to show until something happens.
                run.call("restart", name="says", waiting=True)
            assert any(first in line for line in lines)
            if words[0] == "events":
                # What comes first has happened before; it follows by the time that it shows something new.
                run.call("restart", name="says", waiting=True)
                (pid,) = run.call("list", name="says")["pids"]
                assert any(f"pid={pid}" in line for line in lines)
            run.signal(signal.SIGTERM)
            assert next(line.strip() for line in lines if "circusd is" in line) == AWAY
            restarted(run)
            assert next(line.strip() for line in lines if "circusd is" in line) == BACK
            run.call("restart", name="says", waiting=True)
            assert any(second in line for line in lines)
        finally:
            process.kill()


def test_a_follower_in_a_program(circusd: Start) -> None:
    run = circusd(CONFIGURATION).up()
    told: list[bool] = []
    said: list[Any] = []

    async def follow() -> None:
        async with asyncio.timeout(40), AsyncClient(run.endpoint) as client:
            async for line in client.output("says", follow=True, connection=told.append):
                said.append(line["line"])
                if said == ["one"]:
                    run.signal(signal.SIGTERM)
                    await asyncio.to_thread(restarted, run)
                elif said == ["one", "two"]:
                    await asyncio.to_thread(run.call, "restart", name="says")
                else:
                    break

    asyncio.run(follow())
    assert (said, told) == (["one", "two", "two"], [False, True])


MANY = 1001
"""More events than one answer has."""


def replaced(run: Circusd) -> None:
    """Another circusd, while nobody looks at what this one publishes."""
    run.signal(signal.SIGTERM)
    run.again()
    run.up()


def test_one_that_is_replaced_while_a_program_asks_what_came_before(circusd: Start) -> None:
    run = circusd(CONFIGURATION).up()
    with Client(run.endpoint) as client:
        for number in range(MANY):
            client.call("set", name="says", options={"priority": number})
        following = client.events(since=0)
        old = next(following)
        replaced(run)
        new = next(event for event in following if event["run"] != old["run"])
    assert (old["seq"], new["seq"]) == (1, 1)


def test_one_that_is_replaced_while_an_async_program_asks_what_came_before(circusd: Start) -> None:
    run = circusd(CONFIGURATION).up()

    async def follow() -> tuple[int, int]:
        async with AsyncClient(run.endpoint) as client:
            for number in range(MANY):
                await client.call("set", name="says", options={"priority": number})
            following = client.events(since=0)
            old = await anext(following)
            replaced(run)
            async for event in following:
                if event["run"] != old["run"]:
                    return old["seq"], event["seq"]
        raise AssertionError

    assert asyncio.run(follow()) == (1, 1)


def test_events_of_another_circusd_come_from_the_first_on(circusd: Start) -> None:
    run = circusd(CONFIGURATION).up()
    before = run.call("events")
    replaced(run)
    with Client(run.endpoint) as client:
        assert next(client.events(since=before["last"], run=before["run"]))["seq"] == 1
