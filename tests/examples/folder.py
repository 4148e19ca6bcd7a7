"""An example of the documentation as its reader runs it: in its folder, by the programs' names, from a shell."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from circus_core.testing import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def port() -> int:
    """One that is free, for connections as well as for datagrams."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        stream.bind(("127.0.0.1", 0))
        found: int = stream.getsockname()[1]
        datagrams.bind(("127.0.0.1", found))
        return found


class Example:
    """A copy of the folder `name`, with a free port in place of the one that it names, and circusd running there."""

    def __init__(self, name: str, folder: Path, named: int) -> None:
        self.folder = folder
        self.port = port()
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for file in folder.iterdir():
            file.write_text(file.read_text().replace(str(named), str(self.port)))
        self.files = set(os.listdir(folder))
        # As in a shell where the project's environment is active; the runtime directory is the test's own.
        self._env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self.log = folder.with_suffix(".log")
        with self.log.open("wb") as log:
            self.circusd = subprocess.Popen(
                ["circusd", "circus.ini"], cwd=folder, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def said(self) -> str:
        """What circusd and its processes have printed."""
        return self.log.read_text(errors="replace")

    def ctl(self, *words: str, status: int = 0) -> str:
        """What a command prints that ends with `status`."""
        words = ("circusctl", *words)
        done = subprocess.run(words, cwd=self.folder, env=self._env, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, f"{words}: {done.stdout}{done.stderr}\n{self.said()}"
        return done.stdout

    def pids(self, watcher: str) -> list[int]:
        """The processes of a watcher."""
        return [int(word) for word in self.ctl("list", watcher).replace(",", " ").split()]

    def up(self) -> None:
        """Wait until everything was started."""
        until(lambda: "circusd is up" in self.said() or self.circusd.poll() is not None, "circusd")
        assert self.circusd.poll() is None, self.said()

    def left(self) -> list[int]:
        """Processes that run in the folder."""
        return [pid for pid in _everybody() if _cwd(pid) == str(self.folder)]

    def quit(self) -> None:
        """End it as its user does; nothing may be left over."""
        self.ctl("quit", "--waiting")
        assert self.circusd.wait(PATIENCE) == 0, self.said()
        assert self.left() == []

    def close(self) -> None:
        if self.circusd.poll() is None:
            self.circusd.terminate()
            try:
                self.circusd.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.circusd.kill()
                self.circusd.wait()


def _everybody() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _cwd(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return None
