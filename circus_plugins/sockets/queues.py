"""How much waits at sockets, asked of the kernel when somebody wants to know; it keeps nothing and never polls."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

from attrs import frozen

from circus_plugins import sockdiag

if TYPE_CHECKING:
    from collections.abc import Iterable

_ACCEPT_QUEUE = struct.Struct("=2I")
_UNACKED = 24
"""Where `tcpi_unacked` and `tcpi_sacked` are in struct tcp_info: of a listening socket, what waits and may wait
(linux/tcp.h, net/ipv4/tcp.c)."""
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")
"""linux/sock_diag.h: bytes that wait, and may wait, are the first two, and what was dropped the last."""


@frozen
class Queue:
    """What waits at a socket: `waiting` connections of at most `limit`, or bytes of datagrams. `dropped` counts
    datagrams that were turned away since it was opened, or attempts to connect: a client that is not answered tries
    again, after 1, 3 and 7 s, and each counts. None is what the kernel does not tell."""

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
    """The queues of all unix sockets of this machine to which one connects, by inode."""
    told = sockdiag.every(sockdiag.LISTENING, sockdiag.SHOW_QUEUE)
    return {
        inode: Queue(*_ACCEPT_QUEUE.unpack_from(attributes[sockdiag.QUEUE]))
        for inode, attributes in told.items()
        if sockdiag.QUEUE in attributes
    }
