"""A sink and the channels that write to it: keeps one's misfortune from the others, and counts what is lost."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Protocol

from circus_plugins.streams.sink import PartlyWritten

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from circus_plugins.streams.sink import Sink, Source

log = logging.getLogger("circus.streams")

EVERY = 60.0
"""Seconds between two messages about the same sink."""


class Loss:
    """What could not be written: bytes in all, bytes since it last could, and why."""

    __slots__ = ("error", "since", "told", "total", "unwritten")

    def __init__(self) -> None:
        self.total = self.unwritten = 0
        self.error = ""
        self.since = self.told = 0.0


class Writer(Protocol):
    """Whoever writes to a sink, and waits if that takes no more."""

    stalled: bool

    def go_on(self) -> None:
        """The sink takes more now."""
        ...


class Shared:
    """One sink for all whose options are alike. It is opened by the first, and closed after the last."""

    def __init__(
        self,
        key: Hashable,
        name: str,
        sink: Sink,
        told: Callable[[Source, Shared], None],
        over: Callable[[Shared], None],
    ) -> None:
        self.key = key
        self.name = name
        self.sink = sink
        self.loss = Loss()
        self.unopened = ""
        self._told = told
        self._over = over
        self._channels: set[Writer] = set()
        self._promised = 0
        self._closed = False
        self._settled: Callable[[], None] = _nobody
        sink.ready = self._ready
        sink.lose = self.lose

    def promise(self) -> None:
        """A channel is going to join; until then the sink stays open."""
        self._promised += 1

    def break_promise(self) -> None:
        """None is."""
        self._promised -= 1
        self._close_if_unused()

    def join(self, channel: Writer) -> None:
        """As was promised, write for this channel too."""
        self._promised -= 1
        self._channels.add(channel)

    def leave(self, channel: Writer) -> None:
        """Write for it no more."""
        self._channels.discard(channel)
        self._close_if_unused()

    def write(self, data: memoryview, source: Source) -> int:
        """How much of it is done with: written, or lost with the reason said."""
        try:
            taken = self.sink.write(data, source)
        except Exception as error:
            # Sinks may be anybody's code, and whatever is wrong with one must not end the reading.
            if not isinstance(error, OSError):
                log.debug("%s failed", self.name, exc_info=True)
            written = error.taken if isinstance(error, PartlyWritten) else 0
            self.lose(len(data) - written, source, error)
            return len(data)
        if self.loss.unwritten and taken and not self.sink.failing:
            self._recovered()
        return taken

    def lose(self, amount: int, source: Source, error: Exception | None = None) -> None:
        """So many bytes are gone."""
        if not amount:
            return
        loss, now = self.loss, time.monotonic()
        if not loss.unwritten:
            loss.since = now
        loss.unwritten += amount
        loss.total += amount
        loss.error = _words(error) if error else "circusd ended before it could be written"
        if not loss.told or now - loss.told >= EVERY:
            loss.told = now
            log.error(
                "%s/%d: output of its %s is lost: %s: %s; %d bytes so far",
                source.watcher, source.wid, source.channel, self.name, loss.error, loss.unwritten,
            )  # fmt: skip
            self._told(source, self)

    def reopen(self) -> None:
        """Open anew what may have been moved away; if that fails, `unopened` says why, and all is as it was."""
        self.unopened = ""
        try:
            self.sink.reopen()
        except Exception as error:
            self.unopened = _words(error)
            log.error("%s cannot be opened anew: %s", self.name, self.unopened)

    def _recovered(self) -> None:
        loss = self.loss
        lasted = time.monotonic() - loss.since
        log.warning("%s can be written again: %d bytes were lost in %.1f s", self.name, loss.unwritten, lasted)
        loss.unwritten = 0
        loss.told = 0.0

    @property
    def busy(self) -> bool:
        """Whether something that was read is not written yet, which `ready` of the sink will tell of."""
        return bool(self.sink.waiting) or any(channel.stalled for channel in self._channels)

    async def settle(self) -> None:
        """Wait until all that was read is written."""
        while self.busy:
            settled = asyncio.Event()
            self._settled = settled.set
            await settled.wait()

    def abandon(self) -> None:
        """Close the sink, whatever is not written yet."""
        if not self._closed:
            self._closed = True
            if self.sink.waiting:
                log.error("%s: %d bytes of output are lost, as circusd ends", self.name, self.sink.waiting)
            self.sink.close()

    def _ready(self) -> None:
        for channel in list(self._channels):
            channel.go_on()
        self._close_if_unused()
        self._settled()

    def _close_if_unused(self) -> None:
        if self._promised or self._channels or self.sink.waiting or self._closed:
            return
        self._closed = True
        try:
            self.sink.close()
        except Exception as error:
            log.error("%s cannot be closed: %s", self.name, _words(error))
        self._over(self)


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"


def _nobody() -> None:
    """Nobody waits for it."""
