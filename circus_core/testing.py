"""A pytest plugin for this project and for plugin authors: real supervisors, real children, and events to wait for.

Fixtures: `supervise` runs watchers and plugins inside the test; `circusd` starts a real circusd on its own endpoints;
`clock` puts time forward. `check_plugin` has a plugin do the same inside circusd and in a process of its own.
An `async def` test that uses `supervise` is run on a loop of its own, without a further pytest plugin.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from circus_core import tree
from circus_core.conformance import Deeds, check_plugin
from circus_core.events import SupervisorStarted
from circus_core.fakeclock import Clock
from circus_core.model import Config, WatcherOptions
from circus_core.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from circus_core.events import Event

__all__ = [
    "PATIENCE",
    "Circusd",
    "Clock",
    "Deeds",
    "Events",
    "Supervised",
    "alive",
    "check_plugin",
    "python",
    "supervised",
    "until",
    "watcher",
]

PATIENCE = 20.0
"""Seconds after which something awaited is held never to come: generous, since test machines are slow and noisy."""


class Events:
    """A plugin that keeps every event, and lets a test wait for those to come."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self._arrived = asyncio.Event()

    def circus_event(self, event: Event) -> None:
        self.seen.append(event)
        self._arrived.set()

    def named(self, name: str, **fields: object) -> list[Event]:
        """The events so far of this name (`process_spawned`) and with these fields, in order."""
        return [event for event in self.seen if event.name == name and _has(event, fields)]

    def names(self, watcher: str | None = None) -> list[str]:
        """The names of the events so far, of one watcher if given, in order."""
        return [event.name for event in self.seen if watcher is None or getattr(event, "watcher", None) == watcher]

    async def wait_for(self, name: str, *, count: int = 1, patience: float = PATIENCE, **fields: object) -> Event:
        """Wait until there are `count` events of this name and with these fields; answers the last of them.

        Raises AssertionError, with what came instead, if they do not come.
        """
        deadline = time.monotonic() + patience
        while len(found := self.named(name, **fields)) < count:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), max(deadline - time.monotonic(), 0))
            except TimeoutError:
                came = "\n".join(map(str, self.seen)) or "none"
                raise AssertionError(
                    f"{len(found)} of {count} events {name} {fields or ''} came; all:\n{came}"
                ) from None
        return found[count - 1]


def _has(event: Event, fields: Mapping[str, object]) -> bool:
    return all(getattr(event, key, None) == value for key, value in fields.items())


class Supervised:
    """A supervisor under test: its client, its watchers, and the events so far."""

    def __init__(self, supervisor: Supervisor, events: Events) -> None:
        self.supervisor = supervisor
        self.events = events
        self.client = supervisor.client

    async def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Run a command, as `client.call`."""
        return await self.client.call(command, **properties)

    def pids(self, name: str) -> list[int]:
        """The pids of a watcher, in the order of their spawns."""
        return [process.pid for process in self.supervisor.watcher(name).slots.processes()]


def python(code: str) -> str:
    """A command line that runs a few lines of Python as a child."""
    return shlex.join([sys.executable, "-c", textwrap.dedent(code)])


def watcher(name: str, cmd: str = "sleep 1000", **options: Any) -> WatcherOptions:
    """Options of a watcher for a test: they inherit the environment and do not wait long to stop."""
    return WatcherOptions(**{"name": name, "cmd": cmd, "copy_env": True, "graceful_timeout": 5.0, **options})


@contextlib.asynccontextmanager
async def supervised(
    *watchers: WatcherOptions, plugins: Mapping[str, object] | None = None, daemon: bool = False
) -> AsyncIterator[Supervised]:
    """Run a supervisor with these watchers and plugins inside the block."""
    events = Events()
    config = Config(watchers={options.name.lower(): options for options in watchers})
    supervisor = Supervisor(config, daemon=daemon, plugins={"events": events, **(plugins or {})})
    async with supervisor:
        try:
            yield Supervised(supervisor, events)
        except BaseException:
            # A test that has failed does not wait for whoever does not stop.
            supervisor.kill()
            raise


@pytest.fixture
def supervise() -> Callable[..., AbstractAsyncContextManager[Supervised]]:
    """`async with supervise(watcher("a"), plugins={...}) as run:` runs a supervisor inside the test."""
    return supervised


@pytest.fixture
def clock() -> Clock:
    """`await clock.advance(60)` puts the loop's time forward: what is due by then happens, and nobody waits."""
    return Clock()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test that uses `supervise`; leave all others to whoever runs them."""
    if "supervise" not in pyfuncitem.fixturenames or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


class Circusd:
    """A real circusd with a configuration and endpoints of its own, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        configuration: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        python: str = sys.executable,
    ) -> None:
        self.folder = folder
        self.path = folder / "circus.ini"
        # A unix socket's path has to be short, and a test's own folder seldom is.
        self._sockets = tempfile.TemporaryDirectory(prefix="circus-")
        self.endpoint = f"ipc://{self._sockets.name}/control.sock"
        self.pubsub_endpoint = f"ipc://{self._sockets.name}/events.sock"
        self.configure(configuration)
        self.log = folder / "circusd.log"
        self._command = [python, "-m", "circus_core.main", str(self.path), *arguments]
        self._env = {**os.environ, **(env or {})}
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env, cwd=self.folder
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def again(self) -> None:
        """Start another one in its place, once it has ended."""
        self.wait()
        self.process = self._started()

    def configure(self, configuration: str) -> None:
        """Write the configuration; endpoints are added to its [circus] section."""
        text = textwrap.dedent(configuration)
        if "[circus]" not in text:
            text = f"[circus]\n{text}"
        endpoints = f"[circus]\nendpoint = {self.endpoint}\npubsub_endpoint = {self.pubsub_endpoint}\n"
        self.path.write_text(text.replace("[circus]\n", endpoints, 1))

    def call(self, command: str, *, timeout: float = PATIENCE, **properties: Any) -> dict[str, Any]:
        """Run a command through the control endpoint; waits for circusd to answer, and raises CircusError."""
        from circus_plugins.client import Client

        with Client(self.endpoint, timeout=timeout) as client:
            reply: dict[str, Any] = client.call(command, **properties)
            return reply

    def up(self) -> Self:
        """Wait until every watcher was started once, which is some time after circusd answers; answers itself."""
        from circus_plugins.client import Client

        with Client(self.endpoint, timeout=PATIENCE) as client:
            for event in client.events(since=0):
                if event["event"] == SupervisorStarted.name:
                    break
        return self

    def wait(self, timeout: float = PATIENCE) -> int:
        """The exit status, once circusd has ended by itself."""
        descriptor = os.pidfd_open(self.pid)
        try:
            select.select([descriptor], [], [], timeout)
        finally:
            os.close(descriptor)
        return self.process.wait(0.1)

    def signal(self, signum: int) -> None:
        """Send circusd a signal."""
        self.process.send_signal(signum)

    def output(self) -> str:
        """All that circusd has written to its standard output and error."""
        return self.log.read_text(errors="replace")

    def close(self) -> None:
        """Stop circusd, and kill it if it does not stop."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._sockets.cleanup()


@pytest.fixture
def circusd(tmp_path: Path) -> Iterator[Callable[..., Circusd]]:
    """`circusd(configuration, *arguments)` starts a real circusd, which is stopped when the test is over.

    `env` has further environment variables, and `python` is the interpreter.
    """
    running: list[Circusd] = []

    def start(configuration: str, *arguments: str, **given: Any) -> Circusd:
        folder = tmp_path / f"circusd{len(running)}"
        folder.mkdir()
        running.append(Circusd(folder, configuration, *arguments, **given))
        return running[-1]

    yield start
    for each in running:
        each.close()


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie, which only waits to be reaped by its parent, does not."""
    seen = tree.stat(pid)
    return seen is not None and seen.alive


def until(condition: Callable[[], Any], what: str = "", timeout: float = PATIENCE) -> Any:
    """Wait for something that no event tells of (a file, another program); answers what `condition` did."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or condition} did not come about in {timeout:g} s")
        # Nothing tells of it, so there is nothing better than to look again.
        time.sleep(0.005)
    return answer
