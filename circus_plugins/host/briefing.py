"""What circusd and a host process share: a piece of memory with two numbers, and after them the process's orders.

The numbers say which event the process has begun to handle, and which it has handled. Being memory that circusd keeps,
they are right whenever and however the process ends, and cost it no system call.
"""

from __future__ import annotations

import json
import mmap
import os
from typing import Any

SIZE = mmap.PAGESIZE


class Cursor:
    """How far a host process is, by `seq`."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, SIZE)
        self._numbers = memoryview(self._map).cast("q")

    @property
    def begun(self) -> int:
        """The event that was last handed to the plugins."""
        return self._numbers[0]

    @begun.setter
    def begun(self, seq: int) -> None:
        self._numbers[0] = seq

    @property
    def handled(self) -> int:
        """The last event that nobody works on any more."""
        return self._numbers[1]

    @handled.setter
    def handled(self, seq: int) -> None:
        self._numbers[1] = seq

    def close(self) -> None:
        self._numbers.release()
        self._map.close()


def create(name: str) -> int:
    """A descriptor of new shared memory; it is closed in children unless handed on."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.ftruncate(fd, SIZE)
    return fd


def write(fd: int, orders: dict[str, Any]) -> None:
    """Put other orders in place of those there are."""
    raw = json.dumps(orders).encode()
    os.ftruncate(fd, SIZE + len(raw))
    os.pwrite(fd, raw, SIZE)


def read(fd: int) -> dict[str, Any]:
    """The orders."""
    orders: dict[str, Any] = json.loads(os.pread(fd, os.fstat(fd).st_size - SIZE, SIZE))
    return orders
