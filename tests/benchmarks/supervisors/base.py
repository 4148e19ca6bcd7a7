"""What a benchmark needs of a supervisor; one subclass per supervisor says how that one does it."""

import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, TypeVar

import proc
from children import Nursery
from install import Cache

Kind = TypeVar("Kind", bound="Supervisor")


class Supervisor(ABC):
    """One supervisor in a `folder` of its own, whose children report to `nursery`. Making one raises NotHereError."""

    name: ClassVar[str]

    def __init__(self, cache: Cache, folder: Path, nursery: Nursery) -> None:
        self.folder = folder
        self.nursery = nursery
        self.find(cache)
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def find(self, cache: Cache) -> None:
        """Install it or find it, and remember where it is. NotHereError if that fails."""

    @abstractmethod
    def configure(self, names: Sequence[str]) -> None:
        """Write the configuration for one child per name (`nursery.argv`), to be kept alive for ever."""

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it."""

    def environment(self) -> dict[str, str]:
        """What it finds in its environment."""
        return dict(os.environ)

    def launch(self) -> None:
        """Start it, and come back at once."""
        with open(self.folder / "log", "wb") as log:
            self.process = self._popen(self.command(), log.fileno())

    def failed(self) -> bool:
        """Whether what was launched has ended, and not well. (Some start a daemon and end.)"""
        return self.process is not None and self.process.poll() not in (None, 0)

    def root(self) -> int:
        """The pid of the daemon. Whatever it started and was not born in the nursery belongs to it."""
        assert self.process is not None
        return self.process.pid

    def own_pids(self) -> list[int]:
        """The processes that the supervision itself takes."""
        return [pid for pid in proc.tree(self.root()) if pid not in self.nursery.pids]

    def request_stop(self) -> None:
        """Have it stop all children and end, in its own way; may come back before that is done."""
        os.kill(self.root(), signal.SIGTERM)

    def status_command(self) -> list[str] | None:
        """What a person types to see the state of all children, if there is such a thing."""
        return None

    def last_words(self) -> str:
        """The end of what it printed, for a report of its failure."""
        lines = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"

    def run(self, command: list[str]) -> None:
        """Run one of its tools in the background."""
        self._popen(command, subprocess.DEVNULL)

    def _popen(self, command: list[str], output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


@contextmanager
def lives(
    cache: Cache, program: Path | None, kinds: Sequence[type[Kind]], children: int | Sequence[str]
) -> Iterator[list[Kind]]:
    """One supervisor of each kind, not launched, for so many children or those of these names. At the end nothing is
    left."""
    names = [f"{number:04d}" for number in range(children)] if isinstance(children, int) else children
    folders: list[Path] = []
    supervisors: list[Kind] = []
    try:
        for kind in kinds:
            folders.append(Path(tempfile.mkdtemp(prefix="bench-")))
            nursery = Nursery(folders[-1], program)
            supervisors.append(kind(cache, folders[-1], nursery))
            supervisors[-1].configure(names)
        yield supervisors
    finally:
        proc.end_descendants()
        for supervisor in supervisors:
            supervisor.nursery.close()
        for folder in folders:
            shutil.rmtree(folder)
