"""Fixtures: a supervisor in the test that hosts the plugins of a configuration in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.events import WatcherUpdated
from circus_core.requests import Argument, Command, Role
from circus_core.supervisor import Supervisor
from circus_core.testing import PATIENCE, Events, Supervised

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from circus_core.plugin import Registry
    from circus_core.requests import Reply, Request

WITNESS = """
import json
import os
from circus_core.plugin import CircusPlugin

class Witness(CircusPlugin):
    "Notes what it sees, in a file if it has one, and by the command of the test."

    def note(self, **said):
        self.client.cast("note", plugin=self.name, said={"pid": os.getpid(), **said})

    def circus_startup(self):
        self.note(hook="startup", options=dict(self.options) if isinstance(self.options, dict) else None)

    def circus_event(self, event):
        self.note(hook="event", name=event.name, seq=event.seq, watcher=getattr(event, "watcher", None))

    def circus_shutdown(self):
        self.note(hook="shutdown")
"""

APP = "[watcher:app]\ncmd = sleep 1000\ncopy_env = True\ngraceful_timeout = 5\n"


def plugin(name: str, *lines: str) -> str:
    """The section of a plugin of `plugin.py` that is not waited for long."""
    return "\n".join([f"[plugin:{name.lower()}]", f"use = plugin.py:{name}", "graceful_timeout = 0.2", *lines, ""])


async def flood(run: Hosting, count: int, tell: int = 1000) -> None:
    """Publish events, and let others have their turn; each of so many is to be noted."""
    for number in range(count):
        run.supervisor.bus.publish(WatcherUpdated(watcher="app", option="" if (number + 1) % tell else "tell"))
        if number % 100 == 0:
            await asyncio.sleep(0)


class Notes:
    """A plugin inside circusd: what plugins outside tell the test by the command `note`."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()

    def circus_register_commands(self, registry: Registry) -> None:
        arguments = (Argument("plugin", "text", "Who."), Argument("said", "object", "What."))
        registry.command(Command("note", Role.ADMIN, "Of the test.", *arguments), self._note)

    def _note(self, _supervisor: Any, request: Request) -> Reply:
        self.all.append({"plugin": request["plugin"], **request["said"]})
        self._arrived.set()
        return {}

    def of(self, plugin: str, **said: object) -> list[dict[str, Any]]:
        """The notes of a plugin that say this, in order."""
        return [
            note for note in self.all
            if note["plugin"] == plugin and all(note.get(key) == value for key, value in said.items())
        ]  # fmt: skip

    async def wait_for(self, plugin: str, *, count: int = 1, **said: object) -> dict[str, Any]:
        """Wait until there are so many such notes; answers the last of them."""
        async with asyncio.timeout(PATIENCE):
            while len(found := self.of(plugin, **said)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return found[count - 1]


class Hosting(Supervised):
    """A supervisor under test that hosts plugins."""

    def __init__(self, supervisor: Supervisor, events: Events, notes: Notes, path: Path) -> None:
        super().__init__(supervisor, events)
        self.notes = notes
        self.path = path

    def configure(self, configuration: str) -> None:
        """Write another configuration."""
        self.path.write_text(textwrap.dedent(configuration))

    async def plugin(self, name: str) -> dict[str, Any]:
        """The row of a plugin in `plugins`, as clients get it."""
        rows = json.loads(json.dumps(await self.call("plugins")))["plugins"]
        found: dict[str, Any] = next(row for row in rows if row["name"] == name)
        return found


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """`installed(name, code)`: a distribution with the module `acme`, whose class Plugin is registered as a plugin."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)

    def install(name: str, code: str) -> None:
        about = site / f"{name}-1.0.dist-info"
        about.mkdir(parents=True)
        (site / "acme.py").write_text(textwrap.dedent(code))
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[circus.plugins]\n{name} = acme:Plugin\n")
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("acme", None)


@pytest.fixture
def hosting(
    supervise: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AbstractAsyncContextManager[Hosting]]:
    """`async with hosting(configuration, code) as run:`; the code is that of `plugin.py` beside the configuration."""
    monkeypatch.chdir(tmp_path)

    @contextlib.asynccontextmanager
    async def run(configuration: str, code: str = "", **extra: object) -> AsyncIterator[Hosting]:
        events, notes = Events(), Notes()
        path = tmp_path / "circus.ini"
        path.write_text(textwrap.dedent(configuration))
        (tmp_path / "plugin.py").write_text(WITNESS + textwrap.dedent(code))
        plugins = {"events": events, "notes": notes, **DEFAULT_PLUGINS, **extra}
        supervisor = Supervisor(path.name, plugins=plugins)
        async with supervisor:
            try:
                yield Hosting(supervisor, events, notes, path)
            except BaseException:
                supervisor.kill()
                raise

    return run
