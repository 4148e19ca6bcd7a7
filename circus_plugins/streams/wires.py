"""Connected sockets that take messages: as datagrams, one each, or as a stream. They never block and never wait."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import socket
import struct
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AT_ONCE = 512
"""Messages of one sendmsg(2); the kernel takes up to 1024 (IOV_MAX)."""
SEND_BUFFER = 8 << 20
"""Bytes that are asked for in the kernel for datagrams to the journal, as its native protocol advises."""
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class Wire(Protocol):
    """Owns a connected socket that does not block."""

    socket: socket.socket

    def send(self, messages: Sequence[bytes], at: int) -> int:
        """Send those from number `at` on; answers the number of the first that has not been taken yet.

        Raises OSError once none of them is: the connection is of no use any more.
        """
        ...

    def unsent(self) -> int:
        """Bytes that were taken, and that are lost if the connection is."""
        ...


class Stream:
    """One message after another, by TCP or a unix socket. A broken connection ends in the middle of a message."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._part = 0

    def send(self, messages: Sequence[bytes], at: int) -> int:
        """As `Wire.send`."""
        while at < len(messages):
            batch: list[bytes | memoryview] = list(messages[at : at + AT_ONCE])
            if self._part:
                batch[0] = memoryview(batch[0])[self._part :]
            try:
                taken = self._part + self.socket.sendmsg(batch)
            except BlockingIOError:
                break
            while at < len(messages) and taken >= len(messages[at]):
                taken -= len(messages[at])
                at += 1
            self._part = taken
        return at

    def unsent(self) -> int:
        """What a TCP server has not acknowledged, of whole messages; what a reader of a unix socket had, it has."""
        if self.socket.family == socket.AF_UNIX:
            return 0
        queued: int = struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))[0]
        return max(queued - self._part, 0)


class Datagrams:
    """A message for each datagram. `lost` is called with the number of one that cannot be sent, and why.

    A datagram that nobody took is told of when a later one is sent, by UDP (udp(7)); then the one before is lost.
    """

    def __init__(self, connected: socket.socket, lost: Callable[[int, OSError], None]) -> None:
        self.socket = connected
        self._lost = lost
        self._local = connected.family == socket.AF_UNIX

    def send(self, messages: Sequence[bytes], at: int) -> int:
        """As `Wire.send`."""
        for number in range(at, len(messages)):
            try:
                self._send(messages[number], number)
            except BlockingIOError:
                return number
            except OSError as error:
                if self._local and error.errno != errno.EMSGSIZE:
                    if number > at:
                        return number
                    raise
                self._lost(number, error)
        return len(messages)

    def unsent(self) -> int:
        """A datagram that was taken is on its way, or in the queue of its reader."""
        return 0

    def _send(self, message: bytes, number: int) -> None:
        try:
            self.socket.send(message)
        except ConnectionRefusedError as error:
            if self._local:
                raise
            self._lost(number - 1, error)
            self.socket.send(message)


class Entries(Datagrams):
    """Entries of the journal: one that is too large for a datagram is passed as a sealed file in memory."""

    def __init__(self, connected: socket.socket, lost: Callable[[int, OSError], None]) -> None:
        super().__init__(connected, lost)
        with suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def _send(self, message: bytes, number: int) -> None:
        try:
            self.socket.send(message)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            self._pass(message)

    def _pass(self, message: bytes) -> None:
        file = os.memfd_create("circus-journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            view = memoryview(message)
            while view:
                view = view[os.write(file, view) :]
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, SEALS)
            rights = array.array("i", [file])
            self.socket.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        finally:
            os.close(file)
