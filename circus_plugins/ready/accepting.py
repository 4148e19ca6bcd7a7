"""Tells that a process takes connections: at the sockets that circusd gave it, at an address, or wherever it listens.

Connecting says nothing where several processes share a socket, or where only the kernel has taken the connection. So
it is looked at what the process does. Where that cannot be seen for a while, a connection is made, to see whether it
is this process that takes it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from circus_plugins.ready.calling import connected, parsed
from circus_plugins.ready.evidence import listening_paths, sockets_of, takes
from circus_plugins.ready.ways import family, looks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circus_plugins.ready.calling import Address
    from circus_plugins.ready.evidence import Door
    from circus_plugins.ready.probes import Probes


class Accepting:
    """It takes connections: at `doors` if it has some, else at `address`, else at whatever socket of its own."""

    def __init__(self, doors: Sequence[Door], probes: Probes, address: str = "") -> None:
        self._doors = doors
        self._address = address
        self._probes = probes
        self._seen = ""

    async def wait(self, pid: int) -> None:
        """As in Way."""
        door = None if self._address else next((door for door in self._doors if door.connects), None)
        if door is not None:
            self._probes.join(door)
        try:
            async for _ in looks():
                if await self._accepts(pid, door):
                    return
        finally:
            if door is not None:
                self._probes.leave(door)

    def lacking(self) -> str:
        """As in Way."""
        if self._address:
            return f"does not take connections at {self._address}" + (f" ({self._seen})" if self._seen else "")
        if self._doors:
            return f"does not take connections at {' and '.join(door.named for door in self._doors)}"
        return "listens nowhere"

    async def _accepts(self, pid: int, door: Door | None) -> bool:
        if self._address:
            return await self._answers()
        pids = family(pid)
        if not self._doors:
            return bool(own_doors(pids))
        inodes = frozenset(door.inode for door in self._doors)
        if any(takes(each, inodes) for each in pids):
            return True
        taken = await self._probes.taken(door) if door is not None else 0
        return bool(taken) and any(taken in sockets_of(each).values() for each in pids)

    async def _answers(self) -> bool:
        try:
            made = await connected(parsed(self._address))
        except OSError as error:
            self._seen = os.strerror(error.errno) if error.errno else str(error)
            return False
        made.close()
        return True


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
