"""Messages on their way to a server that may be slow, absent, or come and go; it never blocks and keeps no queue.

Some messages are held at a time. Whoever has more waits, but no longer than `max_wait` seconds in which none is taken.
What comes then is lost, and what is held too where there is no connection. A timer runs only while some are held.
"""

from __future__ import annotations

import asyncio
import errno
import random
import socket
from typing import TYPE_CHECKING

from circus_plugins.streams.connecting import Connecting
from circus_plugins.streams.wires import Datagrams, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circus_plugins.streams.sink import Source
    from circus_plugins.streams.target import Target
    from circus_plugins.streams.wires import Wire

FIRST_DELAY, LONGEST_DELAY = 0.1, 30.0
"""Seconds before a server that could not be reached is tried again; they double each time."""
REFUSED = 1.0
"""Seconds without a refusal after which a UDP server counts as there."""


class Link:
    """The way to one server, which is connected to when there is something to send.

    `ready` is called when what was held is gone; `lose` with what is lost, whose it was, and why.
    """

    def __init__(
        self,
        target: Target,
        max_wait: float,
        ready: Callable[[], None],
        lose: Callable[[int, Source, OSError], None],
        datagrams: type[Datagrams] = Datagrams,
    ) -> None:
        self._connecting = Connecting(target, self._connected, self._unconnected)
        self._max_wait = max_wait
        self._ready = ready
        self._lose = lose
        self._datagrams = datagrams
        self.trouble: OSError | None = None
        self.given_up = False
        self._messages: Sequence[bytes] = ()
        self._sizes: Sequence[int] = ()
        self._at = self._last_size = 0
        self._source: Source | None = None
        self._wire: Wire | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._delay = FIRST_DELAY
        self._not_before = 0.0
        self._refused = float("-inf")
        self._watched = False

    @property
    def waiting(self) -> int:
        """Bytes of output that are held."""
        return sum(self._sizes[self._at :])

    @property
    def failing(self) -> bool:
        """Whether what is taken now may well be lost."""
        return self.trouble is not None or asyncio.get_running_loop().time() - self._refused < REFUSED

    def put(self, messages: Sequence[bytes], sizes: Sequence[int], source: Source) -> None:
        """Send some, or hold them; raises OSError if neither is possible. `sizes` are how much output each is.

        There must not be any held.
        """
        now = asyncio.get_running_loop().time()
        if self.trouble is not None and self.given_up and self._wire is None and now < self._not_before:
            raise self.trouble
        self._messages, self._sizes, self._source, self._at = messages, sizes, source, 0
        self._go()

    def renew(self) -> None:
        """Connect anew, and look the host up anew, for what comes next."""
        if not self._messages:
            self._disconnect()

    def close(self) -> None:
        """Let go of everything; what is held is lost."""
        self._messages = self._sizes = ()
        self._stop_timers()
        self._disconnect()

    def _go(self) -> None:
        """Send what is held, as far as that is possible now."""
        if self._wire is None and not self._connect():
            self._be_patient()
            return
        assert self._wire is not None
        try:
            while self._at < len(self._messages):
                at = self._wire.send(self._messages, self._at)
                if at == self._at:
                    self._be_patient()
                    self._watch()
                    return
                self._at = at
                self._relieved()
        except OSError as error:
            self._failed(error)
            return
        if self._sizes:
            self._last_size = self._sizes[-1]
        self._messages = self._sizes = ()
        self._at = 0

    def _go_on(self) -> None:
        if self._messages:
            self._go()
        if not self._messages:
            self._ready()

    # Connecting

    def _connect(self) -> bool:
        """Begin to, if that has not begun; answers whether it is done."""
        if self._connecting.under_way or self._retry is not None:
            return False
        try:
            made = self._connecting.begin()
        except OSError as error:
            self._failed(error)
            return False
        if made is not None:
            self._established(made)
        return made is not None

    def _connected(self, made: socket.socket) -> None:
        self._established(made)
        self._go_on()

    def _unconnected(self, error: OSError) -> None:
        self._failed(error)
        self._go_on()

    def _established(self, made: socket.socket) -> None:
        if made.type == socket.SOCK_STREAM:
            self._wire = Stream(made)
            # A server that goes away is noticed at once, and not by the message that is then lost.
            asyncio.get_running_loop().add_reader(made, self._heard)
            self._relieved()
        else:
            self._wire = self._datagrams(made, self._lost)

    def _heard(self) -> None:
        assert self._wire is not None
        try:
            if self._wire.socket.recv(4096):
                return
            error = OSError(errno.ECONNRESET, "the server closed the connection")
        except BlockingIOError:
            return
        except OSError as found:
            error = found
        if self._messages:
            self._failed(error)
            self._go_on()
        else:
            self._disconnect(error)

    # Trouble

    def _failed(self, error: OSError) -> None:
        """There is no connection; another is tried for, later and later."""
        self._disconnect(error)
        self.trouble = error
        loop = asyncio.get_running_loop()
        delay = self._delay * random.uniform(0.5, 1)
        self._delay = min(self._delay * 2, LONGEST_DELAY)
        self._not_before = loop.time() + delay
        if self._messages and self.given_up:
            self._drop()
        elif self._messages:
            self._be_patient()
            self._retry = loop.call_later(delay, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._go_on()

    def _be_patient(self) -> None:
        if self._messages and self._limit is None and not self.given_up:
            self._limit = asyncio.get_running_loop().call_later(self._max_wait, self._give_up)

    def _give_up(self) -> None:
        """Nobody waits any longer; a connection that merely takes nothing keeps what it has in part."""
        self._limit = None
        self.given_up = True
        if self._wire is not None:
            self.trouble = OSError(errno.EAGAIN, "the server takes nothing")
        else:
            self.trouble = self.trouble or OSError(errno.ETIMEDOUT, "the server does not answer")
            self._stop_timers()
            self._drop()
        self._ready()

    def _drop(self) -> None:
        assert self.trouble is not None
        lost = self.waiting
        self._messages = self._sizes = ()
        self._at = 0
        self._tell(lost, self.trouble)

    def _lost(self, number: int, error: OSError) -> None:
        self._refused = asyncio.get_running_loop().time()
        self._tell(self._sizes[number] if number >= 0 else self._last_size, error)

    def _tell(self, lost: int, error: OSError) -> None:
        if lost and self._source is not None:
            self._lose(lost, self._source, error)

    def _relieved(self) -> None:
        self.trouble = None
        self.given_up = False
        self._delay = FIRST_DELAY
        self._stop_timers()

    def _stop_timers(self) -> None:
        for timer in (self._limit, self._retry):
            if timer is not None:
                timer.cancel()
        self._limit = self._retry = None

    def _watch(self) -> None:
        if not self._watched and self._wire is not None:
            self._watched = True
            asyncio.get_running_loop().add_writer(self._wire.socket, self._writable)

    def _writable(self) -> None:
        assert self._wire is not None
        self._watched = False
        asyncio.get_running_loop().remove_writer(self._wire.socket)
        self._go_on()

    def _disconnect(self, error: OSError | None = None) -> None:
        self._connecting.stop()
        if self._wire is not None:
            wire, self._wire = self._wire, None
            if error is not None:
                self._tell(wire.unsent(), error)
            loop = asyncio.get_running_loop()
            loop.remove_reader(wire.socket)
            loop.remove_writer(wire.socket)
            self._watched = False
            wire.socket.close()
