"""Sockets at one address, as many as there are processes that take from it (SO_REUSEPORT), each with its own queue.

circusd keeps each of them, and a process takes over the one of whom it replaces, with all that waits there. While no
process has one nothing further is sent there, and it is closed only when nothing waits there any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from circus_plugins.sockets import queues, steering
from circus_plugins.sockets.binding import adapt, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_plugins.sockets.options import SocketOptions

log = logging.getLogger("circus.plugin.sockets")

HANDSHAKE = 2.0
"""Seconds that a client whom the kernel has already told to go on may take to be connected."""
_MIGRATES = Path("/proc/sys/net/ipv4/tcp_migrate_req")

Launched = tuple[str, int]
"""A watcher and a wid: who is going to have a process."""


@define(eq=False)
class Place:
    """One socket of a group, and who has it: launches that are under way, and processes by pid, ending or not."""

    socket: socket.socket
    launches: set[Launched] = field(factory=set)
    processes: dict[int, bool] = field(factory=dict)

    @property
    def served(self) -> int:
        """How many take from it and go on doing so."""
        return len(self.launches) + sum(not ending for ending in self.processes.values())

    @property
    def idle(self) -> bool:
        """Whether nobody has it."""
        return not self.launches and not self.processes


class Group:
    """The sockets of one section with `so_reuseport`, of which one is open already. `changed` is called when there is
    another one, or one fewer."""

    def __init__(self, options: SocketOptions, first: socket.socket, changed: Callable[[], None]) -> None:
        self.options = options
        self._changed = changed
        # In the order in which the kernel numbers them.
        self._places: list[Place] = [Place(first)]
        self._steered: list[int] | None = None
        self._surplus: asyncio.TimerHandle | None = None
        self._told = False

    @property
    def sockets(self) -> list[socket.socket]:
        """All that are open."""
        return [place.socket for place in self._places]

    def gives_way_to(self, options: SocketOptions) -> bool:
        """Whether these options are for other sockets."""
        return self.options.place != options.place

    def pids(self, one: socket.socket) -> list[int]:
        """The processes that have a socket."""
        return next(sorted(place.processes) for place in self._places if place.socket is one)

    def take(self, launched: Launched, wanted: Callable[[], int]) -> socket.socket:
        """The socket for a process that is going to be spawned, where there are to be so many; raises CircusError.

        It is one that nobody has, first that at which most waits; else a new one, until there are enough; else the one
        that the fewest have: that is where the process that this one replaces has not ended yet.
        """
        self.drop(launched)
        place = min(self._places, key=self._preference)
        if place.served and len(self._places) < wanted():
            place = Place(opened(evolve(self.options, port=self._places[0].socket.getsockname()[1])))
            self._places.append(place)
            self._changed()
        place.launches.add(launched)
        self._steer()
        return place.socket

    def _preference(self, place: Place) -> tuple[int, int, int]:
        return place.served, len(place.processes), -queues.waiting(place.socket) if place.idle else 0

    def spawned(self, launched: Launched, pid: int) -> None:
        """The process is there."""
        for place in self._places:
            if launched in place.launches:
                place.launches.discard(launched)
                place.processes[pid] = False

    def drop(self, launched: Launched) -> None:
        """There will be no process."""
        for place in self._places:
            place.launches.discard(launched)

    def has(self, pid: int) -> bool:
        """Whether a process has one of them."""
        return any(pid in place.processes for place in self._places)

    def ending(self, pid: int) -> None:
        """A process was told to end, so nothing further is for it."""
        for place in self._places:
            if pid in place.processes:
                place.processes[pid] = True
                self._steer()

    def ended(self, pid: int) -> bool:
        """A process is gone; whether it had one."""
        had = [place for place in self._places if place.processes.pop(pid, None) is not None]
        if had:
            self._steer()
        return bool(had)

    def _served(self) -> list[int]:
        """The numbers of the sockets that a process takes from, and goes on doing so."""
        return [number for number, place in enumerate(self._places) if place.served]

    def _steer(self, chosen: list[int] | None = None) -> None:
        """Have what comes go where processes are, or anywhere if there are none, and it has to wait.

        `chosen` are some of those.
        """
        served = self._served() if chosen is None else chosen
        whole = not served or len(served) == len(self._places) or len(served) > steering.MOST
        wanted = None if whole else served
        if wanted == self._steered:
            return
        try:
            if wanted is None:
                steering.let_go(self._places[0].socket)
            else:
                steering.steer(self._places[0].socket, wanted)
        except OSError as error:
            log.warning(
                "[socket:%s] what comes is also sent to sockets that no process has: %s", self.options.name, error
            )
        self._steered = wanted

    def fit(self, wanted: Callable[[], int]) -> None:
        """Close what is more than there is to be and what nobody has, once whoever is being connected there is.

        Where there is to be none all stay: a watcher that is stopped may be started again.
        """
        if self._surplus is None and any(place.idle for place in self._places) and 0 < wanted() < len(self._places):
            delay = 0 if self._migrates() else HANDSHAKE
            self._surplus = asyncio.get_running_loop().call_later(delay, self._close_surplus, wanted)

    def _close_surplus(self, wanted: Callable[[], int]) -> None:
        self._surplus = None
        number = wanted() or len(self._places)
        left = 0
        for place in [place for place in reversed(self._places) if place.idle]:
            if len(self._places) <= number:
                break
            if self._migrates():
                self._close(place)
            elif waits := queues.waiting(place.socket):
                left += waits
            elif (lasting := self._lasting(place)) is not None:
                self._steer(lasting)
                self._close(place)
        if left and not self._told:
            log.warning(
                "[socket:%s] %d wait at a socket that no process has any more, until another process gets it"
                " (net.ipv4.tcp_migrate_req = 1 has Linux hand connections on to the others)",
                self.options.name, left,
            )  # fmt: skip
        self._told = bool(left)

    def _lasting(self, place: Place) -> list[int] | None:
        """The numbers that mean the same served sockets before this one is closed and after, None if there are none.

        The kernel gives the number of the one that is closed to the last. For a moment the filter knows the old numbers
        while the new ones count, and what it sends to a number that nobody has goes to any, perhaps to one that no
        process has. So, where only the last is served, this one is closed another time.
        """
        last = len(self._places) - 1
        moves = self._places[last] is not place
        found = [number for number in self._served() if not (moves and number == last)]
        if not found and self._served() and last == 1:
            # It is the only one then.
            return self._served()
        return found or None

    def _migrates(self) -> bool:
        """Whether the kernel hands what waits at a socket that is closed on to the others (Linux 5.14)."""
        try:
            return self.options.listens and _MIGRATES.read_text().strip() == "1"
        except OSError:
            return False

    def _close(self, place: Place) -> None:
        number, last = self._places.index(place), self._places.pop()
        if last is not place:
            self._places[number] = last
        with contextlib.suppress(OSError):
            # What a process left behind may have it open still.
            place.socket.shutdown(socket.SHUT_RDWR)
        place.socket.close()
        if self._steered is not None:
            # Its numbers are no longer these.
            self._steered = []
        self._steer()
        self._changed()

    def configure(self, options: SocketOptions) -> None:
        """Have other options that an open socket may have; raises CircusError."""
        for place in self._places:
            adapt(place.socket, options, self.options)
        self.options = options

    def close(self) -> None:
        """Let go of all."""
        if self._surplus is not None:
            self._surplus.cancel()
        for place in self._places:
            place.socket.close()
