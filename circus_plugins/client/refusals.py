"""Hears for an asyncio client whether circusd refuses a socket's keys for good, and of connections made anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from circus_plugins.client import greeting
from circus_plugins.client.handshake import CONNECTED, GONE, LOST, Handshake, event_of
from circus_plugins.doors.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Callable

    import zmq

    from circus_core.errors import CircusError
    from circus_plugins.client.connections import Connections


class Refusals:
    """Watches a socket that `connections` connected to `endpoint`, with a monitor that tells of `NEWS`.

    `refused` is called once, with the ForbiddenError; `connected` with each connection, the first included,
    and `gone` when one is lost.
    """

    NEWS = Handshake.NEWS

    def __init__(
        self,
        connections: Connections,
        socket: zmq.Socket[bytes],
        endpoint: str,
        refused: Callable[[CircusError], None],
        connected: Callable[[], None] = lambda: None,
        gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._connections, self._socket, self._endpoint = connections, socket, endpoint
        self._refused, self._connected, self._gone = refused, connected, gone
        self._over = False
        self._question: asyncio.Task[None] | None = None
        self._monitor = socket.get_monitor_socket()
        self._edge = Edge(asyncio.get_running_loop(), self._monitor, self._heard)

    def read(self) -> None:
        """Hear at once what has been told already."""
        self._edge.read()

    def close(self) -> None:
        """Hear no more; to be called before the socket is closed."""
        self._over = True
        if self._question is not None:
            self._question.cancel()
        self._edge.close()
        self._socket.disable_monitor()
        self._monitor.close(0)

    def _heard(self, frames: list[bytes]) -> None:
        event = event_of(frames[0])
        if event == CONNECTED:
            self._connected()
        elif event == GONE:
            self._gone()
        elif event != LOST:
            self._judge(self._connections.refusal(frames[0], self._endpoint))
        elif self._question is None and not self._over:
            self._question = asyncio.get_running_loop().create_task(self._ask(), name="question why circusd hung up")

    async def _ask(self) -> None:
        try:
            found = await _mechanism(self._connections.way(self._endpoint))
        finally:
            self._question = None
        self._judge(self._connections.mismatch(found, self._endpoint))

    def _judge(self, error: CircusError | None) -> None:
        if error is not None and not self._over:
            self._over = True
            self._refused(error)


async def _mechanism(way: str) -> str:
    """As `greeting.ask`."""
    try:
        host, port = greeting.place(way)
        async with asyncio.timeout(greeting.PATIENCE):
            opening = asyncio.open_connection(host, port) if port else asyncio.open_unix_connection(host)
            reader, writer = await opening
            try:
                writer.write(greeting.HELLO)
                return greeting.mechanism(await reader.readexactly(greeting.LENGTH))
            finally:
                writer.transport.abort()
    except (OSError, ValueError, EOFError, TimeoutError):
        return ""
