"""Tells when libzmq, whose own thread does it a while after it was told, has let go of an address. It binds none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import zmq

if TYPE_CHECKING:
    from circus_plugins.doors.monitor import Monitor


class Release:
    """Unbinds a socket, which may be closed right after; `over` is done once the port is free.

    What has connected stays connected.
    """

    def __init__(self, monitor: Monitor, socket: zmq.Socket[bytes], endpoint: str) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        monitor.on(zmq.Event.CLOSED, self._closed)
        socket.unbind(endpoint)

    def _closed(self, _descriptor: int) -> None:
        if not self.over.done():
            self.over.set_result(None)
