"""Gets a connected socket to a server: looks its host up, and tries one address after another. It waits for nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING, Any

from circus_plugins.streams.lookup import Lookup, numeric

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_plugins.streams.lookup import Address
    from circus_plugins.streams.target import Target

KINDS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
SILENCE = 60_000
"""Milliseconds after which a TCP server that acknowledges nothing counts as gone (TCP_USER_TIMEOUT of tcp(7))."""


class Connecting:
    """One attempt at a time. `connected` is called with the socket, or `failed` with the last error, later on."""

    def __init__(
        self, target: Target, connected: Callable[[socket.socket], None], failed: Callable[[OSError], None]
    ) -> None:
        self._target = target
        self._connected = connected
        self._failed = failed
        self._lookup: Lookup | None = None
        self._socket: socket.socket | None = None
        self._addresses: list[Address] = []

    @property
    def under_way(self) -> bool:
        """Whether an attempt is."""
        return self._lookup is not None or self._socket is not None

    def begin(self) -> socket.socket | None:
        """The socket where it connects at once, as unix sockets and UDP do; raises OSError if nothing can be."""
        target = self._target
        if target.scheme == "unix":
            return self._next([(socket.AF_UNIX, target.path)])
        kind = KINDS[target.scheme]
        addresses = numeric(target.host, target.port, kind)
        if addresses:
            return self._next(addresses)
        self._lookup = Lookup(target.host, target.port, kind, self._found)
        return None

    def stop(self) -> None:
        """Neither is called any more."""
        if self._lookup is not None:
            self._lookup.stop()
            self._lookup = None
        if self._socket is not None:
            asyncio.get_running_loop().remove_writer(self._socket)
            self._socket.close()
            self._socket = None

    def _found(self, answer: list[Address] | OSError) -> None:
        self._lookup = None
        if isinstance(answer, OSError):
            self._failed(answer)
        else:
            self._later(answer)

    def _later(self, addresses: list[Address]) -> None:
        try:
            made = self._next(addresses)
        except OSError as error:
            self._failed(error)
        else:
            if made is not None:
                self._connected(made)

    def _next(self, addresses: list[Address]) -> socket.socket | None:
        """Try the first, and the others if that fails at once; raises OSError after the last."""
        self._addresses = addresses[1:]
        family, address = addresses[0]
        kind = KINDS.get(self._target.scheme, socket.SOCK_DGRAM)
        try:
            made, number = _attempt(family, kind, address)
            if number == errno.EPROTOTYPE:
                # A unix socket is of one kind, and only trying tells.
                made.close()
                made, number = _attempt(family, socket.SOCK_STREAM, address)
            if number not in (0, errno.EINPROGRESS):
                made.close()
                raise OSError(number, os.strerror(number))
        except OSError:
            if self._addresses:
                return self._next(self._addresses)
            raise
        if not number:
            return made
        self._socket = made
        asyncio.get_running_loop().add_writer(made, self._decided)
        return None

    def _decided(self) -> None:
        made, self._socket = self._socket, None
        assert made is not None
        asyncio.get_running_loop().remove_writer(made)
        number = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not number:
            self._connected(made)
            return
        made.close()
        if self._addresses:
            self._later(self._addresses)
        else:
            self._failed(OSError(number, os.strerror(number)))


def _attempt(family: int, kind: int, address: Any) -> tuple[socket.socket, int]:
    made = socket.socket(family, kind)
    try:
        made.setblocking(False)
        if family != socket.AF_UNIX and kind == socket.SOCK_STREAM:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE)
        return made, made.connect_ex(address)
    except BaseException:
        made.close()
        raise
