"""Read from /proc who descends from whom; it signals nobody. See proc(5) for the formats."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
"""Given up for the moment of a look when no descriptor is left: who is taken for gone is not ended."""


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that tell who a process is. `started` is in clock ticks since boot."""

    state: str
    ppid: int
    group: int
    session: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether it still runs: a zombie has ended."""
        return self.state not in "ZXx"


def _spared(look: Callable[[str], T], path: str) -> T:
    """What `look` answers, even if this process has no descriptor left."""
    global _spare
    try:
        return look(path)
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
    os.close(_spare)
    try:
        return look(path)
    finally:
        _spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _read(path: str) -> bytes:
    """The whole of a small /proc file; empty if the process is gone or may not be read."""
    try:
        return _spared(_content, path)
    except OSError:
        return b""


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def stat(pid: int) -> Stat | None:
    """Who a process is, or None if it is gone."""
    text = _read(f"/proc/{pid}/stat")
    # The name in parentheses may itself have blanks and parentheses, so the fields are counted from its end.
    fields = text[text.rfind(b")") + 2 :].split(None, 21)
    if len(fields) < 20:
        return None
    return Stat(fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def children(pid: int) -> list[int]:
    """The direct children, of whichever thread."""
    try:
        threads = _spared(os.listdir, f"/proc/{pid}/task")
    except OSError:
        return []
    found: list[int] = []
    for thread in threads:
        found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def descendants(*roots: int) -> list[int]:
    """Children, their children and so on, in the order they are found; the roots are left out."""
    found: list[int] = []
    waiting = list(roots)
    seen = set(roots)
    while waiting:
        for child in children(waiting.pop()):
            if child not in seen:
                seen.add(child)
                found.append(child)
                waiting.append(child)
    return found


def identify(pids: list[int]) -> dict[int, int]:
    """Those of `pids` that live, each with its start time, which tells it from a later process of the same pid."""
    living = {}
    for pid in pids:
        seen = stat(pid)
        if seen is not None and seen.alive:
            living[pid] = seen.started
    return living


def everyone() -> list[int]:
    """All pids on the machine (in this pid namespace)."""
    return [int(name) for name in _spared(os.listdir, "/proc") if name.isdigit()]


def environment(pid: int) -> bytes:
    """The environment a process was started with, empty if it may not be read; entries end with NUL."""
    return _read(f"/proc/{pid}/environ")


def group_lives(group: int) -> bool:
    """Whether any process is left in a process group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
