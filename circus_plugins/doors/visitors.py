"""Who came in with which key at a door that needs one, and the way out for those whose key was revoked since.

libzmq tells with a message whose key it came with and on which descriptor (zmq_msg_get(3), ZMQ_SRCFD).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import zmq

from circus_plugins.doors.cut import cut

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
                cut(descriptor, self._port)
        return revoked
