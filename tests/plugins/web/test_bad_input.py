"""Clients that flood, that do not read, that send nonsense, and many of them; and circusd gone under it.

The console goes on serving the others, and circusd does not feel it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import aiohttp
import pytest

from circus_core.testing import PATIENCE, Circusd, until
from circus_plugins.web.outbox import LARGEST, MOST, Outbox
from tests.plugins.web.conftest import PROGRAM, Console, bearer, browser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

LOOKS = bearer("view")
SOCKET = "/socket.io/?EIO=4&transport=websocket"


@contextlib.asynccontextmanager
async def raw(console: Console) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket that speaks engine.io by hand; its handshake is over."""
    async with (
        aiohttp.ClientSession(headers={**PROGRAM, **LOOKS}) as session,
        session.ws_connect(console.address + SOCKET, max_msg_size=0) as ws,
    ):
        assert (await ws.receive_str(timeout=PATIENCE)).startswith("0{")
        await ws.send_str("40")
        assert (await ws.receive_str(timeout=PATIENCE)).startswith("40{")
        yield ws


async def ended(ws: aiohttp.ClientWebSocketResponse) -> None:
    """Wait until the server has hung up."""
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionError):
            while (await ws.receive()).type not in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE):
                pass


async def alive(console: Console) -> None:
    """Somebody else is served, and circusd is the one that it was."""
    async with browser(console, LOOKS) as page:
        assert (await page.call("status"))["statuses"]["web"] == "active"


@pytest.mark.parametrize(
    "junk",
    [
        "", "9", "x", "42", "42{}", "42[", "42[]", '42["call"', "42[1]", '42["call",{"a":' * 50, "4", "41", "43[]",
        "44", "45", "451-", '451-["call",{"_placeholder":true,"num":0}]', "49", "40{", "40/other,", '42["disconnect"]',
        '42["connect",{}]', "4" + "[" * 100_000, b"\xff\xfe", "5", "3", "2probe", "6", "1",
    ],
    ids=lambda junk: repr(junk[:16]),
)  # fmt: skip
async def test_nonsense_ends_one_connection_at_most(console: Console, junk: str | bytes) -> None:
    async with raw(console) as ws:
        await (ws.send_bytes(junk) if isinstance(junk, bytes) else ws.send_str(junk))
        with contextlib.suppress(ConnectionError):
            await ws.send_str('42["events",{"limit":1}]')
        await alive(console)
    assert "Traceback" not in console.daemon.output()


async def test_who_floods_is_sent_away(console: Console) -> None:
    async with raw(console) as ws:
        with contextlib.suppress(ConnectionError):
            for number in range(5000):
                await ws.send_str(f'42{number}["call",{{"id":1,"command":"status"}}]')
        await ended(ws)
    await alive(console)
    until(lambda: "is sent away: it floods" in console.daemon.output())


async def test_who_asks_too_much_is_told_so(console: Console) -> None:
    async with browser(console, bearer("operate")) as page:
        answers = await asyncio.gather(*(page.call("numwatchers") for _ in range(400)))
    refused = [answer for answer in answers if not answer["ok"]]
    assert {answer["reason"] for answer in refused} <= {"too many requests", "too many requests are under way"}
    assert refused
    assert len(refused) < 400


async def test_who_does_not_read_is_sent_away(served: Callable[..., Console]) -> None:
    # Each message is long, so that the buffers of the kernel are full soon.
    name = "x" * 20_000
    watchers = f"    [watcher:{name}]\n    cmd = sleep 1000\n    copy_env = True\n    numprocesses = 0\n"
    console = served(f"tokens.view = view {token()}", watchers=watchers)
    reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
    head = f"GET {SOCKET} HTTP/1.1\r\nHost: localhost:{console.port}\r\nAuthorization: {LOOKS['Authorization']}\r\n"
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    writer.write(f"{head}{upgrade}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\x81\x82\0\0\0\0" + b"40")
    await reader.readuntil(b'"snapshot"')
    memory = rss(console.pid)

    async def busy() -> None:
        while "it does not read" not in console.daemon.output():
            await asyncio.to_thread(console.daemon.call, "incr", name=name, waiting=True)
            await asyncio.to_thread(console.daemon.call, "decr", name=name, waiting=True)

    # The writer's own buffer is full at once: nothing of what comes is taken out of it.
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(50):
        await busy()
    assert rss(console.pid) - memory < 60_000_000
    writer.close()
    async with browser(console, LOOKS) as page:
        assert (await page.call("numwatchers"))["ok"] is True


def test_an_outbox_says_when_it_is_too_much() -> None:
    class Packet:
        def __init__(self, data: str) -> None:
            self.data = data

    async def fill(size: int) -> int:
        box = Outbox()
        told: list[int] = []
        box.overflowed = lambda: told.append(box.qsize())
        while not told:
            box.put_nowait(Packet("x" * size))
        before = box.size
        box.get_nowait()
        assert box.size == before - size
        return told[0]

    assert asyncio.run(fill(1)) == MOST
    assert asyncio.run(fill(LARGEST // 2)) == 2
    # One that is large by itself is let through, as the first picture is.
    assert asyncio.run(fill(LARGEST)) == 1


async def test_200_browsers(console: Console) -> None:
    async with contextlib.AsyncExitStack() as stack:
        pages = await asyncio.gather(*(stack.enter_async_context(raw(console)) for _ in range(200)))

        async def told(ws: aiohttp.ClientWebSocketResponse) -> None:
            async with asyncio.timeout(PATIENCE):
                while not (await ws.receive_str()).startswith('42["figures"'):
                    pass

        await asyncio.gather(*map(told, pages))
        await alive(console)
    await alive(console)


def test_heads_that_never_end(console: Console) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(50):
            each = stack.enter_context(socket.create_connection(("127.0.0.1", console.port)))
            each.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * number)
        with console.client() as client:
            assert client.get("/login").status_code == 200
        each.sendall(b"y" * 100_000)
        assert each.recv(100).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("junk", [b"\0" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\0", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http(console: Console, junk: bytes) -> None:
    with socket.create_connection(("127.0.0.1", console.port)) as client:
        client.sendall(junk)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100).startswith(b"HTTP/1.1 400") or junk
    with console.client() as other:
        assert other.get("/login").status_code == 200


async def test_long_and_odd_lines_of_output(served: Callable[..., Console], tmp_path: Path) -> None:
    script = tmp_path / "odd.py"
    script.write_text(
        "import sys, time\n"
        "sys.stdout.buffer.write(b'x' * 1_000_000 + b'\\n\\xff\\xfe\\x1b[31m\\0<script>\\n')\n"
        "sys.stdout.flush(); time.sleep(1000)\n"
    )
    watchers = (
        f"    [watcher:web]\n    cmd = {sys.executable} {script}\n    copy_env = True\n"
        "    stdout_stream.class = FileStream\n    stdout_stream.filename = out.log\n"
        "    recent_output = 4000000\n"
    )
    console = served(watchers=watchers.replace("    recent_output = 4000000\n", ""))
    with console.owner() as owner:
        async with browser(console, by=owner) as page:
            assert (await page.ask("follow", {"name": "web"}))["ok"] is True
            told = await page.wait_for("output", lambda told: any("<script>" in each["text"] for each in told["lines"]))
            odd = next(line for line in told["lines"] if "<script>" in line["text"])
            assert odd["text"] == "\udcff\udcfe\x1b[31m\0<script>"
            assert all(len(line["text"]) <= 16_384 for line in told["lines"])


@pytest.fixture
def by_hand(circusd: Callable[..., Circusd], tmp_path: Path) -> Iterator[tuple[Circusd, Console]]:
    """A circusd, and a console that does not end with it."""
    daemon = circusd("    [watcher:web]\n    cmd = sleep 1000\n    copy_env = True\n").up()
    log = tmp_path / "console.log"
    words = ["--endpoint", daemon.endpoint, "--port", "0", "--log-output", str(log)]
    process = subprocess.Popen([sys.executable, "-m", "circus_plugins.web.main", *words])

    class Elsewhere(Console):
        def _said(self, pattern: str) -> str:
            import re

            def found() -> str | None:
                text = log.read_text() if log.exists() else ""
                all_ = re.findall(pattern, text, re.MULTILINE)
                return all_[-1] if all_ else None

            return str(until(found, pattern))

    try:
        yield daemon, Elsewhere(daemon)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def again(daemon: Circusd) -> None:
    """Another circusd in place of one that has ended."""
    with daemon.log.open("ab") as log:
        daemon.process = subprocess.Popen(
            [sys.executable, "-m", "circus_core.main", str(daemon.path)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(os.environ), cwd=daemon.folder,
        )  # fmt: skip


async def test_circusd_restarted_under_it(by_hand: tuple[Circusd, Console]) -> None:
    daemon, console = by_hand
    with console.owner() as owner:
        async with browser(console, by=owner) as page:
            snapshot = await page.wait_for("snapshot")
            page.forget()
            daemon.signal(15)
            await asyncio.to_thread(daemon.wait)
            told = await page.wait_for("problem", lambda told: told["words"] != "")
            assert told["since"] > 0
            # Who comes meanwhile is told what was known, and what is the matter.
            async with browser(console, by=owner) as other:
                assert (await other.wait_for("snapshot"))["problem"] != ""
            refused = await page.call("status")
            assert (refused["ok"], refused["code"]) == (False, "no-answer")
            again(daemon)
            await page.wait_for("problem", lambda told: told["words"] == "")
            rows = await page.wait_for("rows", lambda told: any(row["name"] == "web" for row in told["rows"]))
            numbers = {row["name"]: row["id"] for row in snapshot["watchers"]}
            web = next(row for row in rows["rows"] if row["name"] == "web")
            assert web["id"] == numbers["web"]
            assert (await page.wait_for("hello"))["user"] == "owner"
            assert (await page.call("status"))["ok"] is True


def token() -> str:
    from tests.plugins.web.conftest import HASHES

    return HASHES["view"]


def rss(pid: int) -> int:
    """Bytes of memory."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
