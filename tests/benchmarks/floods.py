"""What flooding children (native/flood.c) are told to write, and whether all of it is in the files that were kept."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from children import Birth
from supervisors.keepers import Keeper

LINE, MEGABYTE = 100, 1_000_000
ENDLESS = 1 << 50
LOOK = 0.02  # seconds between two looks at the files while children write, and
SOON = 0.001  # once they have written all
READ = 20 * MEGABYTE


class Flood:
    """Children of a supervisor that is up. `size` is what each of `names` is told to write, `block` in one write(2)."""

    def __init__(self, keeper: Keeper, names: list[str], size: int, block: int = MEGABYTE) -> None:
        self._keeper = keeper
        self._fifo = keeper.nursery.fifo
        self._go = Path(f"{self._fifo}.go")
        self._gate: int | None = None
        self.names = names
        self.size = size
        Path(f"{self._fifo}.orders").write_text(f"{size} {block}\n")
        os.mkfifo(self._go)

    def let_go(self) -> None:
        """All of them begin at once."""
        self._gate = os.open(self._go, os.O_RDWR)

    def close(self) -> None:
        if self._gate is not None:
            os.close(self._gate)

    def wait(self, patience: float) -> "Course":
        """Until everything is in the files; TimeoutError if it is not after `patience` s."""
        course = Course(len(self.names))
        deadline = time.monotonic() + patience
        while not course.written:
            self._give_up_after(deadline, course)
            course.take(self._keeper.nursery.births(LOOK))
        while self.kept() < self.expected():
            self._give_up_after(deadline, course)
            time.sleep(SOON)
        course.complete = time.monotonic_ns()
        return course

    def kept(self) -> int:
        """Bytes in the files."""
        total = 0
        for name in self.names:
            for file in self._keeper.files(name):
                with suppress(FileNotFoundError):
                    total += file.stat().st_size
        return total

    def expected(self) -> int:
        """Bytes that there are to be, with what is put before each line: as much as before the first."""
        return sum(self.size + self.size // LINE * self._stamp(name) for name in self.names)

    def check(self) -> None:
        """RuntimeError if a byte of what the children wrote is not in its place."""
        for name in self.names:
            stamp = self._stamp(name)
            place = 0
            for text in self._pieces(name):
                if stamp:
                    place += text.count(b"\n") * LINE
                    whole = text.rpartition(b"\n")[0].rpartition(b"\n")[2][stamp:] + b"\n"
                    if whole not in expected(name, place - LINE, LINE):
                        raise RuntimeError(f"{self._keeper.name}: {name} is not whole near {place}")
                elif text != expected(name, place, len(text)):
                    raise RuntimeError(f"{self._keeper.name}: {name} is not whole after {place}")
                else:
                    place += len(text)
            if place != self.size:
                raise RuntimeError(f"{self._keeper.name}: {name} has {place} bytes of {self.size}")

    def _pieces(self, name: str) -> Iterator[bytes]:
        for path in self._keeper.files(name):
            with open(path, "rb") as file:
                while text := file.read(READ):
                    # A piece ends with a line.
                    yield text + file.readline() if text[-1:] != b"\n" else text

    def _stamp(self, name: str) -> int:
        if not self._keeper.keeping.stamped:
            return 0
        files = self._keeper.files(name)
        if not files:
            return 0
        with open(files[0], "rb") as file:
            return max(len(file.readline()) - LINE, 0)

    def _give_up_after(self, deadline: float, course: "Course") -> None:
        if time.monotonic() > deadline or self._keeper.failed():
            raise TimeoutError(f"{self.kept():,} of {self.expected():,} bytes were kept, {course.done} children done")


@dataclass
class Course:
    """When, in ns of CLOCK_MONOTONIC, the first of `children` began, the last had written all, and all was kept."""

    children: int
    begun: int = 0
    done: int = 0
    last: int = 0
    complete: int = 0
    pids: set[int] = field(default_factory=set)

    @property
    def written(self) -> bool:
        return self.done == self.children

    def take(self, births: list[Birth]) -> None:
        for birth in births:
            if birth.name.endswith(".begun"):
                self.begun = min(self.begun or birth.at, birth.at)
            elif birth.name.endswith(".done"):
                self.done += 1
                self.last = max(self.last, birth.at)


def expected(name: str, place: int, length: int) -> bytes:
    """What a child has written from `place` on; a place is that of a line."""
    first = place // MEGABYTE
    last = (place + length - 1) // MEGABYTE
    text = b"".join(_megabyte(name, number) for number in range(first, last + 1))
    return text[place - first * MEGABYTE :][:length]


def _megabyte(name: str, number: int) -> bytes:
    if name not in _bodies:
        _bodies.clear()
        _bodies[name] = b"".join(_line(name, 0, within) for within in range(1, MEGABYTE // LINE))
    return _line(name, number, 0) + _bodies[name]


def _line(name: str, megabyte: int, within: int) -> bytes:
    return f"{name} {megabyte:08} {within:05} ".encode().ljust(LINE - 1, b"x") + b"\n"


_bodies: dict[str, bytes] = {}
"""All but the first line of a megabyte is always the same."""


def need(size: int) -> None:
    """RuntimeError unless there is room for so many bytes twice where the benchmark writes."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < 2 * size:
        raise RuntimeError(f"{folder} has {free:,} bytes free, and {2 * size:,} are needed; set TMPDIR, or a --size")


def warm(size: int) -> None:
    """Write and delete so many bytes, so that the files to come get memory that this machine has used before.

    To a virtual machine, memory that it never used is slow: whoever comes first would pay for it.
    """
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(size // MEGABYTE):
            file.write(_MEGABYTE)


_MEGABYTE = bytes(MEGABYTE)
