"""Tells that a process answers requests of HTTP: one is sent to it, and its status has to be one of success."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from circus_core import __version__
from circus_plugins.ready.accepting import Accepting, own_doors
from circus_plugins.ready.calling import connected, parsed
from circus_plugins.ready.evidence import sockets_of
from circus_plugins.ready.peers import taker
from circus_plugins.ready.ways import family, looks

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from circus_plugins.ready.calling import Address
    from circus_plugins.ready.evidence import Door
    from circus_plugins.ready.probes import Probes

STATUS = re.compile(rb"HTTP/\d(?:\.\d)? ([1-5]\d\d)\b ?([^\r\n]*)")
TURN = 1.0
"""Seconds within which a process has to take a connection of ours; another one may have taken it."""
PATIENCE = 5.0
"""Seconds that one request may take."""


class Answering:
    """It answers `GET URL` with a status of 200 to 399.

    A path alone is asked of it at `doors` if it has some, else where it listens.
    """

    def __init__(self, doors: Sequence[Door], probes: Probes, url: str) -> None:
        self._probes = probes
        self._doors = [door for door in doors if door.connects]
        self._url = url
        parts = urlsplit(url)
        self._tls = parts.scheme == "https"
        self._host = parts.netloc or "localhost"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._fixed = address_of(url)
        self._seen = "it does not take connections"

    async def wait(self, pid: int) -> None:
        """As in Way."""
        if self._shared:
            await Accepting(self._doors, self._probes).wait(pid)
        self._seen = "it listens nowhere"
        async for _ in looks():
            for address in self._addresses(pid):
                if await self._asked(pid, address):
                    return

    def lacking(self) -> str:
        """As in Way."""
        return f"does not answer GET {self._url}: {self._seen}"

    def _addresses(self, pid: int) -> Iterator[Address]:
        if self._fixed is not None:
            yield self._fixed
        elif self._doors:
            yield from (door.address for door in self._doors)
        else:
            yield from own_doors(family(pid))

    async def _asked(self, pid: int, address: Address) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                made = await connected(address)
                try:
                    mine = not self._shared or await _taken(made, pid)
                    # Another one, which has the socket too, gets a whole request nevertheless: less puzzling for it.
                    return await self._ask(made) and mine
                finally:
                    made.close()
        except TimeoutError:
            self._seen = f"no answer within {PATIENCE:g} s"
        except OSError as error:
            self._seen = os.strerror(error.errno) if error.errno else str(error)
        return False

    @property
    def _shared(self) -> bool:
        """Whether another process might answer instead."""
        return self._fixed is None and bool(self._doors)

    async def _ask(self, made: socket.socket) -> bool:
        reader, writer = await asyncio.open_connection(sock=made, **self._security())
        try:
            agent = f"circus-bus/{__version__} ready"
            headers = f"Host: {self._host}", f"User-Agent: {agent}", "Accept: */*", "Connection: close", "", ""
            writer.write("\r\n".join((f"GET {self._path} HTTP/1.1", *headers)).encode())
            line = await reader.readline()
        except ValueError:
            line = b""
        finally:
            writer.close()
        found = STATUS.match(line)
        if found is None:
            self._seen = "its answer is not HTTP" if line else "it hung up"
            return False
        self._seen = f"{found[1].decode()} {found[2].decode(errors='replace')}".rstrip()
        return 200 <= int(found[1]) < 400

    def _security(self) -> dict[str, Any]:
        if not self._tls:
            return {}
        import ssl

        # The question is whether this process answers, and not whether it is who it says: we started it.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return {"ssl": context, "server_hostname": urlsplit(self._url).hostname}


async def _taken(made: socket.socket, pid: int) -> bool:
    """Whether the process takes a connection, and no other one that has the socket too."""
    deadline = asyncio.get_running_loop().time() + TURN
    async for _ in looks(lambda: asyncio.get_running_loop().time() > deadline):
        inode = taker(made)
        if inode:
            return any(inode in sockets_of(each).values() for each in family(pid))
    return False


def address_of(url: str) -> Address | None:
    """Where a URL leads, None if it is a path alone; raises ValueError for what is no URL, or has a name to be asked
    for."""
    if url.startswith("/"):
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a path that begins with /, or an http:// or https:// address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parsed(f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
