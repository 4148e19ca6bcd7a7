"""The socket at which one process speaks systemd's notify protocol, sd_notify(3): what it says of itself.

Each process has a socket of its own, so nobody has to find out who sent what.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 4096
BURST = 16
"""Messages that are read before others get their turn."""
CREDENTIALS = struct.Struct("3i")
CONTROL = socket.CMSG_SPACE(CREDENTIALS.size) + socket.CMSG_SPACE(4 * 253)
STATUS = 200
"""Letters of a status that are kept."""


class Notices:
    """What one process says: whether it is ready, and its status in words.

    `silent` is called when a process that has to say WATCHDOG=1 every so many seconds (`within`) has not; 0 asks for
    none. `users` are those who may speak for it, beside root and ourselves. `extend` is called with the time of the
    loop's clock until which it wants to be waited for.
    """

    def __init__(self, within: float, users: frozenset[int], silent: Callable[[str], object]) -> None:
        self.ready = asyncio.Event()
        self.status = ""
        self.stage = ""
        self.extend: Callable[[float], object] | None = None
        self.refused = 0
        self._within = within
        self._users = users | {0, os.geteuid()}
        self._silent = silent
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            # An abstract name: whoever the process runs as can reach it, and it leaves nothing behind.
            self._socket.bind(f"\0circus/notify/{os.urandom(12).hex()}")
        except BaseException:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket, self._read)

    @property
    def address(self) -> str:
        """What NOTIFY_SOCKET says."""
        name: bytes = self._socket.getsockname()
        return "@" + name[1:].decode()

    def begin_watchdog(self) -> None:
        """From now on it has to be heard of."""
        if self._within and self._timer is None:
            self._heard = self._loop.time()
            self._timer = self._loop.call_at(self._heard + self._within, self._look)

    def close(self) -> None:
        """The process is gone."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        if self._timer is not None:
            self._timer.cancel()

    def _read(self) -> None:
        for _ in range(BURST):
            try:
                data, more, _flags, _sender = self._socket.recvmsg(LARGEST, CONTROL, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            if self._may_speak(more):
                self._take(data)
            else:
                self.refused += 1

    def _may_speak(self, more: list[tuple[int, int, bytes]]) -> bool:
        """Who sent it may; descriptors that came with it are closed, which is all that BARRIER=1 asks for."""
        user = -1
        for level, kind, data in more:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
                for number in numbers:
                    os.close(number)
            elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                user = CREDENTIALS.unpack(data[: CREDENTIALS.size])[1]
        return user in self._users

    def _take(self, data: bytes) -> None:
        for line in data.decode(errors="replace").split("\n"):
            name, _, value = line.partition("=")
            match name, value:
                case "READY", "1":
                    self.stage = ""
                    self.ready.set()
                case "RELOADING", "1":
                    self.stage = "reloads"
                case "STOPPING", "1":
                    self.stage = "stops"
                case "STATUS", _:
                    self.status = "".join(each if each.isprintable() else " " for each in value[:STATUS]).strip()
                case "WATCHDOG", "1":
                    self._heard = self._loop.time()
                case "WATCHDOG", "trigger":
                    self._expire("it said so itself")
                case "WATCHDOG_USEC", _ if value.isdecimal():
                    self._retime(int(value) / 1e6)
                case "EXTEND_TIMEOUT_USEC", _ if value.isdecimal() and self.extend is not None:
                    self.extend(self._loop.time() + int(value) / 1e6)

    def _retime(self, within: float) -> None:
        """It chose another time for itself."""
        running = self._timer is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._within = within
        if running:
            self.begin_watchdog()

    def _look(self) -> None:
        """Only as often as it has to be heard of, however often it is."""
        self._timer = None
        due = self._heard + self._within
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._look)
        else:
            self._expire(f"no WATCHDOG=1 for {self._within:g} s")

    def _expire(self, why: str) -> None:
        self._silent(why)


class Notified:
    """It has said READY=1."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices

    async def wait(self, pid: int) -> None:
        """As in Way."""
        await self._notices.ready.wait()

    def lacking(self) -> str:
        """As in Way."""
        status = self._notices.status
        refused = self._notices.refused
        others = f" ({refused} messages came from another user)" if refused else ""
        said = f"has said {status!r} and not READY=1" if status else "has not said READY=1"
        return f"{said} at $NOTIFY_SOCKET{others}"
