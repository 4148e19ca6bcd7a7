"""Replaces the processes whose socket was exchanged, and remembers those that still have the one before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Mapping, Set

    from circus_core.supervisor import Supervisor


class Exchange:
    """Reloads watchers; one whose new processes do not come up is reloaded again with the next configuration.

    `let_go` is called with the name of an exchanged socket once nobody goes on at the one before: when the first of the
    processes that had it is told to end, as another one is ready by then, or when the last has ended. Not later, as
    circusd would let clients wait where nobody serves any more.
    """

    def __init__(self, let_go: Callable[[str], None]) -> None:
        self._let_go = let_go
        self._behind: set[str] = set()
        # By socket, the processes that had the one before.
        self._had: dict[str, set[int]] = {}

    @property
    def behind(self) -> Collection[str]:
        """The watchers, by key, that still have a socket which was exchanged."""
        return self._behind

    def renew(self, supervisor: Supervisor, changed: Set[str], users: Mapping[str, Collection[str]]) -> None:
        """Have those watchers that use changed sockets, and those that are behind, take what is open now.

        `users` are the sockets of the watchers that run.
        """
        for name in changed:
            own = (supervisor.watchers[watcher.lower()] for watcher, names in users.items() if name in names)
            self._had[name] = {process.pid for watcher in own for process in watcher.slots.everyone()}
            self._forget(name)
        behind = {watcher.lower() for watcher, names in users.items() if not changed.isdisjoint(names)}
        wanted, self._behind = self._behind | behind, set()
        for key in sorted(wanted & supervisor.watchers.keys()):
            watcher = supervisor.watchers[key]
            if watcher.running:
                watcher.reload(running=True).add_done_callback(partial(self._done, key))

    def came_over(self, watcher: str) -> None:
        """All processes of a watcher were replaced, or have ended."""
        self._behind.discard(watcher.lower())

    def concerns(self, pid: int) -> bool:
        """Whether a process has a socket from before an exchange that can still be had back."""
        return any(pid in pids for pids in self._had.values())

    def ending(self, pid: int) -> None:
        """A process is told to end."""
        for name in [name for name, pids in self._had.items() if pid in pids]:
            self._had[name].clear()
            self._forget(name)

    def ended(self, pid: int) -> None:
        """A process is gone."""
        for name in [name for name, pids in self._had.items() if pid in pids]:
            self._had[name].discard(pid)
            self._forget(name)

    def _forget(self, name: str) -> None:
        if not self._had[name]:
            del self._had[name]
            self._let_go(name)

    def _done(self, key: str, done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._behind.add(key)
