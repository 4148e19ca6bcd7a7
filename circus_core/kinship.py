"""Who among many processes comes from ours: by group, by session, and by a mark in the environment. It only looks.

Each process is read once, however many ask for their kin: a thousand that end together look at the same picture.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict

from attrs import frozen

from circus_core import tree

MARK = "CIRCUS_PROCESS"
"""The environment variable that tells every descendant which process it comes from."""
_MARKED = re.compile(rb"(?:\A|\0)" + MARK.encode() + rb"=([^\0]*)")


def mark(family: str, number: int, wid: int) -> str:
    """The mark of a process: its watcher's `family`, its own number, and its wid.

    A supervisor of later can tell by it what became of the processes of one that was killed: with /proc/PID/stat and
    the pipes in /proc/PID/fd it has all that it needs to go on with them.
    """
    return f"{family}/{number}.{wid}"


class Strangers:
    """Processes that are not our children by spawn, as they were at one moment."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids

    @functools.cached_property
    def stats(self) -> dict[int, tree.Stat]:
        """Those that are there, the dead ones that nobody has reaped too."""
        return {pid: seen for pid in self._pids if (seen := tree.stat(pid)) is not None}

    @functools.cached_property
    def _led(self) -> dict[int, set[int]]:
        """Pids by the leaders of their group and session."""
        found: dict[int, set[int]] = defaultdict(set)
        for pid, seen in self.stats.items():
            found[seen.group].add(pid)
            found[seen.session].add(pid)
        return found

    @functools.cached_property
    def _marked(self) -> dict[str, set[int]]:
        """Pids of the living by their marks."""
        found: dict[str, set[int]] = defaultdict(set)
        for pid, seen in self.stats.items():
            marked = _MARKED.search(tree.environment(pid)) if seen.alive else None
            if marked is not None:
                found[marked[1].decode(errors="replace")].add(pid)
        return found

    def kin(self, leader: int, mark: str) -> set[int]:
        """The living in the group or session of a leader, or with its mark."""
        led = {pid for pid in self._led.get(leader, ()) if self.stats[pid].alive}
        return led | self._marked.get(mark, set())

    def group(self, number: int, *, dead: bool) -> set[int]:
        """The members of a process group, or only the dead that nobody has reaped."""
        members = {pid for pid in self._led.get(number, ()) if self.stats[pid].group == number}
        return {pid for pid in members if not self.stats[pid].alive} if dead else members

    def family(self, name: str) -> set[int]:
        """The living with any `mark` of this family."""
        marks = (mark for mark in self._marked if mark.rpartition("/")[0] == name)
        return {pid for mark in marks for pid in self._marked[mark]}


@frozen
class Released:
    """A process that was let go, to live on without its watcher. `started` is in clock ticks since boot."""

    pid: int
    started: int
    mark: str

    def tree(self, strangers: Strangers) -> set[int]:
        """Those of its tree that live, the process itself among them."""
        seen = tree.stat(self.pid)
        # As long as its session has members its pid belongs to nobody else.
        recycled = seen is not None and seen.started != self.started
        kin = strangers.kin(-1 if recycled else self.pid, self.mark)
        return kin.union(tree.descendants(*kin))
