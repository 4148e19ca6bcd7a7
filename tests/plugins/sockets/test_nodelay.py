"""What is written to a connection is sent at once, unless its socket says otherwise."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from circus_plugins.sockets.binding import configure, opened
from circus_plugins.sockets.options import SocketOptions


def nodelay(listener: socket.socket) -> int:
    """TCP_NODELAY of a connection that was accepted there by a program that sets nothing itself."""
    listener.setblocking(True)
    with socket.create_connection(listener.getsockname()[:2], 20), listener.accept()[0] as accepted:
        return accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def made(**given: Any) -> SocketOptions:
    return SocketOptions(**{"name": "web", "host": "127.0.0.1", "port": 0, **given})


@pytest.mark.covers("socket-option:nodelay")
def test_connections_have_it_from_the_socket() -> None:
    with opened(made()) as listener:
        assert nodelay(listener) == 1
        configure(listener, made(nodelay=False))
        assert nodelay(listener) == 0
    with opened(made(host="::1", family="AF_INET6")) as listener:
        assert nodelay(listener) == 1


def test_only_tcp_has_it(tmp_path: Any) -> None:
    for options in (made(type="SOCK_DGRAM"), made(path=str(tmp_path / "web.sock"))):
        opened(options).close()
