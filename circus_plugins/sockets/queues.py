"""How much waits at sockets, asked of the kernel when somebody wants to know; it keeps nothing and never polls."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

_ACCEPT_QUEUE = struct.Struct("=2I")
_UNACKED = 24
"""Where `tcpi_unacked` and `tcpi_sacked` are in struct tcp_info: of a listening socket, what waits and may wait
(linux/tcp.h, net/ipv4/tcp.c)."""
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")
"""linux/sock_diag.h: bytes that wait, and may wait, are the first two, and what was dropped the last."""

_SOCK_DIAG, _BY_FAMILY = 4, 20
_REQUEST, _DUMP, _ERROR, _DONE = 0x1, 0x300, 0x2, 0x3
_LISTENING = 1 << 10
_SHOW_QUEUE, _QUEUE = 0x10, 4
"""linux/unix_diag.h: UDIAG_SHOW_RQLEN and UNIX_DIAG_RQLEN."""
_HEADER, _FOUND, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=4BI2I"), struct.Struct("=HH")


@frozen
class Queue:
    """What waits at a socket: `waiting` connections of at most `limit`, or bytes of datagrams. `dropped` counts
    connections or datagrams that were turned away since it was opened. None is what the kernel does not tell."""

    waiting: int | None = None
    limit: int | None = None
    dropped: int | None = None

    @property
    def full(self) -> bool:
        """Whether the next one is turned away."""
        return self.waiting is not None and self.limit is not None and self.waiting > self.limit


def measured(sockets: Iterable[socket.socket]) -> list[Queue]:
    """The queue of each socket, in their order; however many there are, what is asked once is asked once."""
    asked = list(sockets)
    local: dict[int, Queue] = {}
    if any(each.family == socket.AF_UNIX for each in asked):
        with contextlib.suppress(OSError):
            local = _listening_paths()
    return [_measured(each, local) for each in asked]


def waiting(one: socket.socket) -> int:
    """How many connections wait at a socket, or how many bytes of datagrams; 0 where the kernel does not tell."""
    return measured([one])[0].waiting or 0


def _measured(one: socket.socket, local: dict[int, Queue]) -> Queue:
    try:
        if one.family == socket.AF_UNIX:
            return local.get(os.fstat(one.fileno()).st_ino, Queue())
        memory = _MEMINFO.unpack(one.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
        if one.type != socket.SOCK_STREAM:
            return Queue(memory[0], memory[1], memory[8])
        info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED + _ACCEPT_QUEUE.size)
        waiting, limit = _ACCEPT_QUEUE.unpack_from(info, _UNACKED)
        return Queue(waiting, limit, memory[8])
    except (OSError, struct.error):
        return Queue()


def _listening_paths() -> dict[int, Queue]:
    """The queues of all unix sockets of this machine to which one connects, by inode (sock_diag(7))."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as link:
        link.settimeout(0)
        asked = struct.pack("=4BIIIII", socket.AF_UNIX, 0, 0, 0, _LISTENING, 0, _SHOW_QUEUE, 0, 0)
        link.send(_HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _REQUEST | _DUMP, 1, 0) + asked)
        found: dict[int, Queue] = {}
        while _take(link.recv(1 << 16), found):
            pass
    return found


def _take(answer: bytes, found: dict[int, Queue]) -> bool:
    """Enter what one answer says; whether there are more to come."""
    at = 0
    while at + _HEADER.size <= len(answer):
        length, kind, *_rest = _HEADER.unpack_from(answer, at)
        if kind in (_ERROR, _DONE) or length < _HEADER.size:
            return False
        body = at + _HEADER.size
        *_kind, inode, _cookie, _cookie = _FOUND.unpack_from(answer, body)
        entry = body + _FOUND.size
        while entry + _ATTRIBUTE.size <= at + length:
            size, name = _ATTRIBUTE.unpack_from(answer, entry)
            if name == _QUEUE:
                found[inode] = Queue(*_ACCEPT_QUEUE.unpack_from(answer, entry + _ATTRIBUTE.size))
            entry += max((size + 3) & ~3, _ATTRIBUTE.size)
        at += (length + 3) & ~3
    return True
