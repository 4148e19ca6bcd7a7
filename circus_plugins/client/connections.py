"""The sockets of one client and what they need: a context, a key, a way through ssh. It says nothing on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from circus_core.errors import EndpointError
from circus_plugins.client.handshake import Handshake, refusal

if TYPE_CHECKING:
    from circus_core.errors import CircusError
    from circus_plugins.client.tunnel import Tunnel
    from circus_plugins.doors.keys import Pair


class Connections:
    """Connects sockets, all with the same `key` (a file, or the keys in it) and through the same `ssh` host."""

    def __init__(self, key: str | Pair | None, ssh: str | None, ssh_keyfile: str | None) -> None:
        self.ssh = ssh
        self._key, self._ssh_keyfile = key, ssh_keyfile
        self._tunnels: list[Tunnel] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def connect(self, kind: int, endpoint: str, *, told: int, unlimited: bool = False) -> zmq.Socket[bytes]:
        """A socket of this kind, connected in the background; raises EndpointError for a bad key or endpoint.

        `socket.get_monitor_socket()` tells of all the events `told` (zmq_socket_monitor(3)), from the first on. Where
        it is `unlimited`, whatever was sent and has not left waits in it, and nothing is dropped.
        """
        socket = self._context.socket(kind)
        try:
            self._prepare(socket, endpoint)
            socket.get_monitor_socket(told)
            if unlimited:
                socket.sndhwm = 0
            try:
                socket.connect(self._way_to(endpoint))
            except zmq.ZMQError as error:
                raise EndpointError(
                    f"{endpoint} is not an endpoint: {error.strerror}", hint="expected ipc:///PATH or tcp://HOST:PORT"
                ) from error
        except BaseException:
            socket.close(0)
            raise
        return socket

    def handshake(self, kind: int, endpoint: str) -> Handshake:
        """As `connect`, for somebody who waits in a blocking way."""
        return Handshake(self.connect(kind, endpoint, told=Handshake.SIGNS), endpoint, keyed=self._key is not None)

    def refusal(self, frame: bytes, endpoint: str) -> CircusError | None:
        """The error of a refusal that the monitor of a socket connected to `endpoint` tells of, if it does."""
        return refusal(frame, endpoint, keyed=self._key is not None)

    def _prepare(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        socket.linger = 0
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        if self._key is not None:
            from circus_plugins.doors import keys

            pair = keys.load(self._key) if isinstance(self._key, str) else self._key
            # Unix sockets know who comes in, and take no key.
            if not endpoint.startswith("ipc://"):
                socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = pair

    def _way_to(self, endpoint: str) -> str:
        if self.ssh is None:
            return endpoint
        from circus_plugins.client.tunnel import Tunnel

        self._tunnels.append(Tunnel(endpoint, self.ssh, self._ssh_keyfile))
        return self._tunnels[-1].near

    def close(self) -> None:
        """Close every socket that is left, at once, and then the ways that they took."""
        self._context.destroy(0)
        for tunnel in self._tunnels:
            tunnel.close()
