"""Who came in with which key at a door that needs one, and the way out for those whose key was revoked since.

libzmq tells with a message whose key it came with and on which descriptor (zmq_msg_get(3), ZMQ_SRCFD), but it offers
no way to cut one peer off. So its connection is shut down below it, which libzmq takes as it takes any lost connection.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import zmq

if TYPE_CHECKING:
    from circus_plugins.doors.keys import Keyring


class Visitors:
    """Those who sent something at the TCP door of this port, by key (Z85)."""

    def __init__(self, keyring: Keyring, port: int) -> None:
        self._keyring = keyring
        self._port = port
        self._descriptors: dict[str, set[int]] = {}

    def note(self, frame: Any) -> None:
        """Remember who sent this frame, which must not have been copied."""
        descriptor = frame.get(zmq.SRCFD)
        for key, others in list(self._descriptors.items()):
            others.discard(descriptor)  # who had it before has gone
            if not others:
                del self._descriptors[key]
        self._descriptors.setdefault(frame.get("User-Id"), set()).add(descriptor)

    def show_out(self) -> list[str]:
        """Disconnect everybody whose key does not count any more; the keys that it were. Costs a stat(2) per key."""
        revoked = [key for key in self._descriptors if self._keyring.role(key) is None]
        for key in revoked:
            for descriptor in self._descriptors.pop(key):
                _shut_down(descriptor, self._port)
        return revoked


def _shut_down(descriptor: int, port: int) -> None:
    """Shut down a connection at this port of ours; libzmq may have closed it, and the number may be somebody else's."""
    try:
        own = os.dup(descriptor)
    except OSError:
        return
    try:
        connection = socket.socket(fileno=own)
    except OSError:  # no socket at all
        os.close(own)
        return
    with connection:
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.getsockname()[1] != port:
            return
        try:
            connection.getpeername()
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has ended, or is no connection but the door
            return
