"""The plugin `resource_watcher`: deals with processes that use too much of processor or memory, or too little.

It looks at the processes of this machine itself, so that nobody else's look at statistics changes what it sees. A
watcher that is stopped it leaves alone.
"""

from __future__ import annotations

import fnmatch
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, field

from circus_core.errors import CircusError
from circus_core.events import Event, event
from circus_plugins.resource_watcher.limits import EACH, NO, SUM, Excess, Limits, Usage
from circus_plugins.resource_watcher.sampling import Sampler, total
from circus_plugins.statsd import StatsdPlugin

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGINS = "plugin:"
"""How the names of the watchers of plugins begin; a pattern never means them."""


@event
class ResourceLimitExceeded(Event):
    """A process was beyond a limit of the resource watcher more often in a row than it may be.

    `limit` is over_cpu, under_cpu, over_memory, under_memory or over_health; `reason` says it in words, and `done` what
    is done about it: restart, kill, signal or notify. `childpid` is set if it is a descendant of the process.
    """

    watcher: str
    wid: int
    pid: int
    limit: str
    reason: str
    done: str
    childpid: int | None = None


@define
class Judged:
    """A process, or a descendant of one, and how often in a row it was beyond each limit."""

    wid: int
    pid: int
    childpid: int | None
    counts: Counter[str] = field(factory=Counter)


class ResourceWatcher(StatsdPlugin):
    """Restarts what uses too much or too little of processor or memory."""

    name = "resource_watcher"
    Options: ClassVar[type | None] = Limits
    options: Limits

    def __init__(self) -> None:
        self._sampler = Sampler()
        self._judged: dict[tuple[str, int, int | None], Judged] = {}
        self._missing: set[str] = set()

    async def circus_startup(self) -> None:
        """Begin to look."""
        await super().circus_startup()
        self.every(self.options.loop_rate, self.look)

    async def look(self) -> None:
        """One round: measure, judge and act."""
        try:
            details = (await self.client.call("status", extended=True))["details"]
        except CircusError as error:
            self.log.warning("circusd was not asked what runs: %s", error)
            return
        before, self._judged = self._judged, {}
        for watcher in self._chosen(details):
            if details[watcher]["state"] == "active":
                await self._look_at(watcher, details[watcher]["processes"], before)
        self._sampler.end_look()

    def _chosen(self, details: dict[str, Any]) -> Iterator[str]:
        """The watchers that the option means, each once, in circusd's order; who is not there is said once."""
        named = {name.lower() for name in self.options.names}
        for watcher in details:
            folded = watcher.lower()
            matches = any(fnmatch.fnmatchcase(folded, name) for name in named)
            if folded in named or (matches and not folded.startswith(PLUGINS)):
                yield watcher
        known = {watcher.lower() for watcher in details}
        missing = {name for name in named - known if not any(letter in name for letter in "*?[")}
        for name in sorted(missing):
            self._count(name, "error")
            if name not in self._missing:
                self.log.warning("there is no watcher %s", name)
        self._missing = missing

    async def _look_at(
        self, watcher: str, processes: list[dict[str, Any]], before: dict[tuple[str, int, int | None], Judged]
    ) -> None:
        beyond: set[str] = set()
        due: list[tuple[Judged, Excess]] = []
        for process in processes:
            for childpid, usage in self._usages(process["pid"]):
                key = watcher, process["pid"], childpid
                judged = before.get(key) or Judged(process["wid"], process["pid"], childpid)
                self._judged[key] = judged
                excesses = {excess.name: excess for excess in self.options.beyond(usage)}
                beyond |= excesses.keys()
                # Who is fine again begins anew.
                judged.counts = Counter({name: judged.counts[name] + 1 for name in excesses})
                worst = [excesses[name] for name, count in judged.counts.items() if count > self.options.max_count]
                if worst:
                    judged.counts.clear()
                    due.append((judged, worst[0]))
        for name in sorted(beyond):
            self._count(watcher, name)
        if due:
            await self._act(watcher, due)

    def _usages(self, pid: int) -> Iterator[tuple[int | None, Usage]]:
        """What is judged of a process: itself, with its descendants or each of them beside it."""
        own = self._sampler.usage(pid)
        if own is None:
            return
        mode = self.options.process_children
        below = {} if mode == NO else self._sampler.descendants(pid)
        yield None, total(own, below) if mode == SUM else own
        if mode == EACH:
            yield from below.items()

    async def _act(self, watcher: str, due: list[tuple[Judged, Excess]]) -> None:
        """Do what the options say; a watcher is restarted once, however many of its processes are due."""
        action, restarted = self.options.action, False
        for judged, excess in due:
            done = "signal" if judged.childpid and action != "notify" else action
            who = f"pid {judged.pid}" + (f", descendant {judged.childpid}" if judged.childpid else "")
            self.log.warning("%s/%d (%s) is beyond a limit: %s; %s", watcher, judged.wid, who, excess, DONE[done])
            self.publish(
                ResourceLimitExceeded(
                    watcher=watcher, wid=judged.wid, pid=judged.pid, childpid=judged.childpid,
                    limit=excess.name, reason=str(excess), done=done,
                )
            )  # fmt: skip
            if done == "signal":
                signum = self.options.child_signal
                await self._order("signal", name=watcher, pid=judged.pid, childpid=judged.childpid, signum=signum)
            elif done == "kill":
                self._count(watcher, "killing")
                await self._order("kill", name=watcher, pid=judged.pid)
            elif done == "restart" and not restarted:
                restarted = True
                self._count(watcher, "restarting")
                # Somebody may have stopped it since it was looked at.
                await self._order("restart", name=watcher, match="simple", running=True)
        if restarted:
            self._judged = {key: judged for key, judged in self._judged.items() if key[0] != watcher}

    def _count(self, watcher: str, name: str) -> None:
        self.count(name, group="_resource_watcher", plain=watcher, watcher=watcher)

    async def _order(self, command: str, **properties: Any) -> None:
        try:
            await self.client.call(command, **properties)
        except CircusError as error:
            self._count(properties["name"], "error")
            self.log.error("%s of %s failed: %s", command, properties["name"], error)


DONE = {
    "restart": "the watcher is restarted",
    "kill": "it is ended and replaced",
    "signal": "it is sent a signal",
    "notify": "nothing is done about it",
}
