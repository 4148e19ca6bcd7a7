"""The screen of circus-top, driven by keys as somebody would, over a real circusd."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import until
from circus_plugins.client import Client
from circus_plugins.picture import Live, Picture
from circus_plugins.top.rows import Order
from circus_plugins.top.screen.app import Top
from circus_plugins.top.screen.output import Output
from circus_plugins.top.screen.questions import Ask, Confirm
from circus_plugins.top.screen.table import Table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot

    from circus_core.testing import Circusd

CONFIGURATION = """
[socket:api]
host = 127.0.0.1
port = 0
[watcher:web]
cmd = sh -c 'trap "echo got usr1" USR1; echo "[b]hello[/b] from $0"; while :; do sleep 0.05; done' $(circus.wid)
numprocesses = 2
stdout_stream.class = FileStream
stdout_stream.filename = log
graceful_timeout = 0.2
[watcher:zzz]
cmd = sleep 1000
[watcher:off]
cmd = sleep 1000
autostart = False
"""


class Screen:
    """The program on a screen that a test sees."""

    def __init__(self, app: Top, pilot: Pilot[Any]) -> None:
        self.app = app
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await self._pilot.pause(0.02)

    async def shows(self, text: str) -> None:
        """Wait until a text can be read somewhere."""
        await self.until(lambda: text in self.text())

    def text(self) -> str:
        """What can be read, line by line."""
        width = self.app.size.width
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.crop(0, width).text.rstrip() for strip in lines)


@asynccontextmanager
async def screen(run: Circusd, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Screen]:
    picture = Picture()
    app = Top(picture, lambda changed: Live(picture, changed, endpoint=run.endpoint, interval=0.2), Order())
    async with app.run_test(size=size, notifications=True) as pilot:
        it = Screen(app, pilot)
        await it.shows("zzz")
        yield it


def call(run: Circusd, command: str, **properties: Any) -> dict[str, Any]:
    with Client(run.endpoint, timeout=20) as client:
        return client.call(command, **properties)


def state(run: Circusd, name: str) -> str:
    found: str = call(run, "status", name=name)["status"]
    return found


def pids(run: Circusd) -> list[int]:
    found: list[int] = call(run, "list", name="web")["pids"]
    return found


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_what_is_seen_at_first(circusd: Callable[..., Circusd], size: tuple[int, int]) -> None:
    run = circusd(CONFIGURATION).up()
    async with screen(run, size) as it:
        who = f"circusd 0.1.0, pid {run.pid}: " if size[0] > 80 else ""
        await it.shows(f"{who}3 watchers, 3 processes, cpu ")
        text = it.text()
        lines = text.splitlines()
        assert len(lines) == size[1]
        assert max(map(len, lines)) <= size[0]
        assert [line.split()[1:4] for line in lines[2:5]] == [
            ["off", "stopped", "0/1"], ["web", "active", "2/2"], ["zzz", "active", "1/1"],
        ]  # fmt: skip
        assert "SOCKETS" in text
        port = call(run, "listsockets")["sockets"][0]["port"]
        assert re.search(rf"^  api  (127\.0\.0\.|…)\S*:{port}\b", text, re.MULTILINE)
        assert "q quit" in lines[-1]


async def test_rows_are_opened_sorted_and_filtered(circusd: Callable[..., Circusd]) -> None:
    run = circusd(CONFIGURATION).up()
    async with screen(run) as it:
        table = it.app.query_one(Table)
        pids = call(run, "list", name="web")["pids"]
        await it.press("down", "enter")
        await it.until(lambda: len(table.rows) == 7)
        assert all(str(pid) in it.text() for pid in pids)
        await it.press("e")
        await it.until(lambda: len(table.rows) == 8)
        await it.press("e", "r")
        await it.until(lambda: table.rows[0].key == ("zzz", 0))
        # Whoever is chosen stays chosen, wherever it moves.
        assert table.chosen is not None
        assert table.chosen.key == ("web", 0)
        await it.press("r", "greater_than_sign")
        assert it.app.sorting.sort == "state"
        await it.press("slash", *"ZZ")
        await it.until(lambda: [row.key[0] for row in table.rows] == ["zzz"])
        await it.press("enter", "escape")
        await it.until(lambda: len(table.rows) > 3)
        await it.press("question_mark")
        await it.until(lambda: len(it.app.screen.query("HelpPanel")) == 1)
        await it.press("question_mark")
        await it.until(lambda: len(it.app.screen.query("HelpPanel")) == 0)


async def test_orders_are_given_once_they_are_confirmed(circusd: Callable[..., Circusd]) -> None:
    run = circusd(CONFIGURATION).up()
    async with screen(run) as it:
        table = it.app.query_one(Table)
        await it.press("end", "home", "x")
        await it.until(lambda: isinstance(it.app.screen, Confirm))
        await it.shows("Stop off?")
        await it.press("n", "s", "y")
        await it.until(lambda: state(run, "off") == "active")
        await it.press("x", "enter")
        await it.until(lambda: state(run, "off") == "stopped")
        await it.press("down", "plus", "y")
        await it.until(lambda: call(run, "numprocesses", name="web")["numprocesses"] == 3)
        await it.press("minus", "y")
        await it.until(lambda: len(call(run, "list", name="web")["pids"]) == 2)
        for key in ("R", "l"):
            before = set(pids(run))
            await it.press(key, "y")
            await it.until(lambda before=before: len(pids(run)) == 2 and not before & set(pids(run)))
        await it.press("enter")
        await it.until(lambda: len(table.rows) == 7)
        await it.press("down", "K")
        assert table.chosen is not None
        pid = table.chosen.key[1]
        await it.shows(f"End pid {pid} of web?")
        await it.press("y")
        await it.until(lambda: pid not in call(run, "list", name="web")["pids"])


async def test_a_signal_is_asked_for(circusd: Callable[..., Circusd]) -> None:
    run = circusd(CONFIGURATION).up()
    async with screen(run) as it:
        await it.press("down", "S")
        await it.until(lambda: isinstance(it.app.screen, Ask))
        await it.press(*"BOGUS", "enter")
        await it.shows("BOGUS is no signal")
        await it.press(*["backspace"] * 5, *"USR1", "enter")
        await it.until(lambda: not isinstance(it.app.screen, Ask))
        await asyncio.to_thread(until, lambda: "got usr1" in (run.folder / "log").read_text())
        await it.press("S", "escape")
        await it.until(lambda: not isinstance(it.app.screen, Ask))


async def test_output_is_followed(circusd: Callable[..., Circusd]) -> None:
    run = circusd(CONFIGURATION).up()
    async with screen(run) as it:
        await it.press("down", "o")
        # It is shown as it is, and not taken for markup.
        await it.shows("[b]hello[/b] from 1")
        await it.shows("[b]hello[/b] from 2")
        os.kill(call(run, "list", name="web")["pids"][0], 10)
        await it.shows("got usr1")
        await it.press("down")
        await it.shows("the output of zzz is not read")
        await it.press("o")
        assert not it.app.query_one(Output).has_class("open")


async def test_what_circusd_refuses_is_said(circusd: Callable[..., Circusd]) -> None:
    run = circusd("[watcher:one]\ncmd = sleep 1000\nsingleton = True\n[watcher:zzz]\ncmd = sleep 1\n").up()
    async with screen(run) as it:
        call(run, "rm", name="zzz", waiting=True)
        await it.press("home", "x", "y")
        await it.until(lambda: state(run, "one") == "stopped")
        it.app.picture.watcher("ghost")
        await it.until(lambda: len(it.app.query_one(Table).rows) == 2)
        it.app.query_one(Table).action_move(-9)
        await it.press("s", "y")
        await it.shows("ghost not found")


async def test_a_circusd_that_is_gone_is_said_and_another_one_is_shown(circusd: Callable[..., Circusd]) -> None:
    run = circusd(CONFIGURATION).up()
    async with screen(run) as it:
        call(run, "quit", waiting=True)
        await it.shows("circusd has hung up")
