"""hosted: events to a plugin in a process of its own, none lost, and what that process weighs and does when idle."""

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import proc
from bench import Bench, say
from report import OURS, Column, Report

NAMES = ("hosted",)
EVENTS = 60_000
BURST = 100
IDLE = 5.0  # seconds
SETTLE = 1.0
LEAST = 30_000
PLUGIN = """
from circus_core.plugin import CircusPlugin

class Counter(CircusPlugin):
    def circus_startup(self):
        self.seen = 0

    def circus_watcher_updated(self, event):
        self.seen += 1
        if event.option == "last":
            self.client.cast("counted", seen=self.seen)
"""
BUNDLED = {"watchdog": "port = 16641", "resource_watcher": "watcher = app", "command_reloader": "loop_rate = 1"}
GROUP = "".join(f"[plugin:{name}]\nuse = {name}\n{option}\ngroup = all\n" for name, option in BUNDLED.items())


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """One circusd in this process, whose plugin counts; three plugins of a group for the memory."""
    columns = [
        Column("rate", "events/s", 0),
        Column("lost", "lost", 0),
        Column("pss", "3 bundled plugins: PSS KB", 0),
        Column("wakes", f"wake-ups in {IDLE:g} s", 0),
    ]
    report = Report("hosted", "events to a plugin in a process of its own", columns)
    try:
        import circus_plugins.host  # noqa: F401
    except ImportError as error:
        report.absent[OURS] = f"not here: {error}"
        return [report]
    logging.disable(logging.WARNING)
    for number in range(bench.rounds):
        say(f"hosted: round {number + 1}")
        rate, lost = asyncio.run(_flood())
        pss, wakes = asyncio.run(_idle())
        report.add(OURS, rate=rate, lost=lost, pss=pss, wakes=wakes)
    logging.disable(logging.NOTSET)
    report.at_least("at least 30,000 events/s", OURS, "rate", LEAST, "/s")
    report.at_most("none lost", OURS, "lost", 0)
    report.at_most("three plugins under 30 MB PSS", OURS, "pss", 30 * 1024, " KB")
    report.at_most("no wake-ups when idle", OURS, "wakes", 0)
    return [report]


class _Counted:
    """A plugin inside circusd that hears the count."""

    def __init__(self) -> None:
        self.seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def circus_register_commands(self, registry: Any) -> None:
        from circus_core.requests import Argument, Command, Role

        registry.command(
            Command("counted", Role.ADMIN, "Of the benchmark.", Argument("seen", "integer", "How many.")), self._hear
        )

    def _hear(self, _supervisor: Any, request: Any) -> dict[str, Any]:
        self.seen.set_result(request["seen"])
        return {}


@asynccontextmanager
async def _circusd(configuration: str, counted: _Counted) -> AsyncIterator[Any]:
    from circus_core.bundled import DEFAULT_PLUGINS
    from circus_core.supervisor import Supervisor

    with tempfile.TemporaryDirectory(prefix="bench") as folder, mock.patch.dict(os.environ, XDG_RUNTIME_DIR=folder):
        path = _write(Path(folder), configuration)
        async with Supervisor(str(path), plugins={**DEFAULT_PLUGINS, "counted": counted}) as supervisor:
            yield supervisor


def _write(folder: Path, configuration: str) -> Path:
    (folder / "plugin.py").write_text(PLUGIN)
    path = folder / "circus.ini"
    path.write_text(f"[circus]\nevents_kept = {EVENTS * 2}\n{configuration}")
    return path


async def _flood() -> tuple[float, int]:
    """Events per second from the first one's making until the last one was handled, and how many were not."""
    from circus_core.events import WatcherUpdated

    counted = _Counted()
    async with _circusd("[plugin:counter]\nuse = plugin.py:Counter\n", counted) as supervisor:
        began = time.perf_counter()
        for number in range(EVENTS):
            supervisor.bus.publish(WatcherUpdated(watcher="a", option="last" if number == EVENTS - 1 else "x"))
            if number % BURST == 0:
                await asyncio.sleep(0)
        seen = await counted.seen
        return EVENTS / (time.perf_counter() - began), EVENTS - seen


async def _idle() -> tuple[int, int]:
    async with _circusd(GROUP, _Counted()) as supervisor:
        [process] = supervisor.watcher("plugin:all").slots.processes()
        await asyncio.sleep(SETTLE)
        before = proc.switches([process.pid])
        await asyncio.sleep(IDLE)
        return proc.memory([process.pid]).pss, proc.switches([process.pid]) - before
