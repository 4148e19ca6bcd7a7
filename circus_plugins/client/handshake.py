"""Waits on a socket, and tells at once where circusd refuses its keys; it reads nothing but the socket's monitor.

libzmq does not connect again after such a refusal, so there is nothing more to wait for.
"""

from __future__ import annotations

import struct
import time

import zmq

from circus_core.errors import ForbiddenError

_EVENT = struct.Struct("=HI")
"""The first frame of a monitor's message (zmq_socket_monitor(3))."""
AUTH, PROTOCOL = int(zmq.Event.HANDSHAKE_FAILED_AUTH), int(zmq.Event.HANDSHAKE_FAILED_PROTOCOL)
MISMATCH = int(zmq.Event.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
"""Of the protocol errors the one that means: one side wants keys, and the other does not."""
LOST = int(zmq.Event.HANDSHAKE_FAILED_NO_DETAIL)


class Handshake:
    """The handshakes of a socket that connects to `endpoint`; only TCP has any that can fail."""

    def __init__(self, socket: zmq.Socket[bytes], endpoint: str, *, keyed: bool) -> None:
        self._endpoint, self._keyed = endpoint, keyed
        self._lost = False
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._socket = socket
        self._monitor: zmq.Socket[bytes] | None = None
        if endpoint.startswith("tcp://"):
            self._monitor = socket.get_monitor_socket(AUTH | PROTOCOL | LOST)
            self._poller.register(self._monitor, zmq.POLLIN)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether something can be read within this time (None: for ever); raises ForbiddenError if nothing will be."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if deadline is None else max(0, int((deadline - time.monotonic()) * 1000))
            ready = dict(self._poller.poll(left))
            if self._socket in ready:
                return True
            if not ready:
                return False
            self._look()

    def doubt(self) -> str:
        """In words, what may be the matter where nobody answers; empty if there is no sign of it."""
        return (
            "it took the connection and broke it off: is this the key of another circusd?"
            if self._lost and self._keyed
            else ""
        )

    def _look(self) -> None:
        assert self._monitor is not None
        event, value = _EVENT.unpack(self._monitor.recv_multipart()[0])
        if event == AUTH:
            raise ForbiddenError(
                f"{self._endpoint} does not accept this key: it was revoked, or never made there",
                hint="where circusd runs, `circusctl keys list` shows which there are; `circusctl keys new` makes one",
            )
        mismatch = event == PROTOCOL and value == MISMATCH
        if mismatch and not self._keyed:
            raise ForbiddenError(
                f"{self._endpoint} asks for a key", hint="give one with --key FILE (or CIRCUSCTL_KEY, or `key`)"
            )
        if mismatch:
            raise ForbiddenError(f"{self._endpoint} takes no key", hint="circusd has no keys_dir for this endpoint")
        self._lost = True

    def close(self) -> None:
        """Watch no more; to be called before the socket is closed."""
        if self._monitor is not None:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._monitor = None
