"""A circusd with a web console, and whoever comes to it: programs by HTTP, browsers by socket.io."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import socketio

from circus_core.testing import PATIENCE, Circusd, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

PROGRAM = {"X-Requested-With": "circus"}
TOKENS = {"view": "circus_looks", "operate": "circus_operates", "admin": "circus_rules"}
HASHES = {role: f"sha256:{hashlib.sha256(token.encode()).hexdigest()}" for role, token in TOKENS.items()}
WATCHERS = """
    [watcher:web]
    cmd = sleep 1000
    numprocesses = 2
    copy_env = True
    graceful_timeout = 5

    [watcher:later]
    cmd = sleep 1000
    autostart = False
    copy_env = True
    graceful_timeout = 5
"""


def section(*lines: str, watchers: str = WATCHERS, circus: str = "") -> str:
    """A configuration with a console at any port; each of `lines` is one of its section."""
    own = "\n".join(f"    {line}" for line in ("use = web", "port = 0", "interval = 0.1", *lines))
    return f"    [circus]\n    {circus}\n    [plugin:circushttpd]\n{own}\n{watchers}"


class Console:
    """The console of a circusd: where it is, and how one gets in."""

    def __init__(self, daemon: Circusd) -> None:
        self.daemon = daemon
        self.address = self._said(r"web console at (\S+)/$")

    def _said(self, pattern: str) -> str:
        """The last time that something was said in the log."""

        def found() -> str | None:
            all_ = re.findall(pattern, self.daemon.output(), re.MULTILINE)
            return all_[-1] if all_ else None

        return str(until(found, f"{pattern} in\n{self.daemon.output()}"))

    @property
    def port(self) -> int:
        return httpx.URL(self.address).port or 80

    @property
    def link(self) -> str:
        """The link in the log, of the console that was started last."""
        return self._said(r"to log in, open (\S+) ")

    @property
    def pid(self) -> int:
        pid: int = self.daemon.call("list", name="circushttpd")["pids"][0]
        return pid

    def next(self) -> Console:
        """The console that takes its place, at another port."""
        until(lambda: Console(self.daemon).address != self.address)
        return Console(self.daemon)

    def client(self, **headers: str) -> httpx.Client:
        """Somebody who is not logged in."""
        return httpx.Client(base_url=self.address, headers={**PROGRAM, **headers}, timeout=PATIENCE)

    @contextlib.contextmanager
    def owner(self) -> Iterator[httpx.Client]:
        """Somebody who came by the link."""
        with self.client() as client:
            answer = client.post("/login", json={"link": self.link.partition("link=")[2]})
            assert answer.status_code == 200, answer.text
            yield client

    def audit(self, words: str) -> str:
        """The audit line that has these words, once it is there."""
        return self._said(rf"circus\.audit\[\d+\] (.*{words}.*)$")


class Browser:
    """What a page would be: a client of socket.io that keeps what it is told."""

    def __init__(self, client: socketio.AsyncClient) -> None:
        self.client = client
        self.told: list[tuple[str, Any]] = []
        self._news = asyncio.Event()
        client.on("*", self._take)

    async def _take(self, name: str, *told: Any) -> None:
        self.told.append((name, told[0] if told else None))
        self._news.set()

    async def wait_for(self, name: str, condition: Callable[[Any], object] = lambda _told: True) -> Any:
        """The first message of this name, of those from now on and before, of which something is so."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for said, told in self.told:
                    if said == name and condition(told):
                        return told
                self._news.clear()
                await self._news.wait()

    def forget(self) -> None:
        """What came before does not count any more."""
        self.told.clear()

    async def ask(self, name: str, told: Any = None) -> Any:
        """What the server answers."""
        return await self.client.call(name, told, timeout=PATIENCE)

    async def call(self, command: str, **properties: Any) -> Any:
        """What comes of a command."""
        return await self.ask("call", {"id": 1, "command": command, "properties": properties})


@contextlib.asynccontextmanager
async def browser(
    console: Console,
    headers: Mapping[str, str] | None = None,
    *,
    by: httpx.Client | None = None,
    transport: str = "websocket",
) -> AsyncIterator[Browser]:
    """A browser that is connected: with a token among its headers, or by the cookies of somebody who is logged in."""
    cookie = "; ".join(f"{name}={value}" for name, value in by.cookies.items()) if by is not None else ""
    sent = {**PROGRAM, **({"Cookie": cookie} if cookie else {}), **(headers or {})}
    async with aiohttp.ClientSession(headers=sent) as session:
        client = socketio.AsyncClient(http_session=session, reconnection=False)
        made = Browser(client)
        await client.connect(console.address, headers=sent, transports=[transport], wait_timeout=PATIENCE)
        try:
            yield made
        finally:
            await client.disconnect()


@pytest.fixture
def served(circusd: Callable[..., Circusd]) -> Callable[..., Console]:
    """`served(*lines)` starts a circusd with a console whose section has these lines."""
    return lambda *lines, **given: Console(circusd(section(*lines, **given)).up())


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console that the tests of a module share."""
    folder: Path = tmp_path_factory.mktemp("shared")
    runtime = folder / "run"
    runtime.mkdir()
    lines = [f"tokens.{role} = {role} {digest}" for role, digest in HASHES.items()]
    daemon = Circusd(folder, section(*lines), env={"XDG_RUNTIME_DIR": str(runtime)})
    try:
        yield Console(daemon.up())
    finally:
        daemon.close()


@pytest.fixture
def tcp_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def bearer(role: str) -> dict[str, str]:
    """The header of a program with this role."""
    return {"Authorization": f"Bearer {TOKENS[role]}"}
