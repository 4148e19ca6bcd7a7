"""Servers that tests send to: sockets of this process that keep what arrives, and a strict reading of RFC 5424."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test on a loop of its own."""

    @functools.wraps(test)
    def run(**given: Any) -> None:
        asyncio.run(test(**given))

    return run


class Message(NamedTuple):
    """A message of RFC 5424, in parts."""

    priority: int
    at: str
    host: str
    app: str
    procid: str
    msgid: str
    data: str
    text: bytes


GRAMMAR = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) ([!-~]{1,48})"
    rb' ([!-~]{1,128}) ([!-~]{1,32}) (-|(?:\[[!-~]{1,32}(?: [!-~]{1,32}="(?:[^"\\\]]|\\.)*")*\])+)(?: (.*))?',
    re.DOTALL,
)


def parsed(message: bytes) -> Message:
    """Raises AssertionError if it is none."""
    found = GRAMMAR.fullmatch(message)
    assert found, message
    priority, *words, text = found.groups()
    return Message(int(priority), *(word.decode() for word in words), text or b"")


def counted(stream: bytes) -> Iterator[bytes]:
    """The messages of a stream in which each has its length before it (RFC 6587, 3.4.1)."""
    at = 0
    while at < len(stream):
        blank = stream.index(b" ", at)
        end = blank + 1 + int(stream[at:blank])
        assert end <= len(stream), "a message is cut off"
        yield stream[blank + 1 : end]
        at = end


class Listener:
    """A stream server that keeps what each connection said."""

    def __init__(self, port: int = 0) -> None:
        self.said: list[bytearray] = []
        self.port = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.arrived = asyncio.Event()

    async def start(self, path: Path | None = None) -> None:
        if path is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        else:
            self._server = await asyncio.start_unix_server(self._connected, path)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = bytearray()
        self.said.append(said)
        self._open.add(writer)
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(1 << 20):
                said += piece
                self.arrived.set()
        self._open.discard(writer)
        writer.close()

    def all(self) -> bytes:
        return b"".join(self.said)


@contextlib.asynccontextmanager
async def listening(path: Path | None = None, port: int = 0) -> AsyncIterator[Listener]:
    """A stream server while the block runs."""
    listener = Listener(port)
    await listener.start(path)
    try:
        yield listener
    finally:
        await listener.stop()


def datagrams(path: Path | None = None) -> socket.socket:
    """A socket that receives datagrams, by UDP or at a path."""
    if path is None:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    else:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.bind(str(path))
    made.setblocking(False)
    return made


def received(server: socket.socket) -> list[bytes]:
    """All that has arrived."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(server.recv(1 << 20))
    return found
