"""Sinks that a channel of a watcher has for itself: they stay, whichever of its processes come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circus_plugins.streams.shared import Shared


class Keeping:
    """Keeps such sinks open by a promise, until their watcher is gone or its output goes elsewhere."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], set[Shared]] = {}

    def keep(self, watcher: str, channel: str, shared: Shared) -> None:
        """Keep one open."""
        kept = self._kept.setdefault((watcher.lower(), channel), set())
        if shared not in kept:
            kept.add(shared)
            shared.promise()

    def of(self, watcher: str, channel: str) -> set[Shared]:
        """Those of one channel."""
        return set(self._kept.get((watcher.lower(), channel), ()))

    def release(self, watcher: str, used: set[Shared]) -> None:
        """Let those of a watcher go that are not among some."""
        for key in [key for key in self._kept if key[0] == watcher.lower()]:
            gone = self._kept[key] - used
            self._kept[key] -= gone
            if not self._kept[key]:
                del self._kept[key]
            for shared in gone:
                shared.break_promise()
