"""One output pipe of one process: read, cut into whole lines, handed to a sink. It owns the end that circusd reads."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

from circus_core import open_files
from circus_plugins.streams.pump import CHUNK, LONGEST, held

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_plugins.streams.pump import Pump
    from circus_plugins.streams.recent import Recent
    from circus_plugins.streams.shared import Shared
    from circus_plugins.streams.sink import Source

F_SETPIPE_SZ = 1031
OFTEN, LARGE = 1 << 15, 1 << 20
"""Bytes that, read at once, show that a writer nearly fills its 64 KiB; what the pipe holds from then on (pipe(7))."""


def pipe() -> tuple[int, int]:
    """The end to read, which never blocks, and the end for a child.

    The child's end is open for reading too. So a child whose supervisor is killed gets no SIGPIPE when it writes: it
    has a reader, itself. Its output waits in the pipe for whoever opens that. Raises OSError, also where so many files
    are open that none would be left for clients.
    """
    ours, writing = os.pipe2(os.O_CLOEXEC)
    try:
        if not open_files.may_stay_open(ours):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        theirs = os.open(f"/proc/self/fd/{writing}", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(writing)
    os.set_blocking(ours, False)
    return ours, theirs


class Channel:
    """Reads until every process that has the other end is gone, or until it is closed.

    What is left of an unfinished line waits in `_rest`, as does what the sink did not take yet.
    """

    __slots__ = (
        "_descriptor", "_ended", "_large", "_over", "_overhear", "_pump", "_recent", "_rest",
        "sink", "source", "stalled",
    )  # fmt: skip

    def __init__(
        self,
        descriptor: int,
        source: Source,
        sink: Shared,
        recent: Recent,
        pump: Pump,
        over: Callable[[Channel], None],
        overhear: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._descriptor: int | None = descriptor
        self._pump = pump
        self._recent = recent
        self._over = over
        self._overhear = overhear
        self._rest = b""
        self._large = self.stalled = self._ended = False
        self.source = source
        self.sink = sink
        sink.join(self)
        pump.add(descriptor, self)

    def pull(self, buffer: bytearray, view: memoryview) -> int:
        """Read once and hand on what has become whole lines; answer how many bytes were read."""
        if self._descriptor is None or self.stalled:
            return 0
        begun = len(self._rest)
        buffer[:begun] = self._rest
        try:
            got = os.readv(self._descriptor, [view[begun : begun + CHUNK]])
        except BlockingIOError:
            return 0
        if not got:
            self._end()
            return 0
        if got >= OFTEN and not self._large:
            self._grow()
        total = begun + got
        self._recent.add(view[begun:total], self.source.pid, self.source.channel)
        if self._overhear is not None:
            self._overhear(self.source.channel, bytes(view[begun:total]))
        whole = buffer.rfind(b"\n", begun, total) + 1
        if not whole and total >= LONGEST:
            whole = total
        self._hand_on(view[:total], whole)
        return got

    def drain(self) -> None:
        """Read what there is now, at most what a pipe holds: its writer has just ended."""
        left = LARGE
        while left > 0 and (got := self._pump.now(self)):
            left -= got

    def go_on(self) -> None:
        """The sink takes more now."""
        if not self.stalled:
            return
        self.stalled = False
        view = memoryview(self._rest)
        whole = len(view) if self._ended else self._rest.rfind(b"\n") + 1
        if not whole and len(view) >= LONGEST:
            whole = len(view)
        self._hand_on(view, whole)
        if self.stalled:
            return
        if self._ended:
            self.close()
        elif self._descriptor is not None:
            self._pump.add(self._descriptor, self)

    def redirect(self, sink: Shared) -> None:
        """What comes from now on goes there."""
        self.sink.leave(self)
        self.sink = sink
        sink.join(self)
        self.go_on()

    def hush(self) -> None:
        """Nobody listens any more to what it reads."""
        self._overhear = None

    def close(self) -> None:
        """Hand on what is left, and let go of the pipe; what nobody has read from it is lost, and counted."""
        if self._descriptor is not None:
            self._pump.remove(self._descriptor, self)
            unread = held(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
            if self._rest:
                self._end_line()
                self._ended = True
                rest, self._rest = self._rest, b""
                unread += len(rest) - self.sink.write(memoryview(rest), self.source)
            self.sink.lose(unread, self.source)
        self.sink.leave(self)
        self._over(self)

    def _hand_on(self, view: memoryview, whole: int) -> None:
        taken = self.sink.write(view[:whole], self.source) if whole else 0
        self._rest = bytes(view[taken:])
        if taken < whole and not self.stalled:
            self.stalled = True
            if self._descriptor is not None:
                self._pump.remove(self._descriptor, self)

    def _end(self) -> None:
        """Nobody has the other end any more."""
        assert self._descriptor is not None
        self._pump.remove(self._descriptor, self)
        self._end_line()
        self._ended = True
        rest = memoryview(self._rest)
        if rest:
            self._hand_on(rest, len(rest))
        if not self.stalled:
            self.close()

    def _end_line(self) -> None:
        """Last words may lack the end of a line; for whoever follows them it has come."""
        if self._rest and not self._ended and not self._rest.endswith(b"\n"):
            self._recent.add(b"\n", self.source.pid, self.source.channel)

    def _grow(self) -> None:
        """A writer that fills its pipe waits less if it is larger; an ordinary user can only have so many."""
        self._large = True
        assert self._descriptor is not None
        try:
            fcntl.fcntl(self._descriptor, F_SETPIPE_SZ, LARGE)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EBUSY, errno.ENOMEM):
                raise
