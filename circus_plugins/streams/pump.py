"""Reads the pipes of all processes in turn, so that none that floods keeps others, or a command, waiting.

Reading goes on as long as there is something, but after `TURN` bytes the loop looks at everything else first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

CHUNK = 1 << 18
"""Bytes of one read. Measured: as fast as splice(2) from here on, and more needs more of the processor's cache."""
LONGEST = 1 << 18
"""Bytes of a line that are kept until its end has come."""
TURN = 1 << 21
"""Bytes that are read before the loop looks at everything else: about 2 ms."""


class Readable(Protocol):
    """What the pump asks to read."""

    def pull(self, buffer: bytearray, view: memoryview) -> int:
        """Read once, and answer how many bytes that were."""
        ...


class Pump:
    """One buffer for all, and who has something to read."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(LONGEST + CHUNK)
        self._view = memoryview(self._buffer)
        self._waiting: deque[Readable] = deque()
        self._queued: set[Readable] = set()
        self._handle: asyncio.Handle | None = None

    def add(self, descriptor: int, channel: Readable) -> None:
        """Read from it whenever there is something."""
        self._loop.add_reader(descriptor, self._offer, channel)

    def remove(self, descriptor: int, channel: Readable) -> None:
        """Leave it alone, until it is added again."""
        self._loop.remove_reader(descriptor)
        if channel in self._queued:
            self._queued.discard(channel)
            self._waiting.remove(channel)

    def now(self, channel: Readable) -> int:
        """Read from it once, out of turn."""
        return channel.pull(self._buffer, self._view)

    def close(self) -> None:
        """Read nothing more."""
        if self._handle is not None:
            self._handle.cancel()
        self._waiting.clear()
        self._queued.clear()

    def _offer(self, channel: Readable) -> None:
        # The loop says so again in each of its rounds, until it was read.
        if channel in self._queued:
            return
        self._queued.add(channel)
        self._waiting.append(channel)
        if self._handle is None:
            self._handle = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._handle = None
        left = TURN
        while self._waiting and left > 0:
            channel = self._waiting.popleft()
            self._queued.discard(channel)
            left -= channel.pull(self._buffer, self._view)
        if self._waiting:
            self._handle = self._loop.call_soon(self._turn)
