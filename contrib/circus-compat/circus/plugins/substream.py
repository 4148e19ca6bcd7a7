"""Where a plugin's events come out: as much of a ZMQStream as plugins use, without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Receiver = Callable[[list[bytes]], Any]


class Substream:
    """Events for one receiver at a time, at first `handle_recv`."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver: Receiver | None = receiver

    def on_recv(self, callback: Receiver | None, copy: bool = True) -> None:
        """Have somebody else receive the events."""
        self._receiver = callback

    def stop_on_recv(self) -> None:
        """Receive no events."""
        self._receiver = None

    def deliver(self, frames: list[bytes]) -> Any:
        """Hand on an event: its topic and its payload."""
        return self._receiver(frames) if self._receiver is not None else None
