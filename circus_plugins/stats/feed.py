"""What is published of one look at everybody: Circus' topics and payloads (PROTOCOL.md 3.2), and more beside.

It keeps who is looked at for as long as somebody wants it, and forgets everything then.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from attrs import define, field

from circus_plugins.stats import proc, words
from circus_plugins.stats.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from circus_core.events import ProcessExited
    from circus_plugins.stats.known import Group, Known, Processes

CIRCUS = b"stat.circus"
STREAMERS = ("circusd-stats", "circushttpd")
"""Watchers that are told of as a part of circusd."""

Message = tuple[bytes, bytes]
encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@define(eq=False)
class Past:
    """Those of a watcher that ended since the last round: how many, and the CPU time that no round has told yet."""

    exited: int = 0
    seconds: float = 0.0
    peak_memory: int = 0


@define(eq=False)
class Feed:
    """Rounds of looks at the processes of circusd's watchers. `more` finds further JSON members for a pid.

    `circusd` is the pid of who started them."""

    processes: Processes
    more: Callable[[int], str] = lambda _pid: ""
    circusd: int = 0
    _watched: dict[Known, Watched] = field(factory=dict)
    _own: dict[str, Watched] = field(factory=dict)
    _past: dict[str, Past] = field(factory=dict)
    _at: float = 0.0

    def begin(self, topics: Collection[bytes]) -> None:
        """Have a first look, so that the first round is of the time since then; or leave out who is not wanted now."""
        if not self._at:
            self._at = time.monotonic()
        kept: dict[Known, Watched] = {}
        for group in self._groups():
            if wanted(group.topic, topics):
                for known in group.processes.values():
                    kept[known] = self._watched.get(known) or self._watch(known)
        for known, watched in self._watched.items():
            if known not in kept:
                watched.close()
        self._watched = kept
        if wanted(CIRCUS, topics):
            self._look_at_own()

    def end(self) -> None:
        """Forget everything, and close every descriptor."""
        for watched in (*self._watched.values(), *self._own.values()):
            watched.close()
        self._watched.clear()
        self._own.clear()
        self._past.clear()
        self._at = 0.0

    def exited(self, event: ProcessExited, known: Known | None) -> None:
        """Count what a process used up to its end, even if it was never looked at."""
        watched = self._watched.pop(known, None) if known is not None else None
        if not self._at:
            return
        told = watched.ticks / proc.HERTZ if watched is not None else 0.0
        if watched is not None:
            watched.close()
        past = self._past.setdefault(event.watcher.lower(), Past())
        past.exited += 1
        past.seconds += max(event.cpu - told, 0.0)
        past.peak_memory = max(past.peak_memory, event.peak_memory)

    def changed(self, known: Known) -> None:
        """Something that is told of it every time is not as it was."""
        watched = self._watched.get(known)
        if watched is not None:
            watched.refix(_fixed(known))

    def round(self, topics: Collection[bytes]) -> Iterator[Message]:
        """Look at everybody who is wanted, and answer what is to be published of it."""
        began, self._at = self._at, time.monotonic()
        past, self._past = self._past, {}
        boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        for group in self._groups():
            if wanted(group.topic, topics):
                ended = past.get(group.name.lower())
                if group.processes or ended is not None:
                    yield from self._group(group, ended or Past(), boot, self._at - began)
        if wanted(CIRCUS, topics):
            self._look_at_own()
            yield from self._circus(boot)

    def _groups(self) -> list[Group]:
        return [group for group in self.processes.groups.values() if group.name not in STREAMERS]

    def _group(self, group: Group, past: Past, boot: float, seconds: float) -> Iterator[Message]:
        pids, used, memory, oldest, more = [], 0.0, 0, 0.0, self.more
        watched_by = self._watched
        for known in group.processes.values():
            watched = watched_by.get(known)
            if watched is None:
                # It came since the last round.
                watched = self._watch(known, new=True)
            if not watched.look():
                continue
            age = boot - watched.started / proc.HERTZ
            pids.append(known.pid)
            used += watched.cpu
            memory += watched.rss
            if age > oldest:
                oldest = age
            yield group.topic + b".%d" % known.pid, watched.text(age, more(known.pid))
        late = words.percent(past.seconds * proc.HERTZ, seconds)
        yield group.topic, _sum(
            pids, used, memory, oldest,
            watcher=group.name, cpu_sum=round(used + late, 1), restarts=sum(group.restarts.values()),
            exited=past.exited, exited_cpu=round(past.seconds, 3), exited_peak=past.peak_memory,
        )  # fmt: skip

    def _watch(self, known: Known, *, new: bool = False) -> Watched:
        watched = Watched(known.pid, _fixed(known), parent=self.circusd, spawned_at=known.spawned_at)
        if not watched.gone:
            self._watched[known] = watched
            if new:
                watched.since(time.monotonic() - proc.age(watched.started))
        return watched

    def _look_at_own(self) -> None:
        names = {"circusd": [self.circusd]}
        if os.getpid() != self.circusd:
            names["circusd-stats"] = [os.getpid()]
        for group in self.processes.groups.values():
            if group.name in STREAMERS:
                names[group.name] = list(group.processes)
        for name, pids in names.items():
            before = self._own.get(name)
            if not pids or (before is not None and before.pid == pids[0] and not before.gone):
                continue
            if before is not None:
                before.close()
            self._own[name] = Watched(pids[0], {"name": name})

    def _circus(self, boot: float) -> Iterator[Message]:
        pids, used, memory, oldest = [], 0.0, 0, 0.0
        for watched in self._own.values():
            if watched.look():
                age = boot - watched.started / proc.HERTZ
                pids.append(watched.pid)
                used, memory, oldest = used + watched.cpu, memory + watched.rss, max(oldest, age)
                yield CIRCUS + b".%d" % watched.pid, watched.text(age, self.more(watched.pid))
        yield CIRCUS, _sum(pids, used, memory, oldest, cpu_sum=round(used, 1))


def wanted(topic: bytes, topics: Collection[bytes]) -> bool:
    """Whether anybody subscribed to a topic, or to one that begins with it."""
    return any(topic.startswith(each) or each.startswith(topic) for each in topics)


def _fixed(known: Known) -> Mapping[str, Any]:
    return {
        "name": None, "watcher": known.watcher, "wid": known.wid, "restarts": known.restarts,
        "ready_after": known.ready_after,
    }  # fmt: skip


def _sum(pids: list[int], used: float, memory: int, oldest: float, **more: object) -> bytes:
    """Of several processes: in Circus the average of the CPU figures, the sum of the memory, the age of the oldest."""
    told = {
        "pid": pids,
        "cpu": round(used / len(pids), 1) if pids else 0.0,
        "mem": words.memory(memory),
        "age": round(oldest, 3),
        "rss": memory,
        **more,
    }
    return encode(told).encode()
