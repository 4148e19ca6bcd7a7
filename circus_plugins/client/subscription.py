"""A subscription to circusd's events, read only as fast as its owner asks: what he does not take waits in libzmq.

Where too much waits there, circusd drops the newest for this subscriber; `seq` shows it, and they can be asked for.
So can those that were published while there was no connection, of which `renewed` tells.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import zmq

from circus_plugins.client.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from circus_core.errors import CircusError
    from circus_plugins.client.connections import Connections

BATCH = 200
"""The most messages of one batch, so that whoever handles them lets others have their turn."""


class Subscription:
    """A SUB socket on its raw descriptor (zmq_getsockopt(3), ZMQ_FD), which is only watched while nothing is there.

    `connections` connected it to `endpoint`, so that its monitor tells of `Refusals.NEWS`.
    """

    def __init__(
        self, connections: Connections, socket: zmq.Socket[bytes], endpoint: str, topics: Iterable[bytes]
    ) -> None:
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._fd: int = socket.getsockopt(zmq.FD)  # type: ignore[assignment]
        self._waiting: asyncio.Future[None] | None = None
        self._renewed = False
        self._lost = False
        self._news = False
        self._refusal: CircusError | None = None
        self._refusals = Refusals(connections, socket, endpoint, self._refused, self._connected, self._gone)
        for topic in topics:
            socket.subscribe(topic)

    @property
    def closed(self) -> bool:
        """Whether nothing comes any more."""
        return self._socket.closed

    def pending(self) -> bool:
        """Whether something can be read at once."""
        events: Any = self._socket.getsockopt(zmq.EVENTS)
        return bool(events & zmq.POLLIN)

    def renewed(self) -> bool:
        """Whether there is another connection, perhaps the first, than when this was last asked."""
        renewed, self._renewed = self._renewed, False
        return renewed

    def renew(self) -> None:
        """Have the socket tell of its subscriptions, which it does only when somebody looks at it, if they are due."""
        if not self._socket.closed:
            self._socket.getsockopt(zmq.EVENTS)

    def lost(self) -> bool:
        """Whether the connection was lost, and there is no other yet."""
        if self._lost and not self._socket.closed:
            # What tells of it comes another way than messages, and may not have been read yet.
            self._refusals.read()
        return self._lost

    async def batch(self) -> list[bytes]:
        """The payloads that have arrived since; none only if it was closed, or the connection renewed.

        Raises ForbiddenError once circusd refuses this subscriber's key, or its having none.
        """
        while True:
            found = await self.messages()
            if found or self._renewed or self.closed:
                return [payload for _topic, payload in found]

    async def messages(self) -> list[tuple[bytes, bytes]]:
        """As `batch`, each payload with its topic; none once after the connection was lost or renewed."""
        while not self._socket.closed:
            found = self._arrived()
            if found or self._news:
                self._news = False
                return found
            if self._refusal is not None:
                raise self._refusal
            self._waiting = self._loop.create_future()
            self._loop.add_reader(self._fd, self._wake)
            try:
                await self._waiting
            finally:
                self._loop.remove_reader(self._fd)
        return []

    def close(self) -> None:
        """End it, and whoever waits for more."""
        if not self._socket.closed:
            self._loop.remove_reader(self._fd)
            self._refusals.close()
            self._socket.close(0)
            self._wake()

    def _connected(self) -> None:
        self._renewed, self._lost, self._news = True, False, True
        self._wake()

    def _gone(self) -> None:
        if not self._lost:
            self._lost = self._news = True
        self._wake()

    def _refused(self, error: CircusError) -> None:
        self._refusal = error
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _arrived(self) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        receive: Any = self._socket.recv
        try:
            while len(found) < BATCH:
                # Two frames, the topic and the event; the second is there once the first is (zmq_msg_recv(3)).
                found.append((receive(zmq.NOBLOCK), receive()))
        except zmq.Again:
            pass
        return found
