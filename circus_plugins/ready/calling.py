"""Addresses as options have them, and connections to them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

Address = str | tuple[object, ...]


async def connected(address: Address) -> socket.socket:
    """A socket that is connected to an address; the one for any address is reached at this machine's own."""
    if isinstance(address, tuple):
        host, *rest = address
        family_ = socket.AF_INET6 if ":" in str(host) else socket.AF_INET
        address = ({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(host), host), *rest)
    else:
        family_ = socket.AF_UNIX
    made = socket.socket(family_, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


def parsed(address: str) -> Address:
    """`HOST:PORT`, a path, or `@NAME` for an abstract one, as an address of a socket; raises ValueError."""
    if address.startswith("/"):
        return address
    if address.startswith("@"):
        return "\0" + address[1:]
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError("expected HOST:PORT, a path that begins with /, or @NAME")
    host = host.strip("[]")
    if host in ("", "localhost"):
        host = "127.0.0.1"
    # A name would have to be asked for, each time.
    return str(ipaddress.ip_address(host)), int(port)
