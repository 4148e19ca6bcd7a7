"""Looks at everybody, and what is published of a look: Circus' topics and payloads (PROTOCOL.md 3.2), and more beside.

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
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

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
    peak_memory: int | None = None


@define(eq=False)
class Seen:
    """A watcher at the last look, or, without a group, circusd itself: its processes, and what they used together.

    `cpu` is in percent of one core, `rss` in bytes, `oldest` in seconds. `past` are those that ended since the look
    before, and `late` what they used that no look had told.
    """

    group: Group | None
    processes: list[tuple[Known | None, Watched]] = field(factory=list)
    cpu: float = 0.0
    rss: int = 0
    oldest: float = 0.0
    past: Past = field(factory=Past)
    late: float = 0.0


@define(eq=False)
class Feed:
    """Looks at the processes of circusd's watchers. `more` finds further JSON members for a pid.

    `circusd` is the pid of who started them. With `all` they are looked at whoever has subscribed. `seen` is what the
    last look found, `at` when that was, by the clock that counts the time of a suspended machine too, and `seconds` how
    long after the look before, by the clock that does not.
    """

    processes: Processes
    more: Callable[[int], str] = lambda _pid: ""
    circusd: int = 0
    all: bool = False
    seen: list[Seen] = field(factory=list)
    at: float = 0.0
    seconds: float = 0.0
    _watched: dict[Known, Watched] = field(factory=dict)
    _own: dict[str, Watched] = field(factory=dict)
    _past: dict[str, Past] = field(factory=dict)
    _steady: float = 0.0

    def begin(self, topics: Collection[bytes]) -> None:
        """Have a first look, so that the next one is about the time since then; or leave out who is not wanted now."""
        if not self._steady:
            self._steady = time.monotonic()
        kept: dict[Known, Watched] = {}
        for group in self._groups():
            if self.all or wanted(group.topic, topics):
                for known in group.processes.values():
                    kept[known] = self._watched.get(known) or self._watch(known)
        for known, watched in self._watched.items():
            if known not in kept:
                watched.close()
        self._watched = kept
        if self.all or wanted(CIRCUS, topics):
            self._find_own()

    def end(self) -> None:
        """Forget everything, and close every descriptor."""
        for watched in (*self._watched.values(), *self._own.values()):
            watched.close()
        self._watched.clear()
        self._own.clear()
        self._past.clear()
        self.seen = []
        self._steady = 0.0

    def exited(self, event: ProcessExited, known: Known | None) -> None:
        """Count what a process used up to its end, even if it was never looked at."""
        watched = self._watched.pop(known, None) if known is not None else None
        if not self._steady:
            return
        told = watched.ticks / proc.HERTZ if watched is not None else 0.0
        if watched is not None:
            watched.close()
        past = self._past.setdefault(event.watcher.lower(), Past())
        past.exited += 1
        past.seconds += max(event.cpu - told, 0.0)
        if event.peak_memory is not None:
            # Whose is not known had no more than circusd, and so less than this one.
            past.peak_memory = max(past.peak_memory or 0, event.peak_memory)

    def changed(self, known: Known) -> None:
        """Something that is told of it every time is not as it was."""
        watched = self._watched.get(known)
        if watched is not None:
            watched.refix(_fixed(known))

    def look(self, topics: Collection[bytes]) -> None:
        """Look at everybody who is wanted."""
        before, self._steady = self._steady, time.monotonic()
        self.seconds = self._steady - before
        self.at = time.clock_gettime(time.CLOCK_BOOTTIME)
        past, self._past = self._past, {}
        self.seen = [
            self._look_at(group, past.get(group.name.lower()) or Past())
            for group in self._groups()
            if self.all or wanted(group.topic, topics)
        ]
        if self.all or wanted(CIRCUS, topics):
            self._find_own()
            self.seen += [self._look_at_own(name, watched) for name, watched in self._own.items()]

    def messages(self, topics: Collection[bytes]) -> Iterator[Message]:
        """What is to be published of the last look."""
        own = []
        for seen in self.seen:
            group = seen.group
            if group is None or group.name in STREAMERS:
                own.append(seen)
            elif wanted(group.topic, topics) and (group.processes or seen.past.exited):
                yield from self._messages(group.topic, [seen])
                yield group.topic, self._of_watcher(group, seen)
        if wanted(CIRCUS, topics):
            yield from self._messages(CIRCUS, own)
            yield CIRCUS, _sum(own)

    def _groups(self) -> list[Group]:
        return [group for group in self.processes.groups.values() if group.name not in STREAMERS]

    def _look_at(self, group: Group, past: Past) -> Seen:
        used, memory, first = 0.0, 0, 0
        processes: list[tuple[Known | None, Watched]] = []
        watched_by = self._watched
        for known in group.processes.values():
            watched = watched_by.get(known)
            if watched is None:
                # It came since the last look.
                watched = self._watch(known, new=True)
            if watched.look():
                used += watched.cpu
                memory += watched.rss
                if not first or watched.started < first:
                    first = watched.started
                processes.append((known, watched))
        late = words.percent(past.seconds * proc.HERTZ, self.seconds)
        return Seen(group, processes, used, memory, self._age(first), past, late)

    def _age(self, started: int) -> float:
        return self.at - started / proc.HERTZ if started else 0.0

    def _watch(self, known: Known, *, new: bool = False) -> Watched:
        watched = Watched(known.pid, _fixed(known), parent=self.circusd, spawned_at=known.spawned_at)
        if not watched.gone:
            self._watched[known] = watched
            if new:
                watched.since(time.monotonic() - proc.age(watched.started))
        return watched

    def _find_own(self) -> None:
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

    def _look_at_own(self, name: str, watched: Watched) -> Seen:
        group = self.processes.groups.get(name) if name in STREAMERS else None
        if not watched.look():
            return Seen(group)
        known = group.processes.get(watched.pid) if group is not None else None
        return Seen(group, [(known, watched)], watched.cpu, watched.rss, self._age(watched.started))

    def _messages(self, topic: bytes, parts: Iterable[Seen]) -> Iterator[Message]:
        boot, more = self.at, self.more
        for seen in parts:
            for _known, watched in seen.processes:
                age = boot - watched.started / proc.HERTZ
                yield topic + b".%d" % watched.pid, watched.text(age, more(watched.pid))

    def _of_watcher(self, group: Group, seen: Seen) -> bytes:
        past = seen.past
        return _sum(
            [seen], watcher=group.name, restarts=sum(group.restarts.values()),
            exited=past.exited, exited_cpu=round(past.seconds, 3), exited_peak=past.peak_memory,
        )  # fmt: skip


def wanted(topic: bytes, topics: Collection[bytes]) -> bool:
    """Whether anybody subscribed to a topic, or to one that begins with it."""
    return any(topic.startswith(each) or each.startswith(topic) for each in topics)


def _fixed(known: Known) -> Mapping[str, Any]:
    return {
        "name": None, "watcher": known.watcher, "wid": known.wid, "restarts": known.restarts,
        "ready_after": known.ready_after,
    }  # fmt: skip


def _sum(parts: list[Seen], **more: object) -> bytes:
    """Of several processes: in Circus the average of the CPU figures, the sum of the memory, the age of the oldest."""
    pids = [watched.pid for seen in parts for _known, watched in seen.processes]
    used, memory = sum(seen.cpu for seen in parts), sum(seen.rss for seen in parts)
    told = {
        "pid": pids,
        "cpu": round(used / len(pids), 1) if pids else 0.0,
        "mem": words.memory(memory),
        "age": round(max((seen.oldest for seen in parts), default=0.0), 3),
        "rss": memory,
        "cpu_sum": round(used + sum(seen.late for seen in parts), 1),
        **more,
    }
    return encode(told).encode()
