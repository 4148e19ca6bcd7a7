"""Asks a peer which security mechanism it wants, by the first bytes of ZMTP 3 (RFC 23); it never gets any further.

libzmq's own handshake does not always tell: the side that sees a mismatch first hangs up, often before it has sent the
last part of its greeting, and the other side, knowing no reason, tries again and again. We send so little of ours that
the peer has nothing to judge yet, and so sends all of its own.
"""

from __future__ import annotations

from circus_plugins.doors.address import unix_name

HELLO = b"\xff" + bytes(8) + b"\x7f" + b"\x03"
"""The signature and the major version."""
LENGTH = 64
PATIENCE = 1.0
"""Seconds that a peer gets to answer; it has only just hung up, so it is awake."""
_MECHANISM = slice(12, 32)


def mechanism(greeting: bytes) -> str:
    """`NULL`, `CURVE` and so on, as a whole greeting names it; empty if it is none."""
    if len(greeting) < LENGTH or (greeting[0], greeting[9]) != (HELLO[0], HELLO[9]):
        return ""
    return greeting[_MECHANISM].rstrip(b"\0").decode("ascii", "replace")


def place(way: str) -> tuple[str, int]:
    """Host and port of a TCP endpoint, or the path of a unix socket and 0; raises ValueError if it is neither."""
    if way.startswith("ipc://"):
        return unix_name(way), 0
    host, _, port = way.removeprefix("tcp://").rpartition(":")
    return host.strip("[]"), int(port)


def ask(way: str) -> str:
    """The mechanism of who listens there; empty if nobody does, or nothing that speaks ZMTP 3. Takes PATIENCE at most
    for each step."""
    import socket

    try:
        host, port = place(way)
        peer = socket.create_connection((host, port), PATIENCE) if port else socket.socket(socket.AF_UNIX)
        with peer:
            peer.settimeout(PATIENCE)
            if not port:
                peer.connect(host)
            peer.sendall(HELLO)
            greeting = b""
            while more := peer.recv(LENGTH - len(greeting)):
                greeting += more
            return mechanism(greeting)
    except (OSError, ValueError):
        return ""
