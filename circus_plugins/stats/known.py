"""Which processes there are, by what circusd tells: one question at first, and then its events. It looks at none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from circus_core.wire import topic_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.events import ProcessExited, ProcessReady, ProcessSpawned


@define(eq=False)
class Known:
    """A process that circusd started. `restarts` says how often one took the place of another in its slot."""

    watcher: str
    wid: int
    pid: int
    spawned_at: float
    restarts: int = 0
    ready_after: float | None = None


@define(eq=False)
class Group:
    """A watcher: its processes by pid, and of each slot how often it was filled again."""

    name: str
    topic: bytes
    processes: dict[int, Known] = field(factory=dict)
    restarts: dict[int, int] = field(factory=dict)
    # Slots whose process ended: who comes next there comes again.
    left: set[int] = field(factory=set)


class Processes:
    """All of them, by watcher in any case."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}

    def take(self, details: Mapping[str, Any], now: float) -> None:
        """Begin anew with what `status` says at length; a process that is known already stays the same object."""
        before = {each.pid: each for group in self.groups.values() for each in group.processes.values()}
        self.groups = {}
        for name, detail in details.items():
            group = self._group(name)
            for row in detail["processes"]:
                spawned_at = now - row["age"]
                known = before.get(row["pid"])
                if known is None or known.watcher != name or abs(known.spawned_at - spawned_at) > 1:
                    known = Known(name, row["wid"], row["pid"], spawned_at)
                group.restarts[known.wid] = known.restarts = row["restarts"]
                group.processes[known.pid] = known

    def added(self, watcher: str) -> None:
        """One more watcher."""
        self._group(watcher)

    def spawned(self, event: ProcessSpawned) -> None:
        """One more."""
        group = self._group(event.watcher)
        there = group.processes.get(event.pid)
        if there is not None and abs(there.spawned_at - event.at) < 1:
            return  # of before `take`
        if event.wid in group.left:
            group.left.discard(event.wid)
            group.restarts[event.wid] = group.restarts.get(event.wid, 0) + 1
        known = Known(event.watcher, event.wid, event.pid, event.at, group.restarts.get(event.wid, 0))
        group.processes[event.pid] = known

    def ready(self, event: ProcessReady) -> Known | None:
        """One came up; answers which."""
        group = self.groups.get(event.watcher.lower())
        known = group.processes.get(event.pid) if group is not None else None
        if known is not None:
            known.ready_after = event.after
        return known

    def exited(self, event: ProcessExited) -> Known | None:
        """One ended; answers which, if it was known."""
        group = self.groups.get(event.watcher.lower())
        known = group.processes.get(event.pid) if group is not None else None
        if group is None or known is None or known.wid != event.wid:
            return None
        group.left.add(event.wid)
        return group.processes.pop(event.pid)

    def stopped(self, watcher: str) -> None:
        """Whoever comes next in its slots comes for the first time."""
        group = self.groups.get(watcher.lower())
        if group is not None:
            group.restarts.clear()
            group.left.clear()

    def removed(self, watcher: str) -> None:
        """Nobody knows the watcher any more; its processes may still be ending."""
        self.groups.pop(watcher.lower(), None)

    def _group(self, name: str) -> Group:
        key = name.lower()
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group(name, b"stat." + topic_name(name).encode())
        return group
