"""Asks the kernel about sockets by sock_diag(7); it waits for nothing, and keeps nothing."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENING = 1 << 10
"""The sockets to which one connects, as a bit of `states` (TCP_LISTEN)."""
UNCONNECTED = 1 << 7
"""The sockets that may have an address and have no peer: those of datagrams, for one (TCP_CLOSE)."""
SHOW_NAME, NAME = 0x1, 0
SHOW_FILE, FILE = 0x2, 1
SHOW_PEER, PEER = 0x4, 2
SHOW_QUEUE, QUEUE = 0x10, 4
"""What is to be shown of a socket, and the attribute it is then (linux/unix_diag.h)."""

_SOCK_DIAG, _BY_FAMILY = 4, 20
_REQUEST, _DUMP, _ERROR, _DONE = 0x1, 0x300, 0x2, 0x3
_HEADER, _ASKED, _FOUND, _ATTRIBUTE = (struct.Struct(form) for form in ("=IHHII", "=4B5I", "=4B3I", "=HH"))
_INET_ASKED = struct.Struct("=4BI48s")
_INET_FOUND = struct.Struct("=4xHH16s16s12x12x2I")
"""linux/inet_diag.h, struct inet_diag_req_v2 and inet_diag_msg; ports and addresses are in the order of the network."""
_ALL_STATES = _NO_COOKIE = 0xFFFFFFFF
_READ = 1 << 16


def one(inode: int, show: int) -> dict[int, bytes]:
    """The attributes of the socket with an inode; none if there is no such socket. Raises OSError if none can ask."""
    with _link() as link:
        _ask(link, _REQUEST, _ALL_STATES, inode, show, _NO_COOKIE)
        for kind, body in _messages(link.recv(_READ)):
            if kind == _BY_FAMILY:
                return _attributes(body)
    return {}


def every(states: int, show: int) -> dict[int, dict[int, bytes]]:
    """The attributes of all sockets of this machine in some states, by inode. Raises OSError if none can ask."""
    found: dict[int, dict[int, bytes]] = {}
    with _link() as link:
        _ask(link, _REQUEST | _DUMP, states, 0, show, 0)
        for body in _dump(link):
            found[_FOUND.unpack_from(body)[4]] = _attributes(body)
    return found


class Bound(NamedTuple):
    """A socket of the internet: where it is, whose it is by uid, and its inode."""

    host: str
    port: int
    uid: int
    inode: int


def bound(family: int, protocol: int, states: int) -> list[Bound]:
    """All sockets of this machine of a family and a protocol, in some states. Raises OSError if none can ask."""
    found = []
    with _link() as link:
        _send(link, _REQUEST | _DUMP, _INET_ASKED.pack(family, protocol, 0, 0, states, b""))
        for body in _dump(link):
            port, _peer, host, _other, uid, inode = _INET_FOUND.unpack_from(body)
            size = 4 if family == socket.AF_INET else 16
            found.append(Bound(socket.inet_ntop(family, host[:size]), socket.ntohs(port), uid, inode))
    return found


def _link() -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)
    # The kernel answers within the request.
    link.settimeout(0)
    return link


def _ask(link: socket.socket, flags: int, states: int, inode: int, show: int, cookie: int) -> None:
    _send(link, flags, _ASKED.pack(socket.AF_UNIX, 0, 0, 0, states, inode, show, cookie, cookie))


def _send(link: socket.socket, flags: int, request: bytes) -> None:
    link.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, flags, 1, 0) + request)


def _dump(link: socket.socket) -> Iterator[bytes]:
    """The content of each message of an answer to the last."""
    while True:
        for kind, body in _messages(link.recv(_READ)):
            if kind in (_ERROR, _DONE):
                return
            yield body


def _messages(answer: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and the content of each message."""
    at = 0
    while at + _HEADER.size <= len(answer):
        length, kind, *_rest = _HEADER.unpack_from(answer, at)
        if length < _HEADER.size:
            return
        yield kind, answer[at + _HEADER.size : at + length]
        at += _padded(length)


def _attributes(body: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = _FOUND.size
    while at + _ATTRIBUTE.size <= len(body):
        size, name = _ATTRIBUTE.unpack_from(body, at)
        if size < _ATTRIBUTE.size:
            break
        found[name] = body[at + _ATTRIBUTE.size : at + size]
        at += _padded(size)
    return found


def _padded(size: int) -> int:
    return (size + 3) & ~3
