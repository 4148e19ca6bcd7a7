"""What processes use, from one look to the next; it judges nothing. psutil does the reading."""

from __future__ import annotations

import psutil

from circus_core import tree
from circus_plugins.resource_watcher.limits import Usage


class Sampler:
    """Keeps what is needed to tell how much processor time was used since the last look at the same process."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._seen: dict[int, psutil.Process] = {}

    def usage(self, pid: int) -> Usage | None:
        """What a process uses; None if it is gone."""
        known = self._known.get(pid)
        try:
            # Another process may have the pid by now.
            process = known if known is not None and known.is_running() else psutil.Process(pid)
            with process.oneshot():
                cpu = process.cpu_percent()
                memory, percent = process.memory_info().rss, process.memory_percent()
        except psutil.Error:
            return None
        self._seen[pid] = process
        return Usage(cpu if process is known else None, memory, percent)

    def descendants(self, pid: int) -> dict[int, Usage]:
        """What each process that comes from `pid` uses."""
        found = {child: self.usage(child) for child in tree.descendants(pid)}
        return {child: usage for child, usage in found.items() if usage is not None}

    def end_look(self) -> None:
        """Forget who was not seen since the last call."""
        self._known, self._seen = self._seen, {}


def total(own: Usage, others: dict[int, Usage]) -> Usage:
    """A process and all that comes from it as one. Who was not there at the last look has used no time yet."""
    cpu = None if own.cpu is None else own.cpu + sum(usage.cpu or 0.0 for usage in others.values())
    memory = own.memory + sum(usage.memory for usage in others.values())
    return Usage(cpu, memory, own.percent + sum(usage.percent for usage in others.values()))
