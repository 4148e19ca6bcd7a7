"""Reads a ZMQ socket on its raw descriptor within an asyncio loop: no polling, no thread, no zmq.asyncio.

The descriptor tells only once that something is there (zmq_getsockopt(3), ZMQ_FD), and sending may use that notice up.
So a reading goes on until nothing is left, a bounded number of messages per turn of the loop; and after sending, look.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import zmq

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

log = logging.getLogger("circus.doors")

EVENTS, FD, POLLIN, RCVMORE, NOBLOCK = (
    int(constant) for constant in (zmq.EVENTS, zmq.FD, zmq.POLLIN, zmq.RCVMORE, zmq.NOBLOCK)
)  # pyzmq's own constants are enums, whose arithmetic costs as much as a send
BUDGET = 50
"""Messages read in one turn of the loop, so that one busy client leaves everything else its turn."""


class Edge:
    """Hands each message of a socket to `handle`, until `close`; what `handle` raises is logged."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        socket: zmq.Socket[bytes],
        handle: Callable[[list[Any]], None],
        *,
        copy: bool = True,
    ) -> None:
        self._loop = loop
        self._socket = socket
        self._handle = handle
        self._copy = copy
        self._reading = False
        self._next: asyncio.Handle | None = None
        self._fd: int = socket.get(FD)  # type: ignore[assignment]
        loop.add_reader(self._fd, self.read)
        self._next = loop.call_soon(self.read)

    def read(self) -> None:
        """Hand on what has arrived, as much as one turn allows; harmless at any time."""
        if self._reading:
            return
        self._cancel()
        self._reading = True
        try:
            for _ in range(BUDGET):
                if self._fd < 0:
                    return
                if not self.pending():
                    return
                frames = self._message()
                try:
                    self._handle(frames)
                except Exception:
                    log.exception("a message could not be handled")
            if self._fd >= 0:
                self._next = self._loop.call_soon(self.read)
        finally:
            self._reading = False

    def pending(self) -> bool:
        """Whether something can be read now."""
        events: Any = self._socket.get(EVENTS)
        return bool(events & POLLIN)

    def _message(self) -> list[Any]:
        """The frames of the message that is there; as recv_multipart, at half its cost."""
        socket = self._socket
        frames: list[Any] = [socket.recv(NOBLOCK, self._copy)]
        while socket.get(RCVMORE):
            frames.append(socket.recv(NOBLOCK, self._copy))
        return frames

    def sent(self) -> None:
        """To be called after each send: come back for messages whose notice it used up."""
        if self._fd >= 0 and not self._reading and self._next is None and self.pending():
            self._next = self._loop.call_soon(self.read)

    def close(self) -> None:
        """Read no more. The socket stays open; close it afterwards."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._fd = -1
            self._cancel()

    def _cancel(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
