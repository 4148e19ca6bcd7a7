"""Hears from libzmq what becomes of one socket's connections, see zmq_socket_monitor(3); it decides nothing about them.

A socket has one monitor for as long as it lives: a second one after the first may be told nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from typing import TYPE_CHECKING, Any

import zmq

from circus_plugins.doors.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS = itertools.count(1)
NEWS = struct.Struct("=HI")
"""An event and its value."""


class Monitor:
    """To be made before the socket is bound, so that nothing is missed."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._callbacks: dict[int, Callable[[int], None]] = {}
        # pyzmq would name it after a descriptor, which another socket may have before libzmq has forgotten the name.
        name = f"inproc://circus-monitor-{next(_NUMBERS)}"
        socket.monitor(name, zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED | zmq.Event.CLOSED)
        self._pair = socket.context.socket(zmq.PAIR)
        self._pair.connect(name)
        self._edge = Edge(asyncio.get_running_loop(), self._pair, self._happened)

    def on(self, event: zmq.Event, callback: Callable[[int], None]) -> None:
        """Call back with the descriptor when this happened."""
        self._callbacks[int(event)] = callback

    def close(self) -> None:
        """Hear no more; may be called again."""
        if self._pair.closed:
            return
        self._edge.close()
        if not self._socket.closed:
            self._socket.disable_monitor()
        self._pair.close(0)

    def _happened(self, frames: list[Any]) -> None:
        event, descriptor = NEWS.unpack(frames[0])
        if callback := self._callbacks.get(event):
            callback(descriptor)
