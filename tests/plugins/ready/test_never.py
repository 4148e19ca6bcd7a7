"""Processes that never become ready, configurations in which they could not, and what is said of both."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from tests.plugins.ready.asking import BEGIN, PYTHON, WAITS, call, events

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

    Start = Callable[..., Circusd]


@pytest.mark.covers("option:ready_timeout")
@pytest.mark.parametrize(
    ("options", "lacking"),
    [
        ("ready = accepting", "it listens nowhere after"),
        ("ready = accepting\nready_address = 127.0.0.1:1", "not take connections at 127.0.0.1:1 (Connection refused)"),
        ("ready = http\nready_url = http://localhost:1/", "not answer GET http://localhost:1/: Connection refused"),
        ("ready = notify", "it has not said READY=1 at $NOTIFY_SOCKET after"),
        ("ready = output\nready_output = up\nstdout_stream.class = StdoutStream", "it has not said a line like 'up'"),
    ],
    ids=["accepting", "address", "http", "notify", "output"],
)
def test_one_that_is_never_ready_is_ended_and_it_is_said_why(circusd: Start, options: str, lacking: str) -> None:
    run = circusd(f"[watcher:w]\ncmd = sleep 1000\nautostart = False\nready_timeout = 0.3\n{options}\n")
    until(lambda: "circusd is up" in run.output())
    with pytest.raises(CircusError) as caught:
        call(run, "start", name="w", waiting=True)
    assert lacking in str(caught.value)
    assert "ready_timeout is how long it may take" in str(caught.value)
    call(run, "stop", name="w", waiting=True)


def test_a_new_version_that_does_not_come_up_replaces_nothing(circusd: Start, tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(f"{BEGIN}\n{WAITS['epoll']}")
    run = circusd(f"""
[socket:web]
host = 127.0.0.1
port = 0
[watcher:web]
cmd = {PYTHON} {app} $(circus.sockets.web)
numprocesses = 3
ready = accepting
ready_timeout = 1
""")
    until(lambda: "circusd is up" in run.output())
    before = call(run, "list", name="web")["pids"]
    app.write_text("import time; time.sleep(1000)")
    with pytest.raises(CircusError, match=r"web was not reloaded: pid \d+ is not ready: it does not take connections"):
        call(run, "reload", name="web", waiting=True)
    assert call(run, "list", name="web")["pids"] == before
    app.write_text("raise SystemExit('a typo')")
    with pytest.raises(CircusError, match=r"web was not reloaded: pid \d+ exited with status 1 before it was ready"):
        call(run, "reload", name="web", waiting=True, parallel=2)
    assert call(run, "list", name="web")["pids"] == before
    app.write_text(f"{BEGIN}\n{WAITS['epoll']}")
    call(run, "reload", name="web", waiting=True)
    assert not set(before) & set(call(run, "list", name="web")["pids"])


def test_many_that_wait_at_a_socket_do_not_fill_its_queue(circusd: Start, tmp_path: Path) -> None:
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:w]
cmd = sleep 1000 $(circus.sockets.web)
numprocesses = 5
ready = accepting
ready_timeout = 3.5
""")
    until(lambda: len(events(run, "process_unready")) >= 5)
    (web,) = call(run, "listsockets")["sockets"]
    assert web["waiting"] <= 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("ready = acepting", "ready: 'acepting' isn't one of the possible words (did you mean accepting?)"),
        ("ready = output\nstdout_stream.class = StdoutStream", "ready: is output, and there is no ready_output"),
        ("ready = output\nready_output = up", "ready: is output, and circusd reads none of it"),
        ("ready = output\nready_output = (", "isn't a regular expression"),
        ("ready = accepting\nready_address = web", "expected HOST:PORT, a path that begins with /, or @NAME"),
        ("ready = accepting\nready_address = example.org:80", "does not appear to be an IPv4 or IPv6 address"),
        ("ready = http\nready_url = health", "expected a path that begins with /, or an http:// or https:// address"),
        ("ready = http\nready_address = 127.0.0.1:80", "ready_address: means nothing without ready = accepting"),
        ("ready_delay = 3", "ready_delay: means nothing without ready = delay"),
        ("ready_timeout = 0", "ready_timeout"),
    ],
)
def test_mistakes(tmp_path: Path, options: str, said: str) -> None:
    path = tmp_path / "circus.ini"
    path.write_text(f"[watcher:w]\ncmd = sleep 1000\n{options}\n")
    words = [sys.executable, "-m", "circus_core.main", "--check", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert said in done.stdout + done.stderr
    assert f"{path}:" in done.stdout + done.stderr
