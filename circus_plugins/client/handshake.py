"""Tells at once where circusd refuses a client's keys; it reads the monitor of the client's socket and no message.

libzmq does not connect again after such a refusal, so there is nothing more to wait for. It tells of it once, and only
who has a monitor by then: the monitor comes before the connection.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import zmq

from circus_core.errors import ForbiddenError
from circus_plugins.client import greeting
from circus_plugins.client.wire import ENDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.errors import CircusError
    from circus_plugins.client.connections import Connections

_EVENT = struct.Struct("=HI")
"""The first frame of a monitor's message (zmq_socket_monitor(3))."""
AUTH, PROTOCOL = int(zmq.Event.HANDSHAKE_FAILED_AUTH), int(zmq.Event.HANDSHAKE_FAILED_PROTOCOL)
MISMATCH = int(zmq.Event.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
"""Of the protocol errors the one that means: one side wants keys, and the other does not."""
LOST = int(zmq.Event.HANDSHAKE_FAILED_NO_DETAIL)
CONNECTED, GONE = int(zmq.Event.HANDSHAKE_SUCCEEDED), int(zmq.Event.DISCONNECTED)
REFUSALS = AUTH | PROTOCOL
SETTLES = 10.0
"""Seconds after its return in which circusd may not answer yet: it opens one endpoint after the other."""


def event_of(frame: bytes) -> int:
    """What a monitor's message, of which this is the first frame, tells of."""
    event: int = _EVENT.unpack(frame)[0]
    return event


def refusal(frame: bytes, endpoint: str, *, keyed: bool) -> ForbiddenError | None:
    """What a monitor's message means for a client of `endpoint` that has a key or not, if it is a refusal for good."""
    event, value = _EVENT.unpack(frame)
    if event == AUTH:
        return ForbiddenError(
            f"{endpoint} does not accept this key: it was revoked, or never made there",
            hint="where circusd runs, `circusctl keys list` shows which there are; `circusctl keys new` makes one",
        )
    return mismatch(endpoint, keyed=keyed) if event == PROTOCOL and value == MISMATCH else None


def mismatch(endpoint: str, *, keyed: bool) -> ForbiddenError:
    """The error for a client with a key where none is taken, or without one where one is asked for."""
    if keyed:
        return ForbiddenError(f"{endpoint} takes no key", hint="circusd has no keys_dir for this endpoint")
    return ForbiddenError(f"{endpoint} asks for a key", hint="give one with --key FILE (or CIRCUSCTL_KEY, or `key`)")


class Handshake:
    """Sends and waits, in a blocking way, on a socket that `connections` connected to `endpoint`.

    The socket's monitor has to tell of `SIGNS`, and of `NEWS` too where somebody follows what is published there:
    `told` is called with False once the connection is lost, and with True once there is another.
    """

    SIGNS = REFUSALS | LOST
    NEWS = SIGNS | CONNECTED | GONE

    def __init__(
        self,
        connections: Connections,
        socket: zmq.Socket[bytes],
        endpoint: str,
        told: Callable[[bool], object] | None = None,
    ) -> None:
        self.socket = socket
        self._connections, self._endpoint = connections, endpoint
        self._told = told
        self._lost = False
        self._away = False
        self._back = False
        self._since = float("-inf")
        self._refusal: CircusError | None = None
        self._monitor = socket.get_monitor_socket()
        self._poller = zmq.Poller()
        self._poller.register(self._monitor, zmq.POLLIN)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether something can be read within this time (None: for ever); raises ForbiddenError if nothing will be.

        False also once there is another connection than before, so that what was missed can be asked for.
        """
        return self._await(zmq.POLLIN, seconds)

    def returned(self, *, answered: bool) -> bool:
        """After a question that was `answered` with an error, or not at all: whether circusd has been away just now.

        Waits for it, if it still is; and where it answers no more, for its going away.
        """
        patience = 0 if answered or self._settles() else int(ENDING * 1000)
        while self._refusal is None and not self._back and self._monitor.poll(None if self._away else patience):
            self._look()
        if self._refusal is not None:
            raise self._refusal
        back, self._back = self._back, False
        return back or (not answered and self._settles())

    def renew(self) -> None:
        """Have the socket tell of its subscriptions, which it does only when somebody looks at it, if they are due."""
        self.socket.getsockopt(zmq.EVENTS)

    def send(self, message: bytes, seconds: float) -> bool:
        """Whether the message could be sent within this time; raises ForbiddenError where nobody will take it."""
        if not self._await(zmq.POLLOUT, seconds):
            return False
        self.socket.send(message)
        return True

    def _await(self, what: int, seconds: float | None) -> bool:
        deadline = None if seconds is None else time.monotonic() + seconds
        self._poller.register(self.socket, what)
        while self._refusal is None:
            left = None if deadline is None else max(0, int((deadline - time.monotonic()) * 1000))
            ready = dict(self._poller.poll(left))
            if self._monitor in ready:
                self._look()
                if self._back:
                    self._back = False
                    return False
            elif self.socket in ready:
                return True
            elif not ready:
                return False
        raise self._refusal

    def doubt(self) -> str:
        """In words, what may be the matter where nobody answers; empty if there is no sign of it."""
        return (
            "it took the connection and broke it off: is this the key of another circusd?"
            if self._lost and self._connections.keyed(self._endpoint)
            else ""
        )

    def _look(self) -> None:
        frame = self._monitor.recv_multipart()[0]
        event = event_of(frame)
        if event in (CONNECTED, GONE):
            self._turn(away=event == GONE)
            return
        self._lost = True
        self._refusal = self._connections.refusal(frame, self._endpoint)
        if event == LOST:
            found = greeting.ask(self._connections.way(self._endpoint))
            self._refusal = self._connections.mismatch(found, self._endpoint)

    def _settles(self) -> bool:
        return time.monotonic() - self._since < SETTLES

    def _turn(self, *, away: bool) -> None:
        if self._away != away:
            self._away, self._back = away, not away
            self._since = time.monotonic()
            if self._told is not None:
                self._told(not away)

    def close(self) -> None:
        """Watch no more; to be called before the socket is closed."""
        if not self._monitor.closed:
            self.socket.disable_monitor()
            self._monitor.close(0)
