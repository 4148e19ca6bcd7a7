"""Replaces the processes whose socket was exchanged, and remembers those that still have the one before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection, Iterable

    from circus_core.supervisor import Supervisor


class Exchange:
    """Reloads watchers; one whose new processes do not come up is reloaded again with the next configuration."""

    def __init__(self) -> None:
        self._behind: set[str] = set()

    @property
    def behind(self) -> Collection[str]:
        """The watchers, by key, that still have a socket which was exchanged."""
        return self._behind

    def renew(self, supervisor: Supervisor, changed: Iterable[str]) -> None:
        """Have these watchers, and those that are behind, take what is open now."""
        wanted, self._behind = self._behind | {watcher.lower() for watcher in changed}, set()
        for key in sorted(wanted & supervisor.watchers.keys()):
            watcher = supervisor.watchers[key]
            if watcher.running:
                watcher.reload(running=True).add_done_callback(partial(self._done, key))

    def came_over(self, watcher: str) -> None:
        """All processes of a watcher were replaced, or have ended."""
        self._behind.discard(watcher.lower())

    def _done(self, key: str, done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._behind.add(key)
