"""Circus' own readers of statistics, its StatsClient and its circus-top, subscribed to our endpoint."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

import pytest

from circus_core.testing import PATIENCE, Circusd
from tests.plugins import circus019
from tests.plugins.stats.test_streamer import WEB, configuration, streamer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READER = """
import json, sys
from circus.stats.client import StatsClient

seen = {}
for watcher, subtopic, stat in StatsClient(endpoint=sys.argv[1]).iter_messages():
    seen[f"{watcher}/{subtopic}"] = stat
    if set(sys.argv[2:]) <= seen.keys():
        break
print(json.dumps(seen))
"""


@pytest.fixture(scope="session")
def circus() -> Path:
    try:
        return circus019.install()
    except circus019.NoIndexError as error:
        pytest.skip(f"{circus019.REQUIREMENT} is not installed here and no package index can be reached: {error}")


@pytest.fixture
def daemon(circusd: Callable[..., Circusd], endpoint: str, tcp_port: int) -> Circusd:
    socket = f"    [socket:api]\n    host = 127.0.0.1\n    port = {tcp_port}\n"
    return circusd(configuration(endpoint, watchers=WEB + socket)).up()


def test_its_client_reads_ours(circus: Path, daemon: Circusd, endpoint: str, tcp_port: int) -> None:
    pids = daemon.call("list", name="web one")["pids"]
    [socket] = daemon.call("listsockets")["sockets"]
    wanted = [
        *(f"web_one/{pid}" for pid in pids), "web_one/None", "circus/None", f"circus/{daemon.pid}",
        f"circus/{streamer(daemon)}", f"sockets/{socket['fd']}", "sockets/None",
    ]  # fmt: skip
    program = [circus / "python", "-W", "ignore", "-c", READER, endpoint, *wanted]
    seen = json.loads(subprocess.run(program, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout)
    assert seen.keys() >= set(wanted)
    assert seen["web_one/None"]["pid"] == pids
    for key in ("cpu", "mem", "age"):
        assert isinstance(seen["web_one/None"][key], float)
        assert isinstance(seen[f"web_one/{pids[0]}"][key], float)
    assert seen[f"circus/{daemon.pid}"]["name"] == "circusd"
    address = f"127.0.0.1:{tcp_port}"
    assert "limit" in seen[f"sockets/{socket['fd']}"]
    assert seen["sockets/None"] == {"addresses": [address], "reads": 0}
    one = seen[f"sockets/{socket['fd']}"]
    assert (one["fd"], one["subtopic"], one["address"], one["reads"]) == (socket["fd"], socket["fd"], address, 0)


def test_its_top_shows_ours(circus: Path, daemon: Circusd, endpoint: str, tcp_port: int) -> None:
    pids = daemon.call("list", name="web one")["pids"]
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
    program = [circus / "python", "-W", "ignore", circus / "circus-top", "--endpoint", endpoint]
    top = subprocess.Popen(
        program, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "linux"}, start_new_session=True
    )
    os.close(theirs)
    raw, text, deadline = b"", "", time.monotonic() + PATIENCE
    wanted = [
        r"Circus Top", r"web_one", *map(str, pids), r"\d\.\d\d \(avg\)", r"\(sum\)", rf"{daemon.pid} \(circusd\)",
        rf"{streamer(daemon)} \(circusd-stats\)", rf"127\.0\.0\.1:{tcp_port}",
    ]  # fmt: skip
    try:
        while not all(re.search(each, text) for each in wanted):
            assert select.select([terminal], [], [], max(deadline - time.monotonic(), 0))[0], text
            raw += os.read(terminal, 65536)
            text = raw.decode(errors="replace")
    finally:
        top.kill()
        top.wait()
        os.close(terminal)
