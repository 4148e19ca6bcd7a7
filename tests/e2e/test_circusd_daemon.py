"""`circusd --daemon`: it returns once circusd runs, and what went wrong is seen where it was started."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from circus_core import tree
from circus_core.pidfile import read_pid
from circus_core.testing import alive, until
from tests.e2e.program import CIRCUSD, run

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGURATION = """
[circus]
pidfile = circusd.pid
logoutput = circusd.log
[watcher:sleeper]
cmd = sleep 1000
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory; a daemon whose pid file is there is stopped in the end."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    pid = read_pid("circusd.pid")
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not alive(pid))


def test_it_returns_once_everything_was_started(folder: Path) -> None:
    (folder / "app.ini").write_text(CONFIGURATION)
    done = run("app.ini", "--daemon", "--no-plugins")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pid = read_pid("circusd.pid")
    assert pid is not None
    seen = tree.stat(pid)
    assert seen is not None
    assert seen.session not in (pid, os.getsid(0))
    assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
    (sleeper,) = tree.children(pid)
    # For a moment after the spawn the kernel shows no words.
    until(lambda: Path(f"/proc/{sleeper}/cmdline").read_bytes() == b"sleep\x001000\x00")
    assert Path(f"/proc/{pid}/cwd").resolve() == folder
    assert "circusd is up" in Path("circusd.log").read_text()

    os.kill(pid, signal.SIGTERM)
    until(lambda: not alive(pid))
    assert not alive(sleeper)
    assert not Path("circusd.pid").exists()


def test_who_starts_it_does_not_hold_the_line(folder: Path) -> None:
    # As over ssh: whoever reads its output must see the end of it.
    (folder / "app.ini").write_text(CONFIGURATION)
    done = subprocess.run(f"{' '.join(CIRCUSD)} app.ini --daemon | cat", shell=True, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert read_pid("circusd.pid")


def test_warnings_are_seen(folder: Path) -> None:
    (folder / "app.ini").write_text(f"{CONFIGURATION}colour = blue\n")
    done = run("app.ini", "--daemon")
    assert done.returncode == 0
    assert "app.ini:7: [watcher:sleeper] colour: " in done.stderr


def test_mistakes_are_seen(folder: Path) -> None:
    (folder / "app.ini").write_text(f"{CONFIGURATION}numprocesses = many\n")
    done = run("app.ini", "--daemon")
    assert done.returncode == 2
    assert done.stderr.startswith("app.ini:7: [watcher:sleeper] numprocesses: ")
    assert not Path("circusd.pid").exists()


def test_a_pid_file_that_is_held_is_seen_and_logged(folder: Path) -> None:
    (folder / "app.ini").write_text(CONFIGURATION)
    assert run("app.ini", "--daemon", "--no-plugins").returncode == 0
    pid = read_pid("circusd.pid")
    done = run("app.ini", "--daemon", "--no-plugins")
    assert done.returncode == 1
    assert done.stderr == (
        f"circusd: pid file '{folder}/circusd.pid' is held by process {pid}, which is running "
        f"(stop that one first (kill {pid}), or choose another pid file)\n"
    )
    assert done.stderr.rstrip("\n") in Path("circusd.log").read_text()
    assert read_pid("circusd.pid") == pid


def test_an_endpoint_that_cannot_be_opened_is_seen(folder: Path) -> None:
    (folder / "app.ini").write_text(
        CONFIGURATION.replace("[circus]", "[circus]\nendpoint = ipc://no/such/folder/socket")
    )
    done = run("app.ini", "--daemon")
    assert done.returncode == 1
    assert "no/such/folder" in done.stderr


def test_an_interrupted_start_is_called_off(folder: Path) -> None:
    text = f"{CONFIGURATION}[watcher:later]\ncmd = sleep 1000\n".replace("[circus]", "[circus]\nwarmup_delay = 1000")
    (folder / "app.ini").write_text(text)
    words = [*CIRCUSD, "app.ini", "--daemon", "--no-plugins"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as first:
        try:
            until(lambda: Path("circusd.log").exists() and "later: active" in Path("circusd.log").read_text())
            daemon = read_pid("circusd.pid")
            assert daemon is not None
            first.send_signal(signal.SIGTERM)
            assert first.wait(30) == 128 + signal.SIGTERM
            until(lambda: not alive(daemon))
            assert not Path("circusd.pid").exists()
            assert first.stderr is not None
            assert first.stderr.read() == "circusd: stopped before it was up\n"
        finally:
            first.kill()
