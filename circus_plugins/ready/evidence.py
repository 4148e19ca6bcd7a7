"""Reads in /proc whether processes take connections at a socket that they share with others; it connects nowhere.

A connection to a shared socket may be answered by any of the processes that have it, so it says nothing about one of
them. What one does is seen in its descriptors and its system calls: see proc(5), epoll(7).
"""

from __future__ import annotations

import os
import platform
import socket
import struct
import sys
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

SO_ACCEPTCONN = 30
SO_ACCEPTCON = 0x10000
"""The flag of a socket that listens, in /proc/net/unix."""
POLLFD = struct.Struct("ihh")
MOST = 65_536
"""Descriptors of one select(2) or poll(2) that are looked at."""


@frozen
class Calls:
    """The numbers of the system calls by which one waits for connections or datagrams: at one socket, or at many."""

    one: tuple[int, ...] = ()
    select: tuple[int, ...] = ()
    poll: tuple[int, ...] = ()


_GENERIC = Calls(one=(202, 242, 207, 212, 243, 63, 65), select=(72,), poll=(73,))
CALLS = {
    # accept, accept4, recvfrom, recvmsg, recvmmsg, read, readv; select, pselect6; poll, ppoll
    "x86_64": Calls(one=(43, 288, 45, 47, 299, 0, 19), select=(23, 270), poll=(7, 271)),
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
}.get(platform.machine(), Calls())


@frozen
class Door:
    """A socket at which processes take connections (or datagrams), by its inode, and where it is."""

    inode: int
    family: int
    kind: int
    address: str | tuple[object, ...]

    @property
    def named(self) -> str:
        """The address in words."""
        if isinstance(self.address, tuple):
            host, port = self.address[:2]
            return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
        return self.address.replace("\0", "@", 1)

    @property
    def connects(self) -> bool:
        """Whether one can connect to it."""
        return self.kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)


def doors(descriptors: Iterable[int]) -> list[Door]:
    """Those of some descriptors of this process that are sockets for others to come to; they stay open."""
    found = {}
    for descriptor in descriptors:
        try:
            duplicate = os.dup(descriptor)
        except OSError:
            continue
        try:
            door = _door(duplicate)
        finally:
            os.close(duplicate)
        if door is not None:
            found[door.inode] = door
    return list(found.values())


def _door(descriptor: int) -> Door | None:
    try:
        it = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        kind = it.type
        if kind != socket.SOCK_DGRAM and not it.getsockopt(socket.SOL_SOCKET, SO_ACCEPTCONN):
            return None
        address = it.getsockname()
        where = os.fsdecode(address) if isinstance(address, bytes) else address
        return Door(os.fstat(descriptor).st_ino, it.family, kind, where)
    except OSError:
        return None
    finally:
        it.detach()


def sockets_of(pid: int) -> dict[int, int]:
    """The inodes of the sockets that a process has, by descriptor; empty where it is gone or may not be looked at."""
    return {
        number: int(link[len("socket:[") : -1]) for number, link in _links(pid).items() if link.startswith("socket:[")
    }


def listening_paths(pid: int) -> list[str]:
    """The paths (or abstract names) of the unix sockets of a process at which it listens."""
    own = set(sockets_of(pid).values())
    found = []
    for line in text(f"/proc/{pid}/net/unix").splitlines()[1:]:
        _number, _count, _protocol, flags, _type, _state, inode, *path = line.split(None, 7)
        if path and int(flags, 16) & SO_ACCEPTCON and int(inode) in own:
            found.append(path[0].replace("@", "\0", 1) if path[0].startswith("@") else path[0])
    return found


def takes(pid: int, inodes: frozenset[int]) -> bool:
    """Whether a process waits for what comes to one of these sockets: in an epoll set, or in a system call.

    As the kernel shows it to who may trace the process, so to circusd of its own.
    """
    links = _links(pid)
    polled = [number for number, link in links.items() if link == "anon_inode:[eventpoll]"]
    if any(_polls(pid, number, inodes) for number in polled):
        return True
    own = {number for number, link in links.items() if link[len("socket:[") : -1] in {str(each) for each in inodes}}
    return bool(own) and any(_waits_at(pid, thread, own) for thread in _names(f"/proc/{pid}/task"))


def _links(pid: int) -> dict[int, str]:
    folder = f"/proc/{pid}/fd"
    found = {}
    for name in _names(folder):
        try:
            found[int(name)] = os.readlink(f"{folder}/{name}")
        except OSError:
            # Closed meanwhile.
            continue
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _polls(pid: int, number: int, inodes: frozenset[int]) -> bool:
    """Whether one of these sockets is in an epoll set; its inode is in the line of each member."""
    for line in text(f"/proc/{pid}/fdinfo/{number}").splitlines():
        if line.startswith("tfd:"):
            inode = line.partition("ino:")[2].split(None, 1)
            if inode and int(inode[0], 16) in inodes:
                return True
    return False


def _waits_at(pid: int, thread: str, descriptors: set[int]) -> bool:
    words = text(f"/proc/{pid}/task/{thread}/syscall").split()
    if len(words) < 3 or not words[0].isdigit():
        # It runs.
        return False
    call, first, second = int(words[0]), int(words[1], 16), int(words[2], 16)
    if call in CALLS.select:
        bits = int.from_bytes(_memory(pid, second, (min(first, MOST) + 7) // 8), sys.byteorder)
        return any(bits >> descriptor & 1 for descriptor in descriptors)
    if call in CALLS.poll:
        polled = _memory(pid, first, min(second, MOST) * POLLFD.size)
        whole = len(polled) // POLLFD.size * POLLFD.size
        return any(entry[0] in descriptors for entry in POLLFD.iter_unpack(polled[:whole]))
    return call in CALLS.one and first in descriptors


def _memory(pid: int, address: int, size: int) -> bytes:
    """Some bytes of a process, which it has given to the kernel; empty if they may not be read."""
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            return os.pread(memory.fileno(), size, address) if size else b""
    except (OSError, OverflowError):
        return b""


def text(path: str) -> str:
    """A file of /proc; empty where the process is gone or it may not be read."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
