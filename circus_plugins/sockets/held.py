"""The sockets that circusd has open for its watchers, by name; who uses them it does not know."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from attrs import define

from circus_core.errors import CircusError
from circus_plugins.sockets.binding import adapt, opened
from circus_plugins.sockets.groups import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from socket import socket as Socket

    from circus_plugins.sockets.options import SocketOptions


@define
class Held:
    """An open socket and the options that it was opened with."""

    options: SocketOptions
    socket: Socket

    @property
    def sockets(self) -> list[Socket]:
        """All that are open: the one."""
        return [self.socket]

    def take(self, _launched: object, _wanted: object) -> Socket:
        """The socket for a process that is going to be spawned."""
        return self.socket

    def configure(self, options: SocketOptions) -> None:
        """Have other options that an open socket may have; raises CircusError."""
        adapt(self.socket, self.options, options)
        self.options = options

    def close(self) -> None:
        """Let go of it, and take its path away."""
        self.socket.close()
        if self.options.file is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.options.file)


class Sockets:
    """What is open, and what should be. `changed` is called when other sockets are open than before, and `groups` are
    those of which each process has one."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.wanted: Mapping[str, SocketOptions] = {}
        self._changed = changed
        self._held: dict[str, Held | Group] = {}
        self.groups: dict[str, Group] = {}

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
        made = Group(options, self._changed) if options.so_reuseport else Held(options, opened(options))
        self._drop(name)
        self._held[name] = made
        if isinstance(made, Group):
            self.groups[name] = made
        self._changed()
        return made

    def _drop(self, name: str) -> None:
        held = self._held.pop(name, None)
        self.groups.pop(name, None)
        if held is not None:
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
