"""Tells when libzmq has let go of a TCP port: its own thread closes it, a while after it was told. It binds none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import zmq

from circus_plugins.doors.edge import Edge

if TYPE_CHECKING:
    from typing import Any


class Release:
    """Unbinds a socket, which may be closed right after; `over` is done once the port is free.

    The notice is ZMQ_EVENT_CLOSED of the socket's monitor (zmq_socket_monitor(3)). What has connected stays connected.
    """

    def __init__(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = loop.create_future()
        self._socket = socket
        self._monitor = socket.get_monitor_socket(zmq.Event.CLOSED)
        self._edge = Edge(loop, self._monitor, self._closed)
        socket.unbind(endpoint)

    def _closed(self, _frames: list[Any]) -> None:
        self.drop()
        if not self._socket.closed:
            self._socket.disable_monitor()
        self.over.set_result(None)

    def drop(self) -> None:
        """Listen no more: the context is about to end, and waits for all of this by itself."""
        self._edge.close()
        self._monitor.close(0)
