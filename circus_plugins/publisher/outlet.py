"""The event endpoint's socket: knows who follows what, also besides events, and sends what it is given; it knows no
event."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import zmq

from circus_plugins.client.follow import TOPICS
from circus_plugins.doors.audience import Audience

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
        self.served: frozenset[str] = frozenset()
        self._subscribed = subscribed
        self._loop = asyncio.get_running_loop()
        self._synced: dict[bytes, asyncio.Future[None]] = {}
        self._audience = Audience(door, log, self._came, self._gone)
        self.topics = self._audience.topics

    def wanted(self) -> bool:
        """Whether anybody listens, and may; to be asked before each `send`."""
        return self._audience.wanted()

    def send(self, topic: bytes, body: bytes) -> None:
        """Send a topic and what belongs to it; whoever reads too slowly loses it."""
        self._audience.send(((topic, body),))

    def synced(self, text: str) -> asyncio.Future[None]:
        """Done once a subscription to `sync.TEXT` counts."""
        name = SYNC + text.encode()
        return self._synced.get(name) or self._sync_of(name)

    def _came(self, topic: bytes) -> None:
        self._serve(topic)
        if topic.startswith(SYNC):
            self._sync_of(topic).set_result(None)

    def _gone(self, topic: bytes) -> None:
        self._serve(topic)
        self._synced.pop(topic, None)

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
        for waiter in self._synced.values():
            waiter.cancel()
        if self.served:
            self.served = frozenset()
            self._subscribed(self.served)
        self._audience.close(LAST_WORDS)


def _of_events(topic: bytes) -> bool:
    """Whether it is a beginning of an event's topic, or begins with what these do; or is there for `sync` alone."""
    return any(topic.startswith(word) or word.startswith(topic) for word in (*TOPICS, SYNC))
