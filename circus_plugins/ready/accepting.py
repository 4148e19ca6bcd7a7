"""Tells that a process takes connections: at the sockets that circusd gave it, at an address, or wherever it listens.

Connecting says nothing where several processes share a socket, or where only the kernel has taken the connection. So
it is looked at what the process does. Where that cannot be seen for a while, now and then a connection is made, to see
whether it is this process that takes it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
from typing import TYPE_CHECKING

from circus_plugins.ready.evidence import Door, listening_paths, takes
from circus_plugins.ready.peers import taken_by
from circus_plugins.ready.ways import family, looks

if TYPE_CHECKING:
    from collections.abc import Sequence

    Address = str | tuple[object, ...]
UNSEEN = 1.0
"""Seconds between two connections, which are only made where nothing is to be seen: each is noise in others' logs."""


class Accepting:
    """It takes connections: at `doors` if it has some, else at `address`, else at whatever socket of its own."""

    def __init__(self, doors: Sequence[Door], address: str = "") -> None:
        self._doors = doors
        self._address = address
        self._seen = ""
        self._probe: socket.socket | None = None
        self._probed = 0.0

    async def wait(self, pid: int) -> None:
        """As in Way."""
        self._probed = asyncio.get_running_loop().time()
        try:
            async for _ in looks():
                if await self._accepts(pid):
                    return
        finally:
            self._hang_up()

    def lacking(self) -> str:
        """As in Way."""
        if self._address:
            return f"does not take connections at {self._address}" + (f" ({self._seen})" if self._seen else "")
        if self._doors:
            return f"does not take connections at {' and '.join(door.named for door in self._doors)}"
        return "listens nowhere"

    async def _accepts(self, pid: int) -> bool:
        if self._address:
            return await self._answers()
        pids = family(pid)
        if not self._doors:
            return bool(own_doors(pids))
        inodes = frozenset(door.inode for door in self._doors)
        if any(takes(each, inodes) for each in pids):
            return True
        return await self._takes_probe(pids)

    async def _takes_probe(self, pids: list[int]) -> bool:
        """Whether it has taken a connection that was made when the last one was a while ago."""
        if self._probe is not None and taken_by(self._probe, pids):
            return True
        now = asyncio.get_running_loop().time()
        if now - self._probed > UNSEEN:
            self._hang_up()
            self._probed = now
            self._probe = await call(next((door for door in self._doors if door.connects), None))
        return False

    async def _answers(self) -> bool:
        try:
            made = await connected(parsed(self._address))
        except OSError as error:
            self._seen = os.strerror(error.errno) if error.errno else str(error)
            return False
        made.close()
        return True

    def _hang_up(self) -> None:
        if self._probe is not None:
            self._probe.close()
            self._probe = None


def own_doors(pids: Sequence[int]) -> list[Address]:
    """The addresses where some processes listen for connections, at sockets that they opened themselves."""
    import psutil

    found: list[Address] = []
    for pid in pids:
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            continue
        found += [(each.laddr.ip, each.laddr.port) for each in connections if each.status == psutil.CONN_LISTEN]
        found += listening_paths(pid)
    return found


async def call(door: Door | None) -> socket.socket | None:
    """A connection to a socket of ours, or None if there cannot be one now."""
    if door is None:
        return None
    try:
        return await connected(door.address)
    except OSError:
        return None


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
