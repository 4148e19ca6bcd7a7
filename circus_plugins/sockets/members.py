"""Tells groups of sockets which processes come and go, and what is to come; what a group does then it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_core.model import ProcessState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from circus_core.model import ProcessRef, WatcherOptions
    from circus_core.supervisor import Supervisor
    from circus_plugins.sockets.groups import Group


class Members:
    """What happens to processes, for those of `groups` whose sockets they have. `used` are the sockets of a watcher."""

    def __init__(
        self,
        supervisor: Supervisor,
        groups: Mapping[str, Group],
        used: Callable[[WatcherOptions], Sequence[str]],
    ) -> None:
        self._supervisor = supervisor
        self._groups = groups
        self._used = used

    def wanted(self, name: str) -> int:
        """How many processes there are to be that use a socket."""
        watchers = self._supervisor.watchers.values()
        return sum(each.options.numprocesses for each in watchers if each.running and name in self._used(each.options))

    def spawned(self, process: ProcessRef) -> None:
        """It has what its launch took."""
        for name, group in self._groups.items():
            group.spawned((process.watcher, process.wid), process.pid)
            self._fit(name, group)

    def not_spawned(self, event: Any) -> None:
        """Nobody has what the launch took."""
        for group in self._groups.values():
            group.drop((event.watcher, event.wid))

    def about_to_signal(self, process: ProcessRef) -> None:
        """If that is to end it, nothing further is for it."""
        for group in self._groups.values():
            if group.has(process.pid) and self.leaves(process):
                group.ending(process.pid)

    def signaled(self, event: Any) -> None:
        """It got a signal, perhaps one that nobody could keep back."""
        if event.descendant_of is None:
            for group in self._groups.values():
                group.ending(event.pid)

    def exited(self, event: Any) -> None:
        """What it had is for the next."""
        for name, group in self._groups.items():
            if group.ended(event.pid):
                self._fit(name, group)

    def fit(self) -> None:
        """Others take over what comes for a watcher that has stopped."""
        for name, group in self._groups.items():
            self._fit(name, group)

    def _fit(self, name: str, group: Group) -> None:
        """Close what a group has too many of."""
        group.fit(lambda: self.wanted(name))

    def leaves(self, process: ProcessRef) -> bool:
        """Whether a process was told to end, or is about to be."""
        watcher = self._supervisor.watchers.get(process.watcher.lower())
        found = watcher.slots.everyone() if watcher is not None else ()
        return any(each.pid == process.pid and each.state is ProcessState.STOPPING for each in found)
