"""The XPUB socket: knows who has subscribed to what, and sends what it is given; it knows no event.

Where clients need a key, nothing that happens after a key was revoked goes to its owner.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import zmq

from circus_plugins.client.follow import TOPICS
from circus_plugins.doors.edge import Edge
from circus_plugins.doors.visitors import Visitors

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from circus_plugins.doors.door import Door

SYNC = b"sync."
"""A client that subscribes to such a topic and names it in `events` is answered once its subscription counts."""
SYNC_KEPT = 1000
LAST_WORDS = 0.2
"""Seconds that the final events have to reach their subscribers."""
SOCKOPTS = {int(zmq.XPUB_VERBOSE): 1}
"""So that the second subscriber to a topic is told of too."""


class Outlet:
    """Publishes through an open door; `topics` are all that anybody has subscribed to.

    `served` are those of them that no event has; `subscribed` is called with them whenever they change.
    """

    def __init__(self, door: Door, log: logging.Logger, subscribed: Callable[[frozenset[str]], None]) -> None:
        self.door = door
        self.topics: set[bytes] = set()
        self.served: frozenset[str] = frozenset()
        self._subscribed = subscribed
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._synced: dict[bytes, asyncio.Future[None]] = {}
        self._visitors = Visitors(door.keyring, door.port) if door.keyring is not None else None
        # Only a frame that is not copied can tell whose key it came with.
        self._edge = Edge(self._loop, door.socket, self._heard, copy=self._visitors is None)

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

    def send(self, frames: list[bytes]) -> None:
        """Send a topic and what belongs to it; whoever reads too slowly loses it."""
        self.door.socket.send_multipart(frames, zmq.NOBLOCK)
        self._edge.sent()

    def synced(self, text: str) -> asyncio.Future[None]:
        """Done once a subscription to `sync.TEXT` counts."""
        name = SYNC + text.encode()
        return self._synced.get(name) or self._sync_of(name)

    def _heard(self, frames: list[Any]) -> None:
        """XPUB tells each subscription to a topic (1 and its name) and the end of its last one (0 and its name)."""
        frame = frames[0]
        message: bytes = frame if isinstance(frame, bytes) else frame.bytes
        kind, name = message[:1], message[1:]
        if kind == b"\1":
            if self._visitors is not None:
                self._visitors.note(frame)
            self.topics.add(name)
            self._serve(name)
            if name.startswith(SYNC):
                self._sync_of(name).set_result(None)
        elif kind == b"\0":
            self.topics.discard(name)
            self._serve(name)
            self._synced.pop(name, None)

    def _serve(self, changed: bytes) -> None:
        """Tell of topics that are no event's, if this is one."""
        if not _of_events(changed):
            served = frozenset(name.decode(errors="replace") for name in self.topics if not _of_events(name))
            if served != self.served:
                self.served = served
                self._subscribed(served)

    def _sync_of(self, name: bytes) -> asyncio.Future[None]:
        waiter = self._synced.get(name)
        if waiter is None or waiter.done():
            while len(self._synced) >= SYNC_KEPT:
                self._synced.pop(next(iter(self._synced))).cancel()
            waiter = self._synced[name] = self._loop.create_future()
        return waiter

    async def close(self) -> None:
        """Let the final events out, and close."""
        self._edge.close()
        for waiter in self._synced.values():
            waiter.cancel()
        if self.served:
            self.served = frozenset()
            self._subscribed(self.served)
        self.door.close(LAST_WORDS)


def _of_events(topic: bytes) -> bool:
    """Whether it is a beginning of an event's topic, or begins with what these do; or is there for `sync` alone."""
    return any(topic.startswith(word) or word.startswith(topic) for word in (*TOPICS, SYNC))
