"""What is known of a circusd now: its watchers, their processes, its sockets, figures and their past. It asks nobody.

Figures are None as long as nobody measured them.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PAST = 120
"""So many earlier values are kept of each figure."""
UP = frozenset({"starting", "ready"})
SAME = 1.0
"""Seconds by which two answers may differ about one moment."""
STATS = "circusd-stats"
OWN = frozenset({STATS, "circushttpd"})
"""Watchers whose figures are told as a part of circusd's, as in Circus."""
NOT_YET = "not connected yet"
"""The problem of a picture of which nobody knows anything, good or bad, so far."""


def _past() -> deque[float]:
    return deque(maxlen=PAST)


@define(eq=False)
class Figures:
    """CPU in percent of one core, memory in bytes, and what both were before, oldest first, at these epoch seconds.

    `at` is when they were measured last, by time.monotonic().
    """

    cpu: float | None = None
    memory: int | None = None
    cpus: deque[float] = field(factory=_past)
    memories: deque[float] = field(factory=_past)
    times: deque[float] = field(factory=_past)
    at: float = 0.0

    def measured(self, cpu: float, memory: int) -> None:
        """These are the latest."""
        self.cpu, self.memory, self.at = cpu, memory, time.monotonic()
        self.cpus.append(cpu)
        self.memories.append(memory)
        self.times.append(time.time())

    def recalled(self, points: Iterable[tuple[float, float, int]], step: float) -> None:
        """So they were at these epoch seconds, oldest first, of which each stands for `step` seconds; what is known of
        before and after stays."""
        told = list(points)
        if not told:
            return
        kept = list(zip(self.times, self.cpus, self.memories, strict=True))
        before = [point for point in kept if point[0] < told[0][0] - step / 2]
        after = [point for point in kept if point[0] > told[-1][0] + step / 2]
        times, cpus, memories = zip(*before, *told, *after, strict=True)
        self.times, self.cpus, self.memories = deque(times, PAST), deque(cpus, PAST), deque(memories, PAST)

    def unknown(self) -> None:
        """Nobody measures it any more."""
        self.cpu = self.memory = None


@define(eq=False)
class ProcessView:
    """One process. `since` is when it was spawned, in epoch seconds, 0 if that is not known."""

    pid: int
    wid: int | None = None
    state: str = ""
    since: float = 0.0
    restarts: int = 0
    name: str = ""
    figures: Figures = field(factory=Figures)

    @property
    def age(self) -> float | None:
        """Seconds since its spawn."""
        return time.time() - self.since if self.since else None


@define(eq=False)
class WatcherView:
    """One watcher, as `status` tells of it; of one that only its figures tell of, the state is empty.

    `wanted` is how many processes there are to be, `trouble` says in words what is not well, `retry` is when a process
    that is waited for is tried again (0 if none is), `details` is all that `status` said.
    """

    name: str
    state: str = ""
    wanted: int | None = None
    restarts: int = 0
    since: float = 0.0
    trouble: str = ""
    retry: float = 0.0
    details: Mapping[str, Any] = field(factory=dict)
    processes: dict[int, ProcessView] = field(factory=dict)
    figures: Figures = field(factory=Figures)

    @property
    def up(self) -> int:
        """How many processes run."""
        return sum(process.state in UP or not process.state for process in self.processes.values())

    @property
    def age(self) -> float | None:
        """Seconds since it became active."""
        return time.time() - self.since if self.since else None

    @property
    def mood(self) -> str:
        """`good`, `busy` (something is under way, or missing), `bad` (something was given up) or `off`."""
        if self.details.get("gave_up"):
            return "bad"
        if self.state in ("active", ""):
            starting = any(process.state == "starting" for process in self.processes.values())
            return "good" if not starting and (self.wanted is None or self.up >= self.wanted) else "busy"
        return "off" if self.state == "stopped" else "busy"

    def take(self, details: Mapping[str, Any]) -> None:
        """`status` says this of it now."""
        now = time.time()
        self.details = details
        self.state, self.wanted, self.restarts = details["state"], details["numprocesses"], details["restarts"]
        since = now - details["uptime"] if details.get("uptime") is not None else 0.0
        # Each answer takes another time to arrive, and it is still the same moment.
        self.since = since if abs(since - self.since) > SAME else self.since
        self.trouble = trouble(details)
        self.retry = min((now + slot["in"] for slot in details.get("waiting") or ()), default=0.0)
        told = {entry["pid"]: entry for entry in details["processes"]}
        self.processes = {pid: self.processes.get(pid) or ProcessView(pid) for pid in told}
        for pid, entry in told.items():
            process = self.processes[pid]
            process.wid, process.state, process.restarts = entry["wid"], entry["state"], entry["restarts"]
            process.since = process.since or now - entry["age"]


def trouble(details: Mapping[str, Any]) -> str:
    """In words, what is not well with a watcher."""
    for slot in details.get("gave_up") or ():
        return f"gave up: {slot['reason']}"
    words = str(details.get("last_error") or "")
    for slot in details.get("waiting") or ():
        return f"next try in {slot['in']:.0f} s" + (f": {words}" if words else "")
    return words


@define(eq=False)
class SocketView:
    """A socket of circusd's: how many wait at it, how many may, and how many were turned away.

    They are None where the kernel does not say. `pids` are the processes that it is for, where each has its own, and
    `past` is how many waited at which time, in epoch seconds.
    """

    fd: int
    name: str
    address: str
    waiting: int | None = None
    backlog: int | None = None
    watchers: tuple[str, ...] = ()
    dropped: int | None = None
    pids: tuple[int, ...] = ()
    past: deque[tuple[float, int]] = field(factory=lambda: deque(maxlen=PAST))

    def measured(self, waiting: int | None) -> None:
        """So many wait now."""
        self.waiting = waiting
        if waiting is not None:
            self.past.append((time.time(), waiting))


@define(eq=False)
class Picture:
    """All of it. `problem` says why it may not be as it is shown; it is empty while circusd answers. `rounds` is how
    often figures of everybody came to their end."""

    problem: str = NOT_YET
    circusd: Figures = field(factory=Figures)
    pid: int | None = None
    version: str = ""
    watchers: dict[str, WatcherView] = field(factory=dict)
    sockets: dict[int, SocketView] = field(factory=dict)
    measured: bool = False
    rounds: int = 0

    def take(self, details: Mapping[str, Mapping[str, Any]]) -> None:
        """These are all watchers there are."""
        folded = {name.lower() for name in details}
        for key in self.watchers.keys() - folded:
            del self.watchers[key]
        for name, told in details.items():
            self.watcher(name).take(told)

    def watcher(self, name: str) -> WatcherView:
        """The watcher of this name, which is new if nobody told of it before."""
        found = self.watchers.get(name.lower())
        if found is None:
            found = self.watchers[name.lower()] = WatcherView(name)
        return found

    def forget(self, name: str) -> None:
        """There is no such watcher any more."""
        self.watchers.pop(name.lower(), None)

    def take_sockets(self, told: list[Mapping[str, Any]]) -> None:
        """These are all sockets, as `listsockets` tells of them."""
        before, self.sockets = self.sockets, {entry["fd"]: _socket(entry) for entry in told}
        for fd, view in self.sockets.items():
            if fd in before and before[fd].name == view.name:
                view.past = before[fd].past
            view.measured(view.waiting)

    @property
    def processes(self) -> int:
        """How many processes run."""
        return sum(len(watcher.processes) for watcher in self.watchers.values())


def _socket(entry: Mapping[str, Any]) -> SocketView:
    address = entry["path"] if "path" in entry else f"{entry['host']}:{entry['port']}"
    return SocketView(
        entry["fd"], entry["name"], address, entry.get("waiting"), entry.get("backlog"),
        tuple(entry.get("watchers") or ()), entry.get("dropped"), tuple(entry.get("pids") or ()),
    )  # fmt: skip
