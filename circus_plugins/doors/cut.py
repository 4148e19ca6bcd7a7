"""Cuts off one who came in at a door. libzmq has no way to, so the connection is shut down below it: libzmq takes that
as it takes any connection that was lost."""

from __future__ import annotations

import os
import socket


def cut(descriptor: int, address: int | str) -> None:
    """Shut down a connection at our TCP port, or at our unix socket, whose address is as in `ipc://ADDRESS`.

    libzmq may have closed it meanwhile, and the number be that of another connection or file, which is left alone.
    """
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
        try:
            if _address(connection) != address:
                return
            connection.getpeername()
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has ended, or is no connection but the door
            return


def _address(connection: socket.socket) -> int | str | None:
    own = connection.getsockname()
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        port: int = own[1]
        return port
    if connection.family != socket.AF_UNIX:
        return None
    # Python gives the names of abstract sockets as bytes, with a NUL where libzmq has an @.
    return f"@{os.fsdecode(own[1:])}" if isinstance(own, bytes) else own
