"""A plugin's memory in a file that circusd holds open (memfd), so that it outlives the process however that ends.

What is new is written beside what is old, and then, as one write that no signal divides, which of both counts.
"""

from __future__ import annotations

import json
import os
import struct

from circus_core.memory import Memory

WHERE = struct.Struct("qq")
"""Offset and length of what counts."""


class SharedMemory(Memory):
    """The memory behind a descriptor that was inherited."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._at, self._size = WHERE.unpack(os.pread(fd, WHERE.size, 0))
        if self._size:
            self.texts = json.loads(os.pread(fd, self._size, self._at))

    def changed(self) -> None:
        """Write everything down."""
        raw = json.dumps(self.texts).encode()
        fits = WHERE.size + len(raw) <= self._at
        at = WHERE.size if fits else max(self._at + self._size, WHERE.size)
        os.pwrite(self._fd, raw, at)
        os.pwrite(self._fd, WHERE.pack(at, len(raw)), 0)
        self._at, self._size = at, len(raw)


def create(name: str) -> int:
    """A descriptor of an empty memory; it is closed in children unless handed on."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.pwrite(fd, WHERE.pack(0, 0), 0)
    return fd
