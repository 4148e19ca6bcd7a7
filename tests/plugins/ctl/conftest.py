"""A stub of circusd, and a real supervisor with its doors, for tests of circusctl."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from circus_plugins.client import Client
from tests.plugins.ctl.running import ROOT
from tests.plugins.ctl.stub import Stub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATION = """\
[watcher:web]
cmd = sleep 1000
numprocesses = 2
[watcher:off]
cmd = sleep 1000
autostart = false
[watcher:stubborn]
cmd = sh -c 'trap "" TERM; while :; do sleep 0.05; done'
graceful_timeout = 0.5
[watcher:broken]
cmd = /no/such/program
max_retry = 1
"""


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    """A circusd whose answers the test writes."""
    made = Stub(tmp_path)
    yield made
    made.close()


@pytest.fixture
def daemon(tmp_path: Path, runtime_directory: Path) -> Iterator[str]:
    """The endpoint of a real circusd that runs CONFIGURATION, with `web` started."""
    file = tmp_path / "app.ini"
    file.write_text(CONFIGURATION)
    environment = {**os.environ, "PYTHONPATH": ROOT}
    process = subprocess.Popen([sys.executable, "-m", "circus_core.main", str(file)], env=environment)
    try:
        endpoint = f"ipc://{runtime_directory}/circus/control.sock"
        with Client(endpoint, timeout=20) as client:
            client.call("start", name="web", waiting=True)
        yield endpoint
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
