"""Going into the background: what the daemon is like, and what whoever started it gets to see."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


def daemonize(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program that detaches, and wait for its first process."""
    return subprocess.run(
        [sys.executable, "-c", f"import os, sys\nfrom circus_core.daemon import detach\n{code}", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **options,
    )


def wait_for_end(pid: int) -> None:
    """Return when a process that is no child of ours is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 30)[0], "the daemon does not end"
    finally:
        os.close(descriptor)


def test_the_daemon_is_alone_in_a_session_without_descriptors(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    stray = os.open(tmp_path / "stray", os.O_CREAT | os.O_RDWR)
    code = """
import json
keep = int(sys.argv[1])
first = os.getpid()
os.umask(0o027)
report = detach(keep=[keep])
umask = os.umask(0)
told = report.writer
seen = {
    "pid": os.getpid(), "sid": os.getsid(0), "group": os.getpgrp(), "first": first, "umask": umask, "cwd": os.getcwd(),
    "standard": [os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)],
    "others": sorted(fd for fd in map(int, os.listdir("/proc/self/fd"))
                     if fd > 2 and os.path.exists(f"/proc/self/fd/{fd}")),
    "told": told,
}
os.write(keep, json.dumps(seen).encode())
report(0, "")
"""
    done = daemonize(code, str(writer), pass_fds=[writer, stray], cwd=tmp_path)
    os.close(writer)
    os.close(stray)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with open(reader, "rb") as pipe:
        seen = json.load(pipe)
    assert seen["sid"] == seen["group"] != seen["pid"]
    assert seen["first"] not in (seen["sid"], seen["pid"])
    assert seen["umask"] == 0o027
    assert seen["cwd"] == str(tmp_path)
    assert seen["standard"] == ["/dev/null"] * 3
    assert seen["others"] == sorted([writer, seen["told"]])
    wait_for_end(seen["pid"])


@contextmanager
def first_process(code: str, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A program that detaches, while it waits; it may be interrupted, even if these tests may not."""
    start = "import os, signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    with subprocess.Popen(
        [sys.executable, "-c", f"{start}from circus_core.daemon import detach\n{code}", *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_first_process_waits_for_the_report(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    code = f"""
report = detach()
open({str(gate)!r}).read()
report(0, "up")
"""
    with first_process(code) as first:
        # Opening waits until the daemon has the other end open, and so is there.
        with open(gate, "w"):
            assert first.poll() is None
        assert first.wait() == 0
        assert first.stderr is not None
        assert first.stderr.read() == "up\n"


def test_an_error_is_seen_and_gives_the_exit_code() -> None:
    done = daemonize("detach()(2, 'a.ini:3: no such option\\na.ini:4: no such watcher')")
    assert done.returncode == 2
    assert done.stderr == "a.ini:3: no such option\na.ini:4: no such watcher\n"


def test_a_long_report_arrives_whole() -> None:
    done = daemonize("detach()(2, 'problem \u00e4\\n' * 50000)")
    assert done.stderr == "problem \u00e4\n" * 50000


def test_only_the_first_report_counts() -> None:
    done = daemonize("report = detach()\nreport(0, '')\nreport(1, 'late')")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(os.getpid(), 9)", "raise KeyError(1)"])
def test_a_daemon_that_ends_without_a_report_has_failed(ending: str) -> None:
    done = daemonize(f"detach()\n{ending}")
    assert done.returncode == 1
    assert "ended before it had started" in done.stderr


def test_a_child_of_the_daemon_does_not_keep_the_first_process_waiting() -> None:
    code = """
import subprocess
report = detach()
child = subprocess.Popen(["sleep", "60"])
report(0, str(child.pid))
"""
    done = daemonize(code)
    assert done.returncode == 0
    os.kill(int(done.stderr), signal.SIGKILL)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_is_called_off(signum: signal.Signals) -> None:
    code = """
keep = int(sys.argv[1])
report = detach(keep=[keep])
def stop(signum, frame):
    report(0, f"told {signal.Signals(signum).name}")
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
os.write(keep, b"ready")
os.close(keep)
signal.pause()
"""
    reader, writer = os.pipe()
    with open(reader, "rb") as pipe, first_process(code, str(writer), pass_fds=[writer]) as first:
        os.close(writer)
        assert pipe.read(5) == b"ready"
        first.send_signal(signum)
        assert first.wait() == 128 + signum
        assert first.stderr is not None
        assert first.stderr.read() == "told SIGTERM\n"


def test_the_report_outlives_a_first_process_that_was_killed() -> None:
    code = """
keep, gate = int(sys.argv[1]), int(sys.argv[2])
report = detach(keep=[keep, gate])
os.write(keep, b"%010d" % os.getpid())
os.read(gate, 1)
report(0, "nobody reads this")
os.write(keep, b"alive")
"""
    (reader, writer), (gate, key) = os.pipe(), os.pipe()
    with open(reader, "rb") as pipe, first_process(code, str(writer), str(gate), pass_fds=[writer, gate]) as first:
        os.close(writer)
        os.close(gate)
        daemon = int(pipe.read(10))
        first.kill()
        first.wait()
        os.close(key)
        assert pipe.read() == b"alive"
    wait_for_end(daemon)


def test_closed_standard_descriptors_are_not_taken_by_other_files() -> None:
    code = """
import os, sys
from circus_core.daemon import open_standard
open_standard()
other = os.open("/dev/zero", os.O_RDONLY)
assert other > 2, other
os.execvp("readlink", ["readlink", *(f"/proc/self/fd/{fd}" for fd in (0, 2))])
"""
    shell = 'exec "$0" -c "$1" <&- 2>&-'
    done = subprocess.run(["sh", "-c", shell, sys.executable, code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "/dev/null\n/dev/null\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user that may not fork")
def test_a_fork_that_fails_is_an_error_with_a_hint() -> None:
    code = """
import resource
from circus_core.errors import SystemCallError
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
os.setuid(65534)
try:
    detach()
except SystemCallError as error:
    sys.exit(str(error))
"""
    done = daemonize(code)
    assert done.returncode == 1
    assert "cannot fork: Resource temporarily unavailable (see ulimit -u" in done.stderr
