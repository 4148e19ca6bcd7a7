"""circusd as the init of a container: it reaps whoever is left to it, and a signal to pid 1 works."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from circus_core import tree
from circus_core.testing import until
from tests.e2e.program import CIRCUSD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTAINER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def _possible() -> bool:
    try:
        return subprocess.run([*CONTAINER, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not _possible(), reason="this user or machine cannot make a pid namespace")


class Container:
    """A pid namespace in which circusd is pid 1; `init` is its pid out here."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        (self.init,) = until(lambda: tree.children(process.pid))

    def says(self, words: str) -> bool:
        return self.log.exists() and words in self.log.read_text()

    def signal(self, signum: int) -> None:
        os.kill(self.init, signum)

    def inside(self) -> list[tree.Stat]:
        """Everybody below circusd, zombies too."""
        found = [tree.stat(pid) for pid in tree.descendants(self.init)]
        return [seen for seen in found if seen is not None]

    def wait(self) -> int:
        return self.process.wait(30)


@contextmanager
def container(folder: Path, configuration: str) -> Iterator[Container]:
    path, log = folder / "app.ini", folder / "circusd.log"
    path.write_text(configuration)
    words = [*CONTAINER, *CIRCUSD, str(path), "--no-plugins", "--log-level", "debug", "--log-output", str(log)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as process:
        try:
            yield Container(process, log)
        finally:
            process.kill()


def program(folder: Path, name: str, code: str) -> str:
    """A command line that runs some Python."""
    (folder / name).write_text(f"import os, signal, sys\n{code}")
    return f"{sys.executable} {folder / name}"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_it_stops_everything_on_a_signal(tmp_path: Path, signum: signal.Signals) -> None:
    with container(tmp_path, "[watcher:sleeper]\ncmd = sleep 1000\nnumprocesses = 3\n") as run:
        until(lambda: run.says("circusd is up"))
        assert len(run.inside()) == 3
        run.signal(signum)
        assert run.wait() == 0
        assert run.says("circusd ends with status 0")


def test_it_reaps_strangers(tmp_path: Path) -> None:
    # Each leaves a grandchild behind that ends once its parent is gone, over and over.
    cmd = program(
        tmp_path,
        "leaver.py",
        """
import time
for _ in range(20):
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            while os.getppid() != 1: pass
            os._exit(0)
        os._exit(0)
    os.wait()
open(sys.argv[0] + ".done", "w").close()
signal.pause()
""",
    )
    with container(tmp_path, f"[watcher:leaver]\ncmd = {cmd}\ncopy_env = True\n") as run:
        until((tmp_path / "leaver.py.done").exists)
        until(lambda: len(run.inside()) == 1)
        assert run.inside()[0].alive
        run.signal(signal.SIGTERM)
        assert run.wait() == 0


def test_a_stop_ends_strangers_too(tmp_path: Path) -> None:
    cmd = program(
        tmp_path,
        "leaver.py",
        """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[0] + ".done", "w").close()
        signal.pause()
    os._exit(0)
os.wait()
signal.pause()
""",
    )
    with container(tmp_path, f"[watcher:leaver]\ncmd = {cmd}\ncopy_env = True\n") as run:
        until((tmp_path / "leaver.py.done").exists)
        # The one in between is gone, and its child is circusd's.
        until(lambda: len(run.inside()) == 2)
        descriptors = [os.pidfd_open(pid) for pid in tree.descendants(run.init)]
        run.signal(signal.SIGTERM)
        assert run.wait() == 0
        for descriptor in descriptors:
            assert select.select([descriptor], [], [], 0)[0], "it outlived circusd"
            os.close(descriptor)


def test_signals_without_a_meaning_end_nobody(tmp_path: Path) -> None:
    with container(tmp_path, "[watcher:sleeper]\ncmd = sleep 1000\n") as run:
        until(lambda: run.says("circusd is up"))
        run.signal(signal.SIGUSR1)
        until(lambda: run.says("SIGUSR1 means nothing"))
        assert len(run.inside()) == 1


def test_a_vital_process_ends_the_container_with_its_status(tmp_path: Path) -> None:
    cmd = program(tmp_path, "vital.py", "sys.exit(9)")
    text = f"[watcher:vital]\ncmd = {cmd}\ncopy_env = True\nmax_retry = 0\nexit_on_failure = True\n"
    with container(tmp_path, f"{text}[watcher:sleeper]\ncmd = sleep 1000\n") as run:
        assert run.wait() == 9
