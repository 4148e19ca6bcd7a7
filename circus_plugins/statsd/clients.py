"""The library's client, over connections that never hold anybody up: datagrams, and a stream of lines."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import statsd
import statsd.client.base
import statsd.client.stream
import statsd.client.udp

if TYPE_CHECKING:
    from collections.abc import Callable

DATAGRAM = 1432
"""Bytes of metrics that go together: what an Ethernet frame has room for."""
BACKLOG = 65_536
"""Bytes that wait for a server which takes them slowly, or whose connection is being made; what is more is dropped."""
CONNECT = 5.0
"""Seconds that a connection may take, and after which it is tried again if there is something to be sent."""
TAGS = "|#"
"""How DogStatsD's tags begin, which no name can have."""


class _Tags:
    """DogStatsD has tags at the end, behind type and rate; the library knows none, so they come with the name."""

    def _prepare(self, stat: str, value: str, rate: float) -> str | None:
        name, mark, tags = stat.partition(TAGS)
        line: str | None = super()._prepare(name, value, rate)  # type: ignore[misc]
        return line and line + mark + tags


class _Datagram(_Tags, statsd.client.udp.Pipeline):  # type: ignore[misc]
    """Several metrics in a datagram."""


class _Lines(_Tags, statsd.client.stream.StreamPipeline):  # type: ignore[misc]
    """Several metrics at once."""


class Datagrams(_Tags, statsd.StatsClient):  # type: ignore[misc]
    """Sends by UDP what the kernel takes at once; the rest is dropped, as UDP may: the library has no option for it."""

    def __init__(self, address: str, port: int, prefix: str) -> None:
        super().__init__(address, port, prefix=prefix, maxudpsize=DATAGRAM, ipv6=":" in address)
        self._sock.setblocking(False)

    def pipeline(self) -> _Datagram:
        return _Datagram(self)


class Stream(_Tags, statsd.client.base.StatsClientBase, asyncio.Protocol):  # type: ignore[misc]
    """Sends by TCP. It connects when there is something to be sent, and drops that if it cannot; the library's own
    client would wait. `trouble` is told once why, and an empty text when it works again."""

    def __init__(self, address: str, port: int, prefix: str, trouble: Callable[[str], object]) -> None:
        self._prefix = prefix
        self._address, self._port = address, port
        self._trouble = trouble
        self._failed = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._waiting = bytearray()

    def pipeline(self) -> _Lines:
        return _Lines(self)

    def close(self) -> None:
        """Send what waits, and hang up."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: Any) -> None:
        """Called by asyncio."""
        self._transport = transport
        transport.write(bytes(self._waiting))
        self._waiting.clear()
        self._say("")

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._transport = None

    def _send(self, data: str) -> None:
        line = data.encode("ascii", "replace") + b"\n"
        if self._transport is not None and not self._transport.is_closing():
            if self._transport.get_write_buffer_size() < BACKLOG:
                self._transport.write(line)
            return
        if len(self._waiting) < BACKLOG:
            self._waiting += line
        if self._connecting is None and self._loop.time() >= self._not_before:
            self._connecting = self._loop.create_task(self._connect(), name="statsd connection")

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(CONNECT):
                await self._loop.create_connection(lambda: self, self._address, self._port)
        except OSError as error:
            self._waiting.clear()
            # asyncio has words of its own for it, which say where and not why.
            self._say(os.strerror(error.errno) if error.errno else f"no answer within {CONNECT:g} s")
        finally:
            self._connecting = None
            self._not_before = self._loop.time() + CONNECT

    def _say(self, why: str) -> None:
        if bool(why) != self._failed:
            self._failed = bool(why)
            self._trouble(why)
