"""The sockets that circusd has open for its watchers, by name; it knows no process."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from attrs import define

from circus_core.errors import CircusError
from circus_plugins.sockets.binding import adapt, opened

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from circus_plugins.sockets.options import SocketOptions


@define
class Held:
    """An open socket and the options that it was opened with."""

    options: SocketOptions
    socket: socket.socket

    def described(self) -> dict[str, Any]:
        """As `listsockets` shows it."""
        common = {"fd": self.socket.fileno(), "name": self.options.name, "backlog": self.options.backlog}
        if self.options.unix:
            return {**common, "path": self.options.path}
        host, port = self.socket.getsockname()[:2]
        return {**common, "host": host, "port": port}

    def close(self) -> None:
        """Let go of it, and take its path away."""
        self.socket.close()
        if self.options.file is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.options.file)


class Sockets:
    """What is open, and what should be."""

    def __init__(self) -> None:
        self.wanted: Mapping[str, SocketOptions] = {}
        self._held: dict[str, Held] = {}

    def want(self, wanted: Mapping[str, SocketOptions]) -> None:
        """These are the sockets that there should be from now on."""
        self.wanted = wanted

    def get(self, name: str) -> Held:
        """An open socket, as it should be now; raises CircusError if it cannot be had, and the one before stays."""
        options = self.wanted[name]
        held = self._held.get(name)
        if held is None:
            held = self._held[name] = Held(options, opened(options))
        elif held.options != options:
            if held.options.place == options.place:
                adapt(held.socket, held.options, options)
                held.options = options
            else:
                made = Held(options, opened(options))
                held.close()
                held = self._held[name] = made
        return held

    def settle(self) -> list[CircusError]:
        """Open what should be open, and close what should not; why some could not be opened."""
        for name in self._held.keys() - self.wanted.keys():
            self._held.pop(name).close()
        refused = []
        for name, options in self.wanted.items():
            if not options.so_reuseport:
                try:
                    self.get(name)
                except CircusError as error:
                    refused.append(error)
        return refused

    def described(self) -> list[dict[str, Any]]:
        """All that are open."""
        return sorted((held.described() for held in self._held.values()), key=lambda entry: entry["fd"])

    def close(self) -> None:
        """Close all."""
        while self._held:
            self._held.popitem()[1].close()
