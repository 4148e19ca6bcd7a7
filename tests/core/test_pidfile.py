"""The pid file: who may hold it, who blocks whom, and what a reader makes of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import PidFileError
from circus_core.pidfile import PidFile, read_pid

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

HOLDER = """
import sys
from circus_core.pidfile import PidFile
with PidFile(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""

RACER = """
import os, sys
from circus_core.errors import PidFileError
from circus_core.pidfile import PidFile
path, held = sys.argv[1], 0
while held < 30:
    file = PidFile(path)
    try:
        file.acquire()
    except PidFileError:
        continue
    held += 1
    os.close(os.open(path + ".held", os.O_CREAT | os.O_EXCL))
    os.unlink(path + ".held")
    file.release()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "circusd.pid"


@contextmanager
def program(*argv: str, executable: str | None = None) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        argv, executable=executable, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the file until its standard input ends."""
    with program(sys.executable, "-c", HOLDER, str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_it_has_the_pid_and_the_start_time_and_everybody_may_read_it(path: Path) -> None:
    old = os.umask(0o077)
    try:
        with PidFile(path):
            pid, started = path.read_text().splitlines()
            assert int(pid) == os.getpid()
            assert started == Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
            assert path.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(old)
    assert not path.exists()


@pytest.mark.covers("error:pidfile")
def test_a_living_holder_blocks_with_a_message_that_names_it(path: Path) -> None:
    with holder(path) as process:
        before = path.read_text()
        with pytest.raises(PidFileError) as caught:
            PidFile(path).acquire()
        assert f"'{path}'" in caught.value.message
        assert f"process {process.pid}," in caught.value.message
        assert f"kill {process.pid}" in caught.value.hint
        assert path.read_text() == before


def test_a_holder_that_was_killed_blocks_nobody(path: Path) -> None:
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert path.exists()
    with PidFile(path):
        assert read_pid(path) == os.getpid()


def test_a_holder_that_ended_left_nothing_behind(path: Path) -> None:
    with holder(path) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"garbage\n",
        b"\0" * 4096,
        b"\xff\xfe" * 100,
        b"-1\n",
        b"0\n",
        b"99999999999999999999\n",
        b"1\n",
        b"1\nnumber\n",
    ],
)
def test_what_names_no_circusd_blocks_nobody(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with PidFile(path):
        assert read_pid(path) == os.getpid()
        assert re.fullmatch(r"\d+\n\d+\n", path.read_text())


def test_a_recycled_pid_blocks_nobody(path: Path) -> None:
    with program("sleep", "60") as other:
        for content in (f"{other.pid}\n", f"{other.pid}\n1\n"):
            path.write_text(content)
            assert read_pid(path) is None
            with PidFile(path):
                assert read_pid(path) == os.getpid()


def test_circus_itself_blocks_though_it_locks_nothing(path: Path) -> None:
    with program("circusd", "60", executable="/bin/sleep") as circus:
        path.write_text(f"{circus.pid}\n")
        assert read_pid(path) == circus.pid
        with pytest.raises(PidFileError, match=f"held by process {circus.pid}"):
            PidFile(path).acquire()
        # The file was there before this circusd was: another one wrote it.
        os.utime(path, (1, 1))
        assert read_pid(path) is None
        with PidFile(path):
            pass


def test_a_zombie_holds_nothing(path: Path) -> None:
    with program("true") as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
        path.write_text(f"{process.pid}\n{started}\n")
        assert read_pid(path) is None


def test_readers_find_no_file(path: Path) -> None:
    assert read_pid(path) is None


def test_of_many_racing_processes_one_at_a_time_holds_it(path: Path) -> None:
    racers = [subprocess.Popen([sys.executable, "-c", RACER, str(path)], cwd=ROOT) for _ in range(6)]
    assert [racer.wait() for racer in racers] == [0] * len(racers)
    assert not path.exists()


def test_a_file_that_somebody_replaced_is_left_alone(path: Path) -> None:
    file = PidFile(path)
    file.acquire()
    path.unlink()
    path.write_text("1\n")
    file.release()
    assert path.read_text() == "1\n"


def test_a_file_that_somebody_changed_is_left_alone(path: Path) -> None:
    file = PidFile(path)
    file.acquire()
    path.write_text("1\n")
    file.release()
    assert path.read_text() == "1\n"


def test_a_file_that_somebody_removed_is_no_trouble(path: Path) -> None:
    file = PidFile(path)
    file.acquire()
    path.unlink()
    file.release()
    assert not path.exists()


def test_a_forked_copy_does_not_remove_it(path: Path) -> None:
    code = """
import os, sys
from circus_core.pidfile import PidFile
file = PidFile(sys.argv[1])
file.acquire()
if not os.fork():
    file.release()
    os._exit(0)
os.wait()
print(os.path.exists(file.path))
"""
    done = subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_child_does_not_inherit_the_lock(path: Path) -> None:
    file = PidFile(path)
    file.acquire()
    with program("cat"):
        file.release()
        with PidFile(path):
            pass


def test_it_is_found_again_after_a_change_of_directory(
    path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    file = PidFile(path.name)
    file.acquire()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    file.release()
    assert not path.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(PidFileError, match=f"create the folder {tmp_path / 'no'}"):
        PidFile(tmp_path / "no" / "circusd.pid").acquire()


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("data")
    path.symlink_to(target)
    with pytest.raises(PidFileError, match="symbolic link"):
        PidFile(path).acquire()
    assert target.read_text() == "data"


def test_only_a_regular_file_will_do(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(PidFileError, match="not a regular file"):
        PidFile(path).acquire()
    with pytest.raises(PidFileError, match="Is a directory"):
        PidFile(path.parent).acquire()
