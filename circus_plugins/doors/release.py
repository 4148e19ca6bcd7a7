"""Tells when libzmq, whose own thread does it a while after it was told, has let go of an address. It binds none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import zmq

if TYPE_CHECKING:
    from circus_plugins.doors.monitor import Monitor


class Release:
    """To be made before a socket is unbound or closed; `over` is done once its address is free."""

    def __init__(self, monitor: Monitor) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        monitor.on(zmq.Event.CLOSED, self._closed)

    def _closed(self, _descriptor: int) -> None:
        if not self.over.done():
            self.over.set_result(None)
