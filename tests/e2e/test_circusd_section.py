"""What [circus] says, and the command line does not; the log and the pid file have a module of their own."""

from __future__ import annotations

import gc
import json
import socket
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from tests.e2e.program import is_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

    Start = Callable[..., Circusd]

SLEEPER = "[watcher:sleeper]\ncmd = sleep 1000\n"


@pytest.mark.covers("circus-option:loggerconfig")
def test_loggerconfig(circusd: Start, tmp_path: Path) -> None:
    path, config = tmp_path / "out.log", tmp_path / "logging.json"
    handler = {"class": "logging.FileHandler", "filename": str(path)}
    root = {"level": "INFO", "handlers": ["out"]}
    config.write_text(json.dumps({"version": 1, "handlers": {"out": handler}, "root": root}))
    running = circusd(f"[circus]\nloggerconfig = {config}\n{SLEEPER}")
    until(lambda: path.exists() and "circusd is up" in path.read_text())
    assert running.output() == ""


def test_a_log_that_could_not_be_opened_is_a_mistake_of_the_file_and_nothing_is_touched(
    circusd: Start, tmp_path: Path
) -> None:
    running = circusd(f"[circus]\nlogoutput = {tmp_path}/out.log\n{SLEEPER}").up()
    pids = running.call("list", name="sleeper")["pids"]
    for line in ("logoutput = /no/such/folder/log", "loggerconfig = /no/such/file.json"):
        running.configure(f"[circus]\n{line}\n{SLEEPER}numprocesses = 3\n")
        with pytest.raises(CircusError, match=rf"circus\.ini:\d+: \[circus\] {line.partition(' ')[0]}: .*No such file"):
            running.call("reloadconfig", waiting=True)
    assert running.call("list", name="sleeper")["pids"] == pids


@pytest.mark.covers("circus-option:fqdn_prefix")
def test_fqdn_prefix(circusd: Start) -> None:
    running = circusd(f"[circus]\nfqdn_prefix = rack7\n{SLEEPER}")
    until(lambda: is_up(running))
    events = running.up().call("events", since=0)["events"]
    assert {event["host"] for event in events} == {f"rack7@{socket.gethostname()}"}


@pytest.mark.covers("circus-option:debug_gc", "plugin-option:use", "plugin-option:host")
def test_debug_gc(circusd: Start, tmp_path: Path) -> None:
    (tmp_path / "look.py").write_text(
        "import gc\n"
        "class Look:\n"
        "    def circus_startup(self):\n"
        f"        open({str(tmp_path / 'flags')!r}, 'w').write(str(gc.get_debug()))\n"
    )
    plugin = f"[plugin:look]\nuse = {tmp_path}/look.py:Look\nhost = core\n"
    running = circusd(f"[circus]\ndebug_gc = True\n{plugin}{SLEEPER}")
    until(lambda: is_up(running))
    assert int((tmp_path / "flags").read_text()) == gc.DEBUG_LEAK
