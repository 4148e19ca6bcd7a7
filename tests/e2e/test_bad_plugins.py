"""Whatever a plugin does in a process of its own: the others' processes stay, circusd answers, and people are told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from circus_core.testing import until
from tests.plugins.ctl.running import circusctl, on_terminal, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

APP = """\
[watcher:app]
cmd = sleep 1000
numprocesses = 2
[watcher:other]
cmd = sleep 1000
autostart = False
"""
CODE = """\
import os, time
from circus_core.events import EVENTS
from circus_core.plugin import CircusPlugin

def fail(self, event):
    raise ValueError("of the test")

class Raising(CircusPlugin):
    circus_event = fail

    def circus_shutdown(self):
        raise ValueError("of the test")

for name in EVENTS:
    setattr(Raising, f"circus_{name}", fail)

class RaisingInside(Raising):
    host = "core"

    def circus_veto_start(self, watcher):
        raise ValueError("of the test")

    circus_veto_spawn = circus_adjust_launch = circus_before_stop = circus_veto_start

class Blocking(CircusPlugin):
    def circus_watcher_started(self, event):
        if event.watcher == "other":
            time.sleep(60)

class Exiting(CircusPlugin):
    def circus_startup(self):
        os._exit(3)

class Leaking(CircusPlugin):
    kept = []

    def circus_event(self, event):
        self.kept.append(bytearray(256 << 20))

class Flooding(CircusPlugin):
    async def circus_watcher_started(self, event):
        for _ in range(20_000):
            self.client.cast("status")

class Dying(CircusPlugin):
    def circus_watcher_started(self, event):
        if event.watcher == "other":
            os.kill(os.getpid(), 9)

class Commanding(CircusPlugin):
    async def circus_watcher_started(self, event):
        await self.client.call("get", name="nobody", keys=["cmd"])
"""
FAULTS = {
    "Raising": (r"disabled +circus_\w+: ValueError: of the test", "disabled"),
    "RaisingInside": (r"core +disabled +circus_\w+: ValueError: of the test", "plugin bad: circus_"),
    "Blocking": (r"\d+ events? behind +it has event \d+ in hand", ""),
    "Exiting": (r"not at work +its process exited with status 3", "plugin:bad: its process exited with status 3"),
    "Leaking": (r"disabled +circus_event: MemoryError", "plugin bad: circus_event failed"),
    "Flooding": (r"well +it gave circusd too many commands within a second", "plugin bad: it gave circusd too many"),
    "Dying": (
        r"its process was killed by SIGKILL while event \d+ was being handled",
        r"plugin:bad/1: pid \d+ was killed by SIGKILL",
    ),
    "Commanding": (
        r"(failed \d+ times|disabled) +circus_watcher_started: UnknownWatcherError: program nobody not found",
        "plugin bad: circus_watcher_started failed",
    ),
}
"""By class: what the list of plugins shows, and what the log says."""


@pytest.fixture
def start(circusd: Callable[..., Circusd], tmp_path: Path) -> Callable[..., Circusd]:
    """`start(class, lines)`: a circusd with that class as the plugin `bad`, and further lines in its section."""
    (tmp_path / "plugin.py").write_text(CODE)

    def run(cls: str, *lines: str) -> Circusd:
        section = ["[plugin:bad]", f"use = {tmp_path}/plugin.py:{cls}", "graceful_timeout = 0.2", *lines]
        return circusd(APP + "\n".join(section) + "\n").up()

    return run


def row(run: Circusd) -> str:
    """What a person who looks at the list of plugins sees of it."""
    shown = plain(on_terminal("plugins", endpoint=run.endpoint, columns=250)[1])
    return next(line for line in shown.splitlines() if line.startswith("bad "))


@pytest.mark.parametrize("cls", FAULTS)
def test_it_harms_nobody_and_is_shown(start: Callable[..., Circusd], cls: str) -> None:
    health, said = FAULTS[cls]
    lines = ["rlimit_as = 1073741824"] if cls == "Leaking" else []
    run = start(cls, *lines)
    before = run.call("list", name="app")["pids"]
    assert len(before) == 2
    for _ in range(4):
        run.call("start", name="other", waiting=True)
        run.call("stop", name="other", waiting=True)
    until(lambda: re.search(health, row(run)), f"{health} in the row of the plugin")
    assert circusctl("status", "app", endpoint=run.endpoint).stdout == "active\n"
    assert run.call("list", name="app")["pids"] == before
    until(lambda: re.search(said, run.output()), f"{said} in the log")


def test_one_whose_code_broke_while_it_ran(start: Callable[..., Circusd], tmp_path: Path) -> None:
    run = start("Dying")
    before = run.call("list", name="app")["pids"]
    (tmp_path / "plugin.py").write_text("import no_such_module\n")
    run.call("start", name="other", waiting=True)
    until(lambda: re.search(r"not at work .*plugin.py:Dying failed: ModuleNotFoundError", row(run)))
    assert run.call("list", name="app")["pids"] == before
    assert re.search(r"plugin \S+plugin.py:Dying failed: ModuleNotFoundError.*line 1 of", run.output())
    done = circusctl("plugins", "restart", "bad", "--waiting", endpoint=run.endpoint)
    assert done.returncode == 3
    assert "the plugin bad is not at work" in done.stderr
