"""Who has an address that is asked for in vain, as far as the kernel shows it to this user; it changes nothing.

A look goes through the descriptors of all processes, so one serves for all addresses that are asked about at a time.
"""

from __future__ import annotations

import os
import pwd
import socket
import sys
import time
from typing import TYPE_CHECKING

from attrs import frozen

from circus_core import tree
from circus_plugins import sockdiag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FRESH = 1.0
"""Seconds for which a look is taken to be true."""
ANYWHERE: Mapping[int, str] = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
_PROTOCOLS = ((socket.IPPROTO_TCP, sockdiag.LISTENING), (socket.IPPROTO_UDP, sockdiag.UNCONNECTED))


@frozen
class Holder:
    """Who has a socket: a process, if this user may see which, and a user, if that is known.

    `name` is what a socket of this very process is called.
    """

    pid: int | None = None
    uid: int | None = None
    name: str = ""

    @property
    def ours(self) -> bool:
        """Whether it is this very process."""
        return self.pid == os.getpid()

    def __str__(self) -> str:
        if self.ours and self.name:
            return self.name
        if self.pid is not None:
            return f"{_name(self.pid)} (pid {self.pid})"
        return "another program" if self.uid is None else f"a program of {_user(self.uid)}"


@frozen
class _Place:
    """Where a socket is: `name` is a host, an abstract name with its NUL, or a path; `file` is the inode of a path."""

    inode: int
    family: int
    protocol: int
    name: str
    port: int = 0
    uid: int | None = None
    file: int = 0


class Holders:
    """What the latest look has shown. `named` is what a socket of this process is called, by its inode; `clock` tells
    the age of the look."""

    def __init__(
        self, named: Callable[[int], str] = lambda _inode: "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._named = named
        self._clock = clock
        self._seen = float("-inf")
        self._places: list[_Place] = []
        self._pids: dict[int, list[int]] = {}

    def of_port(self, family: int, protocol: int, host: str, port: int) -> Holder | None:
        """Who keeps a socket from being bound there, None if that is not seen: rather somebody else, and
        rather who has the very address."""

        def overlaps(each: _Place) -> bool:
            if each.family == family:
                return each.name == host or ANYWHERE[family] in (each.name, host)
            # One of IPv6 may be for IPv4 as well.
            return each.name == ANYWHERE[socket.AF_INET6]

        found = [each for each in self._look() if (each.protocol, each.port) == (protocol, port) and overlaps(each)]
        found.sort(key=lambda each: (each.name != host, each.family != family))
        # What this process has may be about to give way.
        return min(map(self._holder, found), key=lambda holder: holder.ours, default=None)

    def of_path(self, path: str) -> Holder | None:
        """Who has a unix socket at a path, or at an abstract name that begins with a NUL; None if nobody has."""
        try:
            file = os.stat(path).st_ino if not path.startswith("\0") else 0
        except OSError:
            return None
        for each in self._look():
            if each.family == socket.AF_UNIX and (_same_file(each, path, file) if file else each.name == path):
                return self._holder(each)
        return None

    def _holder(self, place: _Place) -> Holder:
        return Holder(_opener(self._pids.get(place.inode, [])), place.uid, self._named(place.inode))

    def _look(self) -> list[_Place]:
        now = self._clock()
        if now - self._seen >= FRESH:
            self._places = [*_internet(), *_local()]
            self._pids = _processes({f"socket:[{place.inode}]": place.inode for place in self._places})
            self._seen = self._clock()
        return self._places


def _internet() -> Iterator[_Place]:
    for family in (socket.AF_INET, socket.AF_INET6):
        for protocol, states in _PROTOCOLS:
            try:
                found = sockdiag.bound(family, protocol, states)
            except OSError:
                continue
            for each in found:
                yield _Place(each.inode, family, protocol, each.host, each.port, each.uid)


def _local() -> Iterator[_Place]:
    states = sockdiag.LISTENING | sockdiag.UNCONNECTED
    try:
        found = sockdiag.every(states, sockdiag.SHOW_NAME | sockdiag.SHOW_FILE)
    except OSError:
        return
    for inode, attributes in found.items():
        name = attributes.get(sockdiag.NAME, b"")
        if name:
            file = int.from_bytes(attributes.get(sockdiag.FILE, b"")[:4], sys.byteorder)
            text = os.fsdecode(name if name.startswith(b"\0") else name.rstrip(b"\0"))
            yield _Place(inode, socket.AF_UNIX, 0, text, file=file)


def _same_file(place: _Place, path: str, file: int) -> bool:
    """By its inode and its name in the folder: the rest of the name is relative to who bound it, perhaps."""
    return place.file == file & 0xFFFFFFFF and os.path.basename(place.name) == os.path.basename(path)


def _processes(wanted: dict[str, int]) -> dict[int, list[int]]:
    """The processes that have these sockets, by inode."""
    found: dict[int, list[int]] = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        folder = f"/proc/{pid}/fd"
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            try:
                inode = wanted.get(os.readlink(f"{folder}/{name}"))
            except OSError:
                continue
            if inode is not None:
                found.setdefault(inode, []).append(pid)
    return found


def _opener(pids: list[int]) -> int | None:
    """Of the processes that have a socket the one that the others have it from: the eldest without a parent there."""
    known = {pid: stat for pid in set(pids) if (stat := tree.stat(pid)) is not None}
    first = [pid for pid, stat in known.items() if not any(parent in known for parent in _ancestors(stat.ppid))]
    return min(first, key=lambda pid: known[pid].started, default=None)


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 0:
        yield pid
        stat = tree.stat(pid)
        pid = stat.ppid if stat is not None else 0


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
