"""Answers the commands `stats` and `dstats` inside circusd, from /proc at the moment of asking; it publishes nothing.

Other things have their turn between processes, however many there are.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

from circus_core import tree
from circus_core.errors import CircusError, RequestError
from circus_plugins.stats import proc, words
from circus_plugins.stats.further import further
from circus_plugins.stats.identity import identify
from circus_plugins.stats.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from circus_core.process import Process
    from circus_core.requests import Reply, Request
    from circus_core.supervisor import Supervisor
    from circus_core.watcher import Watcher
    from circus_plugins.stats.pace import Question

GONE = "No such process (stopped?)"
"""What Circus says in place of the figures of a process that ended meanwhile."""
TURN = 20
"""Processes looked at in one turn of the loop: one to two milliseconds."""

Info = dict[str, Any]


class Asked:
    """Answers one request after another. `ready` has, by pid, after how many seconds a process was ready."""

    def __init__(self, supervisor: Supervisor, ready: Mapping[int, float]) -> None:
        self._supervisor = supervisor
        self._ready = ready
        self._pace = Pace()
        self._looks = 0

    async def stats(self, request: Request) -> Reply:
        """What the processes of one or all watchers use, or one process; raises RequestError."""
        pid: int | None = request["process"]
        if request.name is None:
            if pid is not None:
                raise RequestError("message invalid 'name' is missing", hint="whose process is it?")
            watchers = list(self._supervisor.watchers.values())
        else:
            watchers = [self._supervisor.watcher(request.name)]
        wanted = [(watcher, each) for watcher in watchers for each in _processes(watcher, pid)]
        if pid is not None and not wanted:
            name = str(request.name)
            raise RequestError(f"process {pid} not found in {name!r}", hint=f"`circusctl list {name}` shows its pids")
        children = await self._children([each.pid for _watcher, each in wanted])
        question = self._pace.of(("stats", request.name and watchers[0].name, pid), time.monotonic())
        infos: dict[str, dict[str, Info | str]] = {watcher.name: {} for watcher in watchers}
        for watcher, process in wanted:
            found = await self._info(process.pid, children, question, request, process.age)
            if isinstance(found, dict):
                found |= {"started": process.spawned_at, "wid": process.wid}
                if request["extended"]:
                    self._extend(found, watcher, process)
            infos[watcher.name][str(process.pid)] = found
        question.end(time.monotonic())
        if request.name is None:
            return {"infos": infos}
        info = infos[watchers[0].name]
        return {"name": request.name, "info": info} if pid is None else {"process": pid, "info": info[str(pid)]}

    async def dstats(self, request: Request) -> Reply:
        """What circusd itself uses, and its direct children."""
        pid = os.getpid()
        question = self._pace.of("dstats", time.monotonic())
        info = await self._info(pid, await self._children([pid]), question, request)
        question.end(time.monotonic())
        return {"info": info}

    async def _info(
        self,
        pid: int,
        children: Mapping[int, list[int]],
        question: Question,
        request: Request,
        age: float | None = None,
    ) -> Info | str:
        found = await self._look(pid, question, request, age)
        if isinstance(found, dict):
            looks = [await self._look(child, question, request) for child in children.get(pid, ())]
            found["children"] = [look for look in looks if isinstance(look, dict)]
        return found

    async def _look(self, pid: int, question: Question, request: Request, age: float | None = None) -> Info | str:
        self._looks += 1
        if self._looks % TURN == 0:
            await asyncio.sleep(0)
        seen = proc.read(pid)
        if seen is None:
            return GONE
        lived = proc.age(seen.started)
        cpu = question.percent(pid, seen, time.monotonic(), lived)
        info = words.info(pid, identify(pid), seen, cpu, lived if age is None else age)
        if request["extended"]:
            info |= {"threads": seen.threads, "rss": seen.rss, "vms": seen.vms, **further(pid, pss=request["pss"])}
        return info

    def _extend(self, info: Info, watcher: Watcher, process: Process) -> None:
        """What circusd knows of its process, and what others have to say of it."""
        slot = watcher.slots.by_wid.get(process.wid)
        info |= {
            "state": str(process.state),
            "restarts": slot.restarts if slot is not None else None,
            "ready_after": self._ready.get(process.pid),
        }
        for _plugin, complaint in self._supervisor.bus.ask("circus_extend_stats", process=process.ref, stats=info):
            raise CircusError(
                f"{watcher.name}: {complaint}", hint="the log has more; without `extended` it is not asked"
            )

    async def _children(self, pids: list[int]) -> Mapping[int, list[int]]:
        """The direct children of each: for several by one pass over the process table."""
        if len(pids) == 1:
            return {pids[0]: tree.children(pids[0])}
        found: dict[int, list[int]] = {pid: [] for pid in pids}
        if not found:
            return found
        for number, pid in enumerate(tree.everyone(), 1):
            if number % TURN == 0:
                await asyncio.sleep(0)
            seen = tree.stat(pid)
            if seen is not None and seen.ppid in found:
                found[seen.ppid].append(pid)
        return found


def _processes(watcher: Watcher, pid: int | None) -> Iterable[Process]:
    """Those that have not ended, also if they are about to; only the one with this pid, if one is given."""
    return [process for process in watcher.slots.everyone() if process.alive and pid in (None, process.pid)]
