"""Finds which process has taken a connection that was made from here; it looks once, and waits for nothing."""

from __future__ import annotations

import os
import socket
import sys

from circus_plugins import sockdiag
from circus_plugins.ready.evidence import text

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def taker(ours: socket.socket) -> int:
    """The inode of the socket at the other end of a connection, 0 as long as nobody has accepted it."""
    if ours.family == socket.AF_UNIX:
        return _peer(os.fstat(ours.fileno()).st_ino)
    try:
        ports = ours.getpeername()[1], ours.getsockname()[1]
    except OSError:
        # It was reset.
        return 0
    return next(filter(None, (_accepted(table, *ports) for table in TABLES)), 0)


def _accepted(table: str, theirs: int, ours: int) -> int:
    """The inode of a connection between two ports, seen from the server's side."""
    wanted = f":{theirs:04X}", f":{ours:04X}"
    for line in text(table).splitlines()[1:]:
        fields = line.split(None, 10)
        if fields[1].endswith(wanted[0]) and fields[2].endswith(wanted[1]):
            return int(fields[9])
    return 0


def _peer(inode: int) -> int:
    """The inode of the other end of a unix socket, 0 if nobody has taken it yet, or none tells."""
    try:
        attributes = sockdiag.one(inode, sockdiag.SHOW_PEER)
    except OSError:
        return 0
    peer = attributes.get(sockdiag.PEER)
    return int.from_bytes(peer, sys.byteorder) if peer else 0
