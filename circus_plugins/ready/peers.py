"""Finds which process has taken a connection that was made from here; it looks once, and waits for nothing."""

from __future__ import annotations

import os
import socket
import struct

from circus_plugins.ready.evidence import text

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST = 20, 1
UDIAG_SHOW_PEER = 4
UNIX_DIAG_PEER = 2
HEADER, REQUEST, REPLY, ATTRIBUTE = (struct.Struct(form) for form in ("=IHHII", "=BBHIIIII", "=BBBBIII", "=HH"))
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
NO_COOKIE = 0xFFFFFFFF


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
    """The inode of the other end of a unix socket, by sock_diag(7); 0 if nobody has taken it yet, or none tells."""
    request = REQUEST.pack(socket.AF_UNIX, 0, 0, 0xFFFFFFFF, inode, UDIAG_SHOW_PEER, NO_COOKIE, NO_COOKIE)
    header = HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
            kernel.send(header + request)
            reply = kernel.recv(8192)
    except OSError:
        return 0
    length, kind, *_ = HEADER.unpack_from(reply)
    at = HEADER.size + REPLY.size
    while kind == SOCK_DIAG_BY_FAMILY and at + ATTRIBUTE.size <= length:
        size, attribute = ATTRIBUTE.unpack_from(reply, at)
        if attribute == UNIX_DIAG_PEER:
            return int(struct.unpack_from("=I", reply, at + ATTRIBUTE.size)[0])
        at += max((size + 3) & ~3, ATTRIBUTE.size)
    return 0
