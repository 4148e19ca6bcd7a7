"""Scripts that run programs with `get_arbiter`."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from circus import get_arbiter
from circus.client import CircusClient
from circus_core.errors import CircusError
from circus_core.testing import PATIENCE, until

SCRIPT = """
from circus import get_arbiter
arbiter = get_arbiter(
    [{"cmd": "sleep 1000", "numprocesses": 2}, {"cmd": "sleep", "args": ["1001"], "name": "other", "copy_env": True}],
    controller="ipc://control", pubsub_endpoint="ipc://events", check_delay=0.1, statsd=False,
)
try:
    arbiter.start()
finally:
    arbiter.stop()
print("over")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the endpoints are; a path that is short enough for sockets as it is relative."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("end", ["quit", signal.SIGTERM, signal.SIGINT])
def test_a_script_runs_its_watchers_until_it_is_told_to_end(folder, end):
    script = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    client = CircusClient(endpoint="ipc://control", timeout=PATIENCE)
    try:
        statuses = {"sleep": "active", "other": "active"}
        until(lambda: client.send_message("status")["statuses"] == statuses)
        assert len(client.send_message("list", name="sleep")["pids"]) == 2
        client.send_message("quit") if end == "quit" else script.send_signal(end)
        said, _ = script.communicate(timeout=PATIENCE)
    finally:
        client.stop()
        script.kill()
    assert (script.returncode, said) == (0, "over\n")


def test_it_is_stopped_from_another_thread(folder):
    arbiter = get_arbiter([{"cmd": "sleep 1000"}], controller="ipc://control", pubsub_endpoint="ipc://events")
    running = threading.Thread(target=arbiter.start)
    running.start()
    client = CircusClient(endpoint="ipc://control", timeout=PATIENCE)
    until(lambda: client.send_message("status")["statuses"] == {"sleep": "active"})
    client.stop()
    arbiter.stop()
    running.join(PATIENCE)
    assert not running.is_alive()


def test_bad_options_end_the_start(folder):
    arbiter = get_arbiter(
        [{"cmd": "sleep 1000", "numprocesses": "many"}], controller="ipc://control", pubsub_endpoint="ipc://events"
    )
    with pytest.raises(CircusError, match="'numprocesses' isn't an integer"):
        arbiter.start()
    arbiter.stop()


def test_what_it_cannot_do_is_refused():
    with pytest.raises(TypeError, match="has no background, sockets: write a configuration"):
        get_arbiter([], background=True, sockets=["x"], debug=True)
    with pytest.raises(CircusError, match="a watcher has no cmd"):
        get_arbiter([{"numprocesses": 1}])
