"""Writes to a descriptor that may be a file, a pipe or a terminal, and never waits for any of them."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

from circus_plugins.streams.sink import PartlyWritten

if TYPE_CHECKING:
    from collections.abc import Callable


class Descriptor:
    """Owns an open descriptor. Files take everything or fail; others may be full, and `ready` is called once not.

    It is `regular` if it is a file on a disk, and no device, terminal or FIFO: those are nobody's to move away.
    """

    def __init__(self, number: int, ready: Callable[[], None]) -> None:
        self.number = number
        found = os.fstat(number)
        self.identity = found.st_dev, found.st_ino
        self.regular = stat.S_ISREG(found.st_mode)
        self.size = found.st_size if self.regular else 0
        self._ready = ready
        self._waits = False

    @classmethod
    def append(cls, path: str, ready: Callable[[], None]) -> Descriptor:
        """Open a file to append to, and make it if it is not there; raises OSError.

        A FIFO that nobody reads is an error too, where a blocking open would keep circusd waiting.
        """
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        return cls(os.open(path, flags, 0o666), ready)

    @classmethod
    def same_as(cls, number: int, ready: Callable[[], None]) -> Descriptor:
        """Another descriptor for what a standard stream is, that does not block, though the stream still does.

        That is so for a pipe and a terminal, which are opened anew. A file would be written to at another place then,
        and never blocks; a socket cannot be opened. They are duplicated.
        """
        mode = os.fstat(number).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            try:
                return cls(os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK), ready)
            except OSError:
                pass  # somebody else's terminal, say: then it may block
        return cls(os.dup(number), ready)

    def write(self, data: memoryview | bytes) -> int:
        """How many bytes were taken; raises OSError, or PartlyWritten if some had been."""
        view = memoryview(data)
        taken = 0
        try:
            while taken < len(view):
                taken += os.write(self.number, view[taken:] if taken else view)
        except BlockingIOError:
            self._wait()
        except OSError as error:
            if taken:
                self.size += taken
                raise PartlyWritten(error.errno, error.strerror, taken) from error
            raise
        self.size += taken
        return taken

    def close(self) -> None:
        """Let go of it."""
        if self._waits:
            asyncio.get_running_loop().remove_writer(self.number)
            self._waits = False
        os.close(self.number)

    def _wait(self) -> None:
        if not self._waits:
            self._waits = True
            asyncio.get_running_loop().add_writer(self.number, self._writable)

    def _writable(self) -> None:
        self._waits = False
        asyncio.get_running_loop().remove_writer(self.number)
        self._ready()
