"""One process looked at again and again: right figures, one read, and never those of another process."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from circus_core import open_files
from circus_core.testing import until
from circus_plugins.stats.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

LAST_PID = "/proc/sys/kernel/ns_last_pid"
"""The next process gets the pid after the one that is written there (proc_sys_kernel(5))."""
BURNS = """
import sys, time
share, began, used = float(sys.argv[1]), time.perf_counter(), time.process_time()
while True:
    passed = time.perf_counter() - began
    while time.process_time() - used < share * passed: pass
    time.sleep(0.002)
"""


@pytest.fixture
def started() -> Iterator[Any]:
    """Starts programs, and ends them when the test is over."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        running.append(subprocess.Popen(words))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def told(watched: Watched, age: float = 1.0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(watched.text(age))
    return found


def passed(seconds: float) -> None:
    """Wait until so much time has passed, which is what is measured here."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end)


def test_what_is_told_of_a_process(started: Any) -> None:
    process = started("sleep", "1000")
    until(lambda: (real := psutil.Process(process.pid)).name() == "sleep" and real.status() == "sleeping")
    watched = Watched(process.pid, {"name": None, "wid": 3}, parent=os.getpid(), spawned_at=time.time())
    assert watched.look()
    real = psutil.Process(process.pid)
    found = told(watched, 2.5)
    assert found == found | {
        "pid": process.pid, "cmdline": "sleep", "username": real.username(), "nice": real.nice(), "children": [],
        "subtopic": process.pid, "name": None, "wid": 3, "cpu": 0.0, "ctime": "0:00.00", "threads": 1, "age": 2.5,
        "vms": real.memory_info().vms,
    }  # fmt: skip
    assert found["create_time"] == pytest.approx(real.create_time(), abs=1)
    assert found["mem"] == pytest.approx(100 * found["rss"] / psutil.virtual_memory().total, abs=0.001)
    watched.close()


@pytest.mark.parametrize("share", [0.1, 0.35, 0.8])
def test_a_known_share_of_a_processor_is_told_within_two_points(started: Any, share: float) -> None:
    process = started(sys.executable, "-c", BURNS, str(share))
    watched = Watched(process.pid, {})
    real = psutil.Process(process.pid)
    until(lambda: sum(real.cpu_times()[:2]) > 0.2, "it began")
    watched.look()
    used, began = real.cpu_times(), time.monotonic()
    passed(1.5)
    watched.look()
    seconds = sum(real.cpu_times()[:2]) - sum(used[:2])
    # What it has really had: on a machine that is busy that is less than it wanted.
    assert watched.cpu == pytest.approx(100 * seconds / (time.monotonic() - began), abs=2)
    watched.close()


def test_a_process_that_is_gone_is_said_to_be(started: Any) -> None:
    process = started("sleep", "1000")
    watched = Watched(process.pid, {})
    assert watched.look()
    process.kill()
    process.wait()
    assert not watched.look()
    assert watched.gone
    assert Watched(process.pid, {}).gone


@pytest.mark.skipif(not os.access(LAST_PID, os.W_OK), reason="only root may choose pids")
def test_one_that_has_the_pid_of_another_is_never_taken_for_it(started: Any) -> None:
    first = started(sys.executable, "-c", BURNS, "1")
    watched = Watched(first.pid, {}, parent=os.getpid(), spawned_at=time.time())
    until(lambda: watched.look() and watched.ticks > 5)
    first.kill()
    first.wait()

    def again() -> subprocess.Popen[bytes] | None:
        with open(LAST_PID, "w") as file:
            file.write(str(first.pid - 1))
        second: subprocess.Popen[bytes] = started("sleep", "1000")
        return second if second.pid == first.pid else None

    # Another process of this machine may be given the pid in between.
    until(again, "the pid is had again")
    assert not watched.look(), "the second's figures are told as those of the first"
    new = Watched(first.pid, {}, parent=os.getpid(), spawned_at=time.time())
    new.since(new.at - 1)
    assert new.look()
    assert new.cpu < 5, "it has used nothing yet, and the first a lot"
    new.close()


def test_a_stranger_with_the_pid_is_not_looked_at(started: Any) -> None:
    """The event of a spawn is told when the process has ended, and another has its pid."""
    process = started("sleep", "1000")
    assert Watched(process.pid, {}, parent=1).gone
    assert Watched(process.pid, {}, parent=os.getpid(), spawned_at=time.time() - 60).gone
    assert len([fd for fd in os.listdir("/proc/self/fd") if _of(fd) == f"/proc/{process.pid}/stat"]) == 0


def _of(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""


def test_another_program_in_its_place_is_told() -> None:
    process = subprocess.Popen(["sh", "-c", "read line; exec sleep 1000"], stdin=subprocess.PIPE)
    watched = Watched(process.pid, {})
    until(lambda: watched.look() and told(watched)["cmdline"] == "sh")
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    until(lambda: watched.look() and told(watched)["cmdline"] == "sleep")
    process.kill()
    process.communicate()


def test_a_process_that_gives_up_its_rights_is_told_in_time() -> None:
    """Nothing shows it in /proc/PID/stat, so who it is is read again after ten times its age."""
    code = "import os, sys; print(flush=True); sys.stdin.read(1); os.setuid(65534); print(flush=True); sys.stdin.read()"
    if os.geteuid():
        pytest.skip("only root has rights to give up")
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    watched = Watched(process.pid, {})
    watched.look()
    assert told(watched, 0.3)["username"] == "root"
    process.stdin.write(b"x")
    process.stdin.flush()
    process.stdout.readline()
    assert told(watched, 2.9)["username"] == "root"
    assert told(watched, 3.1)["username"] == psutil.Process(process.pid).username() != "root"
    process.communicate()


def test_where_there_are_too_few_descriptors_none_is_kept(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process = started("sleep", "1000")
    until(lambda: psutil.Process(process.pid).name() == "sleep" and psutil.Process(process.pid).cmdline())
    monkeypatch.setattr(open_files, "may_stay_open", lambda _descriptor: False)
    before = len(os.listdir("/proc/self/fd"))
    watched = Watched(process.pid, {})
    assert len(os.listdir("/proc/self/fd")) == before
    assert watched.look()
    assert told(watched)["cmdline"] == "sleep"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not watched.look()


def test_no_descriptor_at_all_is_as_if_it_were_gone_for_now(started: Any) -> None:
    process = started("sleep", "1000")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        assert Watched(process.pid, {}).gone
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not Watched(process.pid, {}).gone
