"""Connections that are made to see who takes them: at most one waits at a socket, however many processes start there.

Each is noise in somebody's log and a place in the queue, so it is left where it is until a process takes it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from attrs import define

from circus_plugins.ready.calling import connected
from circus_plugins.ready.peers import taker

if TYPE_CHECKING:
    import socket

    from circus_plugins.ready.evidence import Door

PAUSE = 1.0
"""Seconds from the beginning to the first connection, from one to the next, and between two looks who took it."""


@define
class _Probe:
    users: int = 0
    made: socket.socket | None = None
    due: float = 0.0
    inode: int = 0

    def close(self) -> None:
        if self.made is not None:
            self.made.close()
            self.made = None


class Probes:
    """The connections of all who wait, by the inode of the socket they were made to."""

    def __init__(self) -> None:
        self._probes: dict[int, _Probe] = {}

    def join(self, door: Door) -> None:
        """One more waits for this socket to be served."""
        probe = self._probes.setdefault(door.inode, _Probe(due=asyncio.get_running_loop().time() + PAUSE))
        probe.users += 1

    def leave(self, door: Door) -> None:
        """One less."""
        probe = self._probes[door.inode]
        probe.users -= 1
        if not probe.users:
            del self._probes[door.inode]
            probe.close()

    async def taken(self, door: Door) -> int:
        """The inode by which some process has taken the latest connection, 0 if none has."""
        probe, now = self._probes[door.inode], asyncio.get_running_loop().time()
        if now < probe.due:
            return probe.inode
        probe.due = now + PAUSE
        if probe.made is not None:
            taken = taker(probe.made)
            if taken != probe.inode:
                probe.inode = taken
                return taken
            if not taken:
                # It waits still.
                return 0
        probe.close()
        probe.inode = 0
        try:
            probe.made = await connected(door.address)
        except OSError:
            return 0
        if probe.users <= 0:
            probe.close()
        return 0
