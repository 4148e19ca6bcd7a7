"""What circusd leaves in the file system: its log, its pid file, and the mode of both."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from circus_core.pidfile import read_pid
from circus_core.testing import until
from tests.e2e.program import is_up, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

    Start = Callable[..., Circusd]

SLEEPER = "[watcher:sleeper]\ncmd = sleep 1000\n"


def up_in(path: Path) -> bool:
    """Whether a log file says that circusd is up."""
    return path.exists() and "circusd is up" in path.read_text()


# The log


def test_the_log_has_the_format_of_circus_and_is_on_standard_error(circusd: Start) -> None:
    running = circusd(SLEEPER)
    until(lambda: is_up(running))
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    for line in running.output().splitlines():
        assert re.fullmatch(rf"{stamp} circus[.\w]*\[{running.pid}\] \[INFO\] .+", line)


def test_a_renamed_log_is_let_go(circusd: Start, tmp_path: Path) -> None:
    path, old = tmp_path / "circusd.log", tmp_path / "circusd.log.1"
    running = circusd(SLEEPER, "--log-output", str(path))
    until(lambda: up_in(path))
    path.rename(old)
    running.signal(signal.SIGUSR1)
    until(lambda: path.exists() and "SIGUSR1" in path.read_text())
    assert "SIGUSR1" not in old.read_text()
    assert running.output() == ""


def test_hup_opens_the_log_anew(circusd: Start, tmp_path: Path) -> None:
    path, old = tmp_path / "circusd.log", tmp_path / "circusd.log.1"
    running = circusd(SLEEPER, "--log-output", str(path))
    until(lambda: up_in(path))
    path.rename(old)
    running.signal(signal.SIGHUP)
    until(lambda: path.exists() and "SIGHUP: reloading every watcher" in path.read_text())
    assert "SIGHUP" not in old.read_text()


@pytest.mark.covers("circus-option:loglevel", "circus-option:debug")
@pytest.mark.parametrize(
    ("lines", "arguments", "levels"),
    [
        ("", [], {"INFO"}),
        ("loglevel = warning", [], set()),
        ("loglevel = WARNING", ["--log-level", "info"], {"INFO"}),
        ("debug = True", [], {"INFO", "DEBUG"}),
        ("debug = True", ["--log-level", "INFO"], {"INFO"}),
        ("debug = True\nloglevel = error", [], {"INFO", "DEBUG"}),
    ],
)
def test_the_command_line_wins(
    circusd: Start, tmp_path: Path, lines: str, arguments: list[str], levels: set[str]
) -> None:
    log, pidfile = tmp_path / "circusd.log", tmp_path / "circusd.pid"
    log.touch()
    other = tmp_path / "other.log"
    running = circusd(
        f"[circus]\nlogoutput = {other}\npidfile = {tmp_path}/other.pid\n{lines}\n{SLEEPER}",
        *arguments, "--log-output", str(log), "--pidfile", str(pidfile),
    )  # fmt: skip
    # With a high level nothing is ever said, so the answer to a command has to do.
    assert running.up().call("status")["status"] == "ok"
    until(lambda: running.call("status", name="sleeper")["status"] == "active")
    assert read_pid(pidfile) == running.pid
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert set(re.findall(r"\] \[([A-Z]+)\] ", log.read_text())) == levels
    assert not other.exists()
    assert not (tmp_path / "other.pid").exists()


@pytest.mark.covers("circus-option:logoutput")
def test_what_was_said_before_the_log_was_known_is_in_it(circusd: Start, tmp_path: Path) -> None:
    path = tmp_path / "circusd.log"
    running = circusd(f"[circus]\nlogoutput = {path}\n{SLEEPER}colour = blue\n")
    until(lambda: up_in(path))
    first = path.read_text().splitlines()[0]
    assert "[WARNING]" in first
    assert "[watcher:sleeper] colour: " in first
    assert running.output() == ""


def test_a_logger_configuration(circusd: Start, tmp_path: Path) -> None:
    path, config = tmp_path / "out.log", tmp_path / "logging.json"
    handler = {"class": "logging.FileHandler", "filename": str(path)}
    root = {"level": "INFO", "handlers": ["out"]}
    config.write_text(json.dumps({"version": 1, "handlers": {"out": handler}, "root": root}))
    running = circusd(SLEEPER, "--logger-config", str(config))
    until(lambda: up_in(path))
    assert path.read_text().splitlines()[-1] == "circusd is up"
    assert running.output() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can fill a file system of its own")
def test_a_full_disk_stops_nothing(circusd: Start) -> None:
    running = circusd(SLEEPER, "--log-output", "/dev/full")
    until(lambda: "No space left on device" in running.output())
    assert running.up().call("status", name="sleeper")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert running.output() == "circusd: cannot log to /dev/full: No space left on device; going on without\n"


def test_a_log_that_nobody_reads_stops_nothing(circusd: Start, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    running = circusd(f"{SLEEPER}[watcher:brief]\ncmd = true\nrestart_burst = 1000000\n", "--log-output", str(path))
    # It has said so once the pipe is full; after that it still answers.
    until(lambda: "cannot log to" in running.output())
    assert running.up().call("status", name="sleeper")["status"] == "active"
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    os.close(reader)


# The pid file


@pytest.mark.covers("circus-option:pidfile")
def test_the_pid_file_is_there_while_it_runs(circusd: Start, tmp_path: Path) -> None:
    path = tmp_path / "circusd.pid"
    running = circusd(f"[circus]\npidfile = {path}\numask = 077\n{SLEEPER}")
    until(lambda: is_up(running))
    assert path.read_text().splitlines()[0] == str(running.pid)
    assert path.stat().st_mode & 0o777 == 0o644
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert not path.exists()


def test_a_second_circusd_is_refused(circusd: Start, tmp_path: Path) -> None:
    path = tmp_path / "circusd.pid"
    running = circusd(SLEEPER, "--pidfile", str(path))
    until(lambda: is_up(running))
    done = run(running.path, "--pidfile", path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"circusd: pid file '{path}' is held by process {running.pid}, which is running (stop that one first (kill "
    )
    assert read_pid(path) == running.pid


def test_a_circusd_that_was_killed_blocks_nobody(circusd: Start, tmp_path: Path) -> None:
    path = tmp_path / "circusd.pid"
    first = circusd("", "--pidfile", str(path))
    until(lambda: is_up(first))
    first.signal(signal.SIGKILL)
    first.wait()
    assert path.exists()
    second = circusd("", "--pidfile", str(path))
    until(lambda: is_up(second))
    assert read_pid(path) == second.pid


@pytest.mark.parametrize("content", ["{}\n1\n", "{}\n"])
def test_a_pid_that_is_somebody_elses_now_blocks_nobody(circusd: Start, tmp_path: Path, content: str) -> None:
    path = tmp_path / "circusd.pid"
    path.write_text(content.format(os.getpid()))
    running = circusd("", "--pidfile", str(path))
    until(lambda: is_up(running))
    assert read_pid(path) == running.pid


# The umask


@pytest.mark.covers("circus-option:umask")
def test_the_umask_is_that_of_the_log_and_of_the_processes(circusd: Start, tmp_path: Path) -> None:
    log, made = tmp_path / "circusd.log", tmp_path / "made"
    circusd(f"[circus]\numask = 027\nlogoutput = {log}\n[watcher:a]\ncmd = touch {made}\nrespawn = False\n")
    until(made.exists)
    assert log.stat().st_mode & 0o777 == 0o640
    assert made.stat().st_mode & 0o777 == 0o640


# The files that a configuration names


def test_what_an_included_file_names_is_beside_it_wherever_circusd_was_started(tmp_path: Path, circusd: Start) -> None:
    for name, text in {
        "etc/a.ini": "[watcher:a]\ncmd = sh -c 'echo $WHAT > a; exec sleep 1000'\nenv_file = a.env\n",
        "etc/a.env": "WHAT=found\n",
        "etc/p.ini": "[plugin:p]\nuse = p.py:Plugin\nworking_dir = /\n",
        "etc/p.py": "from circus_core.plugin import CircusPlugin\n\n\nclass Plugin(CircusPlugin):\n    pass\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    running = circusd(f"[circus]\ninclude_dir = {tmp_path}/etc\n")
    until(lambda: is_up(running))
    until(lambda: (running.folder / "a").exists() and (running.folder / "a").read_text() == "found\n")
    plugins = {row["name"]: row for row in running.call("plugins")["plugins"]}
    assert (plugins["p"]["use"], plugins["p"]["started"]) == (f"{tmp_path}/etc/p.py:Plugin", True)
