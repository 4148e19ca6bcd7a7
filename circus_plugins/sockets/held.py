"""The sockets that circusd has open for its watchers, by name; who uses them it does not know."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from attrs import Factory, define, field

from circus_core.errors import CircusError
from circus_plugins.holders import Holders
from circus_plugins.sockets.binding import adapt, opened
from circus_plugins.sockets.groups import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from socket import socket as Socket

    from circus_plugins.sockets.offered import Offer, Offered
    from circus_plugins.sockets.options import SocketOptions

log = logging.getLogger("circus.plugin.sockets")


@define
class Held:
    """An open socket and the options that it was opened with; `offer` if circusd was handed it."""

    options: SocketOptions
    socket: Socket
    offer: Offer | None = None
    _bound: tuple[int, int] | None = field(init=False, default=Factory(lambda self: _file(self.options), True))

    @property
    def sockets(self) -> list[Socket]:
        """All that are open: the one."""
        return [self.socket]

    def gives_way_to(self, options: SocketOptions) -> bool:
        """Whether these options are for another socket; one that was handed over by name is for any address."""
        named = self.offer is not None and self.offer.is_called(options.name)
        return not named and self.options.place != options.place

    def take(self, _launched: object, _wanted: object) -> Socket:
        """The socket for a process that is going to be spawned."""
        return self.socket

    def configure(self, options: SocketOptions) -> None:
        """Have other options that an open socket may have; raises CircusError."""
        adapt(self.socket, options, self.options if self.offer is None else None)
        self.options = options

    def close(self) -> None:
        """Let go of it, and take its path away, unless that is another one's by now."""
        self.socket.close()
        if self.options.file is not None and self._bound == _file(self.options):
            with contextlib.suppress(OSError):
                os.unlink(self.options.file)


def _file(options: SocketOptions) -> tuple[int, int] | None:
    """What is at the path of a socket, if it has one."""
    try:
        found = os.lstat(options.file) if options.file is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found is not None else None


class Sockets:
    """What is open, and what should be, and of an exchanged socket the one before, until it is let go.

    `changed` is called when other sockets are open than before, and `groups` are those of which each process has one.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.wanted: Mapping[str, SocketOptions] = {}
        self._changed = changed
        self._held: dict[str, Held | Group] = {}
        self._former: dict[str, list[Held]] = {}
        self._holders = Holders(self._section)
        self.groups: dict[str, Group] = {}
        self._offered: Offered | None = None

    def offer(self, descriptors: dict[int, str]) -> Offered:
        """Sections may have sockets of these, which circusd was handed, by number and with their names."""
        from circus_plugins.sockets.offered import Offered

        self._offered = Offered(descriptors)
        return self._offered

    def want(self, wanted: Mapping[str, SocketOptions]) -> None:
        """These are the sockets that there should be from now on."""
        self.wanted = wanted

    def get(self, name: str) -> Held | Group:
        """An open socket, as it should be now; raises CircusError if it cannot be had, and the one before stays."""
        options, held = self.wanted[name], self._held.get(name)
        if held is not None and held.options.place == options.place:
            if held.options != options:
                held.configure(options)
            return held
        made = self._handed(options, held) or self._back(options)
        if made is None:
            made = self._made(options, held.sockets if held is not None else ())
        elif held is not None and made.sockets == held.sockets:
            self._held[name] = made
            return made
        if isinstance(held, Held) and held.offer is None:
            self._former.setdefault(name, []).append(held)
        else:
            self._drop(name)
        self._held[name] = made
        if isinstance(made, Group):
            self.groups[name] = made
        self._changed()
        return made

    def _back(self, options: SocketOptions) -> Held | None:
        """One that the section had and that is not let go yet, if it is what is wanted now; raises CircusError."""
        former = self._former.get(options.name, [])
        found = next((each for each in former if each.options.place == options.place), None)
        if found is not None:
            found.configure(options)
            former.remove(found)
        return found

    def let_go(self, name: str) -> None:
        """Nobody wants back what a section had before."""
        for held in self._former.pop(name, ()):
            held.close()

    def _made(self, options: SocketOptions, before: Sequence[Socket]) -> Held | Group:
        own = [*before, *(held.socket for held in self._former.get(options.name, ()))]
        made = opened(options, self._holders, own)
        return Group(options, made, self._changed) if options.so_reuseport else Held(options, made)

    def _section(self, inode: int) -> str:
        """The section that a socket is of, if it is one of these."""
        every = ((name, one) for name, held in self._held.items() for one in held.sockets)
        return next((f"[socket:{name}]" for name, one in every if os.fstat(one.fileno()).st_ino == inode), "")

    def _handed(self, options: SocketOptions, held: Held | Group | None) -> Held | Group | None:
        """One that circusd was handed, perhaps that which the section has, if there is one; raises CircusError."""
        if self._offered is None:
            return None
        own = held.offer if isinstance(held, Held) else None
        offer = self._offered.take(options, self.wanted, own)
        if offer is None:
            return None
        try:
            adapt(offer.socket, options)
        except CircusError:
            if offer is not own:
                self._offered.give_back(offer)
            raise
        if offer is not own:
            from circus_plugins.sockets.listing import address

            log.info("[socket:%s] is %s, at %s", options.name, offer, address(offer.socket))
            if options.file is not None and any(option is not None for option in options.rights):
                log.warning("[socket:%s] owner and mode are as whoever opened it has set them", options.name)
        return Held(options, offer.socket, offer)

    def _drop(self, name: str) -> None:
        self.let_go(name)
        held = self._held.pop(name, None)
        self.groups.pop(name, None)
        if isinstance(held, Held) and held.offer is not None and self._offered is not None:
            self._offered.give_back(held.offer)
        elif held is not None:
            held.close()

    def settle(self) -> list[CircusError]:
        """Open what should be open, and close what should not; why some could not be opened."""
        for name in self._held.keys() - self.wanted.keys():
            self._drop(name)
        refused = []
        for name in self.wanted:
            try:
                self.get(name)
            except CircusError as error:
                refused.append(error)
        return refused

    def open(self) -> Mapping[str, Held | Group]:
        """All that are open, by name."""
        return self._held

    def close(self) -> None:
        """Close all."""
        for name in tuple(self._held):
            self._drop(name)
        if self._offered is not None:
            self._offered.close()
