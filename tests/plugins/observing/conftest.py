"""Fixtures: a supervisor in the test whose configuration names bundled plugins, run inside it and in processes."""

from __future__ import annotations

import contextlib
import re
import socket
import textwrap
from typing import TYPE_CHECKING

import pytest

from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.supervisor import Supervisor
from circus_core.testing import Events, Supervised

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

Run = "Callable[..., AbstractAsyncContextManager[Supervised]]"


@pytest.fixture(params=["core", "process"])
def place(request: pytest.FixtureRequest) -> str:
    """Where the plugins of the test run: both, one after the other."""
    return str(request.param)


@pytest.fixture
def observe(
    supervise: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AbstractAsyncContextManager[Supervised]]:
    """`async with observe(configuration, place) as run:`; watchers have the environment and stop soon."""
    monkeypatch.chdir(tmp_path)

    @contextlib.asynccontextmanager
    async def run(configuration: str, place: str = "core") -> AsyncIterator[Supervised]:
        text = textwrap.dedent(configuration)
        text = re.sub(r"(?m)^(\[watcher:.*)$", r"\1\ncopy_env = True\ngraceful_timeout = 5", text)
        text = re.sub(r"(?m)^use = .*$", lambda use: f"{use[0]}\n{'host = core' if place == 'core' else ''}", text)
        path = tmp_path / "circus.ini"
        path.write_text(text)
        events = Events()
        supervisor = Supervisor(str(path), plugins={"events": events, **DEFAULT_PLUGINS})
        async with supervisor:
            try:
                yield Supervised(supervisor, events)
            except BaseException:
                supervisor.kill()
                raise

    return run


@pytest.fixture
def free_port() -> int:
    """A UDP port that nobody has; the kernel does not hand it out again soon."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Statsd:
    """A statsd server that keeps what it is told."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        self.seen: list[str] = []

    async def wait_for(self, line: str) -> str:
        """The first metric, from now on or among those seen, that matches a regular expression as a whole."""
        import asyncio

        from circus_core.testing import PATIENCE

        checked = 0
        async with asyncio.timeout(PATIENCE):
            while True:
                for found in self.seen[checked:]:
                    if re.fullmatch(line, found):
                        return found
                checked = len(self.seen)
                data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
                self.seen += data.decode().split("\n")


@pytest.fixture
def statsd() -> Iterator[Statsd]:
    """A statsd server on loopback."""
    server = Statsd()
    yield server
    server.socket.close()
