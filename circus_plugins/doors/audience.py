"""Who has subscribed to what at an open door (an XPUB socket), and what they are sent; it knows no topic by itself.

Where clients need a key, nothing that happens after a key was revoked goes to its owner.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import zmq

from circus_plugins.doors.edge import Edge
from circus_plugins.doors.visitors import Visitors

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable

    from circus_plugins.doors.door import Door

FIRST, LAST = int(zmq.NOBLOCK | zmq.SNDMORE), int(zmq.NOBLOCK)
"""Flags of the two frames of a message."""


class Audience:
    """Those at a door; `topics` are all that anybody has subscribed to.

    `came` is called with a topic that somebody subscribed to, `gone` with one that nobody is subscribed to any more.
    """

    def __init__(
        self, door: Door, log: logging.Logger, came: Callable[[bytes], None], gone: Callable[[bytes], None]
    ) -> None:
        self.door = door
        self.topics: set[bytes] = set()
        self._came, self._gone = came, gone
        self._log = log
        self._visitors = Visitors(door.keyring, door.port) if door.keyring is not None else None
        # Only a frame that is not copied can tell whose key it came with.
        self._edge = Edge(asyncio.get_running_loop(), door.socket, self._heard, copy=self._visitors is None)

    def wanted(self) -> bool:
        """Whether anybody listens, and may; to be asked before each `send`."""
        edge = self._edge
        if (self._visitors is not None or not self.topics) and edge.pending():
            edge.read()  # somebody may just have subscribed
        if not self.topics:
            return False
        if self._visitors is not None:
            for key in self._visitors.show_out():
                self._log.info("subscriptions with the key %s ended, as it was revoked", key)
        return True

    def send(self, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Send topics with what belongs to them; whoever reads too slowly loses it."""
        send = self.door.socket.send
        for topic, body in messages:
            send(topic, FIRST)
            send(body, LAST)
        self._edge.sent()

    def close(self, linger: float) -> None:
        """Hear of nobody any more, and close the door; what was sent has `linger` seconds to arrive."""
        self._edge.close()
        self.door.close(linger)

    def _heard(self, frames: list[Any]) -> None:
        """XPUB tells each subscription to a topic (1 and its name) and the end of its last one (0 and its name)."""
        frame = frames[0]
        message: bytes = frame if isinstance(frame, bytes) else frame.bytes
        kind, name = message[:1], message[1:]
        if kind == b"\1":
            if self._visitors is not None:
                self._visitors.note(frame)
            self.topics.add(name)
            self._came(name)
        elif kind == b"\0":
            self.topics.discard(name)
            self._gone(name)
