"""Sockets that circusd was handed by whoever started it, and which section each is for. It opens none.

systemd keeps them open as well, so what waits for a connection waits on while circusd is replaced.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from attrs import frozen

from circus_core.errors import CircusError
from circus_plugins.sockets.binding import resolved
from circus_plugins.sockets.options import FAMILIES, TYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from circus_plugins.sockets.options import SocketOptions

UNIT = ".socket"
"""How the name ends that systemd gives to a descriptor whose unit has no FileDescriptorName."""


@frozen(eq=False)
class Offer:
    """One of them, and the name that it came with."""

    name: str
    socket: socket.socket

    def is_called(self, name: str) -> bool:
        """Whether it is meant for the section of this name."""
        own = self.name.lower()
        return name.lower() in (own, own.removesuffix(UNIT))

    def __str__(self) -> str:
        return f"descriptor {self.socket.fileno()} ({self.name}) that circusd was handed"

    def close(self) -> None:
        """Let go of it; its path is not ours."""
        self.socket.close()


class Offered:
    """Those that no section has. `descriptors` are circusd's, by number; the sockets among them are taken out."""

    def __init__(self, descriptors: dict[int, str]) -> None:
        self._free = []
        for number, name in tuple(descriptors.items()):
            try:
                made = socket.socket(fileno=number)
            except OSError:
                # A pipe, say, which somebody else may want.
                continue
            self._free.append(Offer(name, made))
            del descriptors[number]

    def unwanted(self, wanted: Collection[str]) -> Iterator[tuple[int, str]]:
        """Those that are for no section, which are given away by this."""
        for offer in tuple(self._free):
            if not any(map(offer.is_called, wanted)):
                self._free.remove(offer)
                yield offer.socket.detach(), offer.name

    def take(self, options: SocketOptions, wanted: Collection[str], own: Offer | None = None) -> Offer | None:
        """The one for this section, None if there is none; raises CircusError for one of another kind.

        That is the one with its name, or else one at its address that has the name of no other section. `own` is the
        one that the section has now.
        """
        free = [*self._free, own] if own is not None else self._free
        named = [offer for offer in free if offer.is_called(options.name)]
        found: Offer | None
        if named:
            found = _best(options, named)
        else:
            others = [offer for offer in free if not any(map(offer.is_called, wanted))]
            found = next((offer for offer in others if not _unlike(options, offer) and _is_at(options, offer)), None)
        if found is not None and found is not own:
            self._free.remove(found)
        return found

    def give_back(self, offer: Offer) -> None:
        """The section that had it is gone, or does not want it any more; another may come."""
        self._free.append(offer)

    def close(self) -> None:
        """Close all."""
        while self._free:
            self._free.pop().close()


def _best(options: SocketOptions, named: list[Offer]) -> Offer:
    """Of those with the name of a section the one at its address, or the only one; raises CircusError."""
    alike = [offer for offer in named if not _unlike(options, offer)]
    if not alike:
        what, hint = _unlike(options, named[0]) or ("", "")
        raise CircusError(f"[socket:{options.name}] {named[0]} {what}", hint=hint)
    there = next((offer for offer in alike if len(alike) > 1 and _is_at(options, offer)), None)
    if there is None and len(alike) > 1:
        raise CircusError(
            f"[socket:{options.name}] circusd was handed {len(alike)} sockets of this name, none at {options.address}",
            hint="give each a name of its own (FileDescriptorName), or write the address of one in the section",
        )
    return there or alike[0]


def _unlike(options: SocketOptions, offer: Offer) -> tuple[str, str] | None:
    """In what a socket differs from what a section says, beside its address, and what to do."""
    family, kind = ("AF_UNIX" if options.unix else options.family), options.type.removeprefix("SOCK_")
    if offer.socket.family != FAMILIES[family] or offer.socket.type != TYPES[kind]:
        has = f"{_name(offer.socket.family)} {_name(offer.socket.type)}"
        hint = "change the section, or the unit: a port alone in ListenStream is AF_INET6, for IPv4 as well"
        return f"is {has}, and the section has {family} SOCK_{kind}", hint
    if options.listens and not offer.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "is a connection, and no socket that listens", "set Accept=no in the unit"
    if options.so_reuseport:
        return "is one for all processes, and the section has so_reuseport", "drop so_reuseport"
    return None


def _is_at(options: SocketOptions, offer: Offer) -> bool:
    at = offer.socket.getsockname()
    if options.unix:
        path = options.path or ""
        if options.file is None:
            return bool(at == b"\0" + os.fsencode(path[1:]))
        return isinstance(at, str) and os.path.realpath(at) == os.path.realpath(path)
    try:
        _family, address = resolved(options)
    except CircusError:
        # Whoever opens it tells.
        return False
    return bool(at[:2] == address[:2])


def _name(number: int) -> str:
    return str(getattr(number, "name", number))
