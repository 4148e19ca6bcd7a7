"""Waits at the sockets of one watcher: for the first that comes, or for a time in which nothing does; it starts nobody.

An epoll(7) of its own watches all of them, so that several watchers may wait at one socket, and the loop has one
descriptor for each. While processes work it tells of the first that comes in an interval, and of no other.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    Sockets = Sequence[tuple[str, socket.socket]]

_FIRST = select.EPOLLIN | select.EPOLLET | select.EPOLLONESHOT


class Sleeper:
    """One watcher. `wanted` is called with the address to which something came while it slept, and `idle` when nothing
    came for an interval while it did not."""

    def __init__(self, wanted: Callable[[str], None], idle: Callable[[], None]) -> None:
        self.asleep = False
        self.waking = False
        self.gave_up = False
        self.failures = 0
        self.stops = 0
        self.sockets: Sockets = ()
        self._wanted = wanted
        self._idle = idle
        self._interval = 0.0
        self._stirred = False
        self._eyes: select.epoll | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def addresses(self) -> list[str]:
        """Where it waits, in words."""
        return list(dict.fromkeys(address for address, _socket in self.sockets))

    def sleep(self, sockets: Sockets, delay: float = 0) -> None:
        """Wait for the first that comes to one of these sockets, but not for so many seconds."""
        self._open(sockets)
        self.asleep = True
        if delay:
            self._timer = asyncio.get_running_loop().call_later(delay, self._listen)
        else:
            self._listen()

    def wake(self, sockets: Sockets, interval: float) -> None:
        """Wait for an interval, of so many seconds, in which nothing comes; with 0 not at all."""
        self._open(sockets)
        self.asleep = False
        self._interval = interval
        self.again()

    def again(self) -> None:
        """Wait for another such interval."""
        if self._interval and self._eyes is not None:
            self._deafen()
            self._stirred = False
            for _address, one in self.sockets:
                self._eyes.modify(one.fileno(), _FIRST)
            loop = asyncio.get_running_loop()
            loop.add_reader(self._eyes.fileno(), self._stir)
            self._timer = loop.call_later(self._interval, self._look)

    def waits(self) -> bool:
        """Whether something is at one of the sockets that nobody has taken."""
        poll = select.poll()
        for _address, one in self.sockets:
            poll.register(one.fileno(), select.POLLIN)
        return bool(self.sockets) and bool(poll.poll(0))

    def close(self) -> None:
        """Wait for nothing any more."""
        self._deafen()
        self.asleep = False
        if self._eyes is not None:
            self._eyes.close()
            self._eyes = None

    def _open(self, sockets: Sockets) -> None:
        self.close()
        self.sockets = sockets
        self._eyes = select.epoll()
        for _address, one in sockets:
            self._eyes.register(one.fileno(), select.EPOLLIN)

    def _listen(self) -> None:
        self._timer = None
        if self._eyes is not None:
            asyncio.get_running_loop().add_reader(self._eyes.fileno(), self._hear)

    def _hear(self) -> None:
        came = self._eyes.poll(0, 1) if self._eyes is not None else []
        if came:
            self._deafen()
            self.asleep = False
            number = came[0][0]
            self._wanted(next(address for address, one in self.sockets if one.fileno() == number))

    def _stir(self) -> None:
        self._stirred = True
        if self._eyes is not None:
            asyncio.get_running_loop().remove_reader(self._eyes.fileno())

    def _look(self) -> None:
        self._timer = None
        if self._stirred:
            self.again()
        else:
            self._deafen()
            self._idle()

    def _deafen(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._eyes is not None:
            asyncio.get_running_loop().remove_reader(self._eyes.fileno())
