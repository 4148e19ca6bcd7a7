"""Reads the pipes of all processes in turn, so that none that floods keeps others, or a command, waiting.

Reading goes on as long as there is something, but after `TURN` bytes the loop looks at everything else first. A pipe
that gets a little again and again is left to fill for a moment between two reads: else circusd would wake up for each
line, and make its writer wake it each time.
"""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios
from collections import deque
from typing import Protocol

CHUNK = 1 << 18
"""Bytes of one read. Measured: as fast as splice(2) from here on, and more needs more of the processor's cache."""
LONGEST = 1 << 18
"""Bytes of a line that are kept until its end has come."""
TURN = 1 << 21
"""Bytes that are read before the loop looks at everything else: about 2 ms."""
LITTLE = 1 << 14
"""Bytes of a read that was hardly worth it. Who writes more between two reads, as fast as they come, fills the pipe
before a rest has ended."""
REST = 0.001
"""Seconds that a pipe is left to fill. The loop's own timer is no finer."""
HASTE = 0.02
"""Seconds without a rest for a pipe that got full in one."""
F_GETPIPE_SZ = 1032


def held(descriptor: int) -> int:
    """How many bytes wait in a pipe."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


class Readable(Protocol):
    """What the pump asks to read."""

    def pull(self, buffer: bytearray, view: memoryview) -> int:
        """Read once, and answer how many bytes that were."""
        ...


class _Pipe:
    """One that is to be read. While it is `resting` the loop does not tell that there is something in it."""

    __slots__ = ("channel", "descriptor", "hasty_until", "queued", "read_at", "resting")

    def __init__(self, descriptor: int, channel: Readable) -> None:
        self.descriptor = descriptor
        self.channel = channel
        self.queued = self.resting = False
        self.read_at = self.hasty_until = 0.0

    def nearly_full(self) -> bool:
        """Whether its writer has to wait, or will have to soon."""
        return held(self.descriptor) > fcntl.fcntl(self.descriptor, F_GETPIPE_SZ) * 3 // 4


class Pump:
    """One buffer for all, and who has something to read."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(LONGEST + CHUNK)
        self._view = memoryview(self._buffer)
        self._pipes: dict[Readable, _Pipe] = {}
        self._waiting: deque[_Pipe] = deque()
        self._resting: list[_Pipe] = []
        self._left = TURN
        self._turning: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, descriptor: int, channel: Readable) -> None:
        """Read from it whenever there is something."""
        pipe = self._pipes[channel] = _Pipe(descriptor, channel)
        self._loop.add_reader(descriptor, self._offer, pipe)

    def remove(self, descriptor: int, channel: Readable) -> None:
        """Leave it alone, until it is added again."""
        pipe = self._pipes.pop(channel, None)
        if pipe is None:
            return
        if not pipe.resting:
            self._loop.remove_reader(descriptor)
        elif pipe in self._resting:
            self._resting.remove(pipe)
        if pipe.queued:
            self._waiting.remove(pipe)

    def now(self, channel: Readable) -> int:
        """Read from it once, out of turn."""
        return channel.pull(self._buffer, self._view)

    def close(self) -> None:
        """Read nothing more."""
        for handle in (self._turning, self._timer):
            if handle is not None:
                handle.cancel()
        self._waiting.clear()
        self._resting.clear()

    def _offer(self, pipe: _Pipe) -> None:
        """There may be something in it: read at once, or if much was read in this round of the loop, in the next."""
        # The loop says so again in each of its rounds, until it was read.
        if pipe.queued or self._pipes.get(pipe.channel) is not pipe:
            return
        if self._turning is None:
            self._begin_round()
        if self._left > 0:
            self._read(pipe)
        else:
            pipe.queued = True
            self._waiting.append(pipe)

    def _begin_round(self) -> None:
        self._left = TURN
        self._turning = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """In the next round, those who have waited come first."""
        self._turning = None
        if self._waiting:
            self._begin_round()
        for _ in range(len(self._waiting)):
            # A read may have ended another.
            if self._left <= 0 or not self._waiting:
                break
            pipe = self._waiting.popleft()
            pipe.queued = False
            self._read(pipe)

    def _read(self, pipe: _Pipe) -> None:
        got = pipe.channel.pull(self._buffer, self._view)
        self._left -= got
        if self._pipes.get(pipe.channel) is not pipe:
            return
        now = self._loop.time()
        again, pipe.read_at = now - pipe.read_at < 2 * REST, now
        if pipe.resting and not got:
            self._wake(pipe)
        elif got < LITTLE and (pipe.resting or (again and now >= pipe.hasty_until)):
            if not pipe.resting:
                pipe.resting = True
                self._loop.remove_reader(pipe.descriptor)
            self._resting.append(pipe)
            if self._timer is None:
                self._timer = self._loop.call_later(REST, self._rested)
        elif pipe.resting:
            pipe.queued = True
            self._waiting.append(pipe)

    def _wake(self, pipe: _Pipe) -> None:
        """From now on the loop tells when there is something in it."""
        pipe.resting = False
        self._loop.add_reader(pipe.descriptor, self._offer, pipe)

    def _rested(self) -> None:
        self._timer = None
        rested, self._resting = self._resting, []
        for pipe in rested:
            if self._pipes.get(pipe.channel) is not pipe:
                continue
            if pipe.nearly_full():
                pipe.hasty_until = self._loop.time() + HASTE
                self._wake(pipe)
            self._offer(pipe)
