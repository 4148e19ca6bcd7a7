"""The sockets of one client and what they need: a context, a key, a way through ssh. It says nothing on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from circus_core.errors import EndpointError
from circus_plugins.client.handshake import Handshake, mismatch, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.errors import CircusError
    from circus_plugins.client.tunnel import Tunnel
    from circus_plugins.doors.keys import Pair


class Connections:
    """Connects sockets, all with the same `key` (a file, or the keys in it) and through the same `ssh` host."""

    def __init__(self, key: str | Pair | None, ssh: str | None, ssh_keyfile: str | None) -> None:
        self.ssh = ssh
        self._key, self._ssh_keyfile = key, ssh_keyfile
        self._tunnels: list[Tunnel] = []
        self._ways: dict[str, str] = {}
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
                socket.connect(self._find_way(endpoint))
            except zmq.ZMQError as error:
                raise EndpointError(
                    f"{endpoint} is not an endpoint: {error.strerror}", hint="expected ipc:///PATH or tcp://HOST:PORT"
                ) from error
        except BaseException:
            socket.close(0)
            raise
        return socket

    def handshake(self, kind: int, endpoint: str, told: Callable[[bool], object] | None = None) -> Handshake:
        """As `connect`, for somebody who waits in a blocking way; `told` is for who follows."""
        signs = Handshake.NEWS if kind == zmq.SUB else Handshake.SIGNS
        return Handshake(self, self.connect(kind, endpoint, told=signs), endpoint, told)

    def refusal(self, frame: bytes, endpoint: str) -> CircusError | None:
        """The error of a refusal that the monitor of a socket connected to `endpoint` tells of, if it does."""
        return refusal(frame, endpoint, keyed=self.keyed(endpoint))

    def mismatch(self, mechanism: str, endpoint: str) -> CircusError | None:
        """The error of a refusal, if who listens at `endpoint` has another `mechanism` than we."""
        keyed = self.keyed(endpoint)
        return mismatch(endpoint, keyed=keyed) if mechanism == ("NULL" if keyed else "CURVE") else None

    def keyed(self, endpoint: str) -> bool:
        """Whether we show a key at this endpoint. Unix sockets know who comes in, and take none."""
        return self._key is not None and not endpoint.startswith("ipc://")

    def way(self, endpoint: str) -> str:
        """Where the sockets for `endpoint` are connected to: another one if they go through ssh."""
        return self._ways[endpoint]

    def _prepare(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        socket.linger = 0
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        if self._key is not None:
            from circus_plugins.doors import keys

            pair = keys.load(self._key) if isinstance(self._key, str) else self._key
            if self.keyed(endpoint):
                socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = pair

    def _find_way(self, endpoint: str) -> str:
        if self.ssh is None:
            self._ways[endpoint] = endpoint
            return endpoint
        from circus_plugins.client.tunnel import Tunnel

        self._tunnels.append(Tunnel(endpoint, self.ssh, self._ssh_keyfile))
        self._ways[endpoint] = self._tunnels[-1].near
        return self._ways[endpoint]

    def close(self) -> None:
        """Close every socket that is left, at once, and then the ways that they took."""
        self._context.destroy(0)
        for tunnel in self._tunnels:
            tunnel.close()
