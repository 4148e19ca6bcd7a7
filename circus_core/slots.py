"""The processes of one watcher, each in a numbered slot: spawned, ended, and told of.

How many there are to be the watcher decides, and `circus_core.upkeep` what becomes of a slot that is empty.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from typing import TYPE_CHECKING, Protocol

from attrs import define

from circus_core.consent import objection
from circus_core.errors import CircusError
from circus_core.events import ProcessExited, ProcessSpawned
from circus_core.kinship import mark
from circus_core.model import ProcessState
from circus_core.process import Process
from circus_core.readiness import Readiness
from circus_core.spawn import spawn

if TYPE_CHECKING:
    import asyncio
    from collections import deque

    from circus_core.around import Around
    from circus_core.consent import Objection
    from circus_core.model import WatcherOptions

log = logging.getLogger("circus.watcher")

_numbers = itertools.count(1)


@define(eq=False)
class Slot:
    """A place for one process. Empty, it waits for a timer, or was given up.

    `tried`: whoever opened it waits for its process, and closes it if that does not come up.
    """

    wid: int
    process: Process | None = None
    timer: asyncio.TimerHandle | None = None
    failures: int = 0
    restarts: int = 0
    gave_up: str = ""
    tried: bool = False
    recent: deque[ProcessExited] | None = None

    @property
    def live(self) -> bool:
        """Whether it has a process or will have one."""
        return self.process is not None or self.timer is not None


class Owner(Protocol):
    """Who looks after slots that are empty."""

    def objected(self, slot: Slot, found: Objection) -> None:
        """A plugin did not want a process in the slot, before its spawn or after it."""
        ...

    def failed(self, slot: Slot, reason: str) -> None:
        """No process could be started."""
        ...

    def emptied(self, slot: Slot, exited: ProcessExited) -> None:
        """The process in the slot ended."""
        ...

    def came_up(self) -> None:
        """A process that was waited for is ready."""
        ...


class Slots:
    """Slots by wid. `supervising`: they are to be filled again when their processes end."""

    __slots__ = (
        "_free", "_highest", "_number", "_owner", "around", "by_wid", "last_error", "last_exit",
        "leaving", "options", "readiness", "restarts", "supervising",
    )  # fmt: skip

    def __init__(
        self,
        around: Around,
        options: WatcherOptions,
        owner: Owner,
    ) -> None:
        self.around = around
        self.options = options
        self.supervising = False
        self.by_wid: dict[int, Slot] = {}
        # Those on their way out, and whether their number is free once they are gone.
        self.leaving: dict[Process, bool] = {}
        self.last_error = ""
        self.last_exit: ProcessExited | None = None
        self.restarts = 0
        # A removed watcher may still be stopping when another gets its name.
        self._number = next(_numbers)
        self._free: list[int] = []
        self._highest = 0
        self._owner = owner
        self.readiness = Readiness(around.bus, self)

    @property
    def family(self) -> str:
        """What the marks of this watcher's processes begin with."""
        return f"{self.around.boot}/{self._number}/{self.options.name}"

    # What there is

    def processes(self) -> list[Process]:
        """The processes in slots, in the order of their spawns."""
        return [slot.process for slot in self.oldest_first() if slot.process is not None]

    def oldest_first(self) -> list[Slot]:
        """The slots without a process, then the others in the order of their spawns."""
        return sorted(self.by_wid.values(), key=lambda slot: slot.process.started if slot.process else 0.0)

    def everyone(self) -> list[Process]:
        """The processes in slots and those on their way out that have not ended."""
        return self.processes() + [process for process in self.leaving if process.alive]

    def missing(self) -> int:
        """How many slots are to be opened."""
        return max(self.options.numprocesses - len(self.by_wid), 0)

    @property
    def settled(self) -> bool:
        """Whether every slot that is wanted has its process, which is ready, or was given up."""
        return not self.missing() and not any(
            slot.timer is not None or (slot.process is not None and slot.process.state is not ProcessState.READY)
            for slot in self.by_wid.values()
        )

    @property
    def dry(self) -> bool:
        """Whether no slot has a process or will have one."""
        return not any(slot.live for slot in self.by_wid.values())

    # Slots

    def open(self) -> Slot:
        """A new slot with the smallest number that no process has."""
        if self._free:
            wid = heapq.heappop(self._free)
        else:
            self._highest = wid = self._highest + 1
        slot = self.by_wid[wid] = Slot(wid)
        return slot

    def fill(self, slot: Slot) -> Process | None:
        """Spawn a process into the slot; None if there is none now, of which the owner was told."""
        slot.timer = None
        found = self._objection("circus_veto_spawn", wid=slot.wid)
        if found is not None:
            self._owner.objected(slot, found)
            return None
        number = next(_numbers)
        try:
            pid = self._spawn(slot.wid, number)
        except Exception as error:
            if not isinstance(error, CircusError):
                log.exception("%s/%d: spawning failed unexpectedly", self.options.name, slot.wid)
            self._owner.failed(slot, str(error))
            return None
        process = Process(self.options.name, slot.wid, pid, number, self.around.bus, self.around.reaper, self)
        slot.process = process
        found = self._objection("circus_confirm_spawn", process=process.ref)
        if found is not None:
            slot.process = None
            self.leaving[process] = False
            self.end(process)
            self._owner.objected(slot, found)
            return None
        self.limit_age(process)
        self.around.bus.publish(ProcessSpawned(watcher=self.options.name, wid=slot.wid, pid=process.pid))
        self.readiness.begin(process, self.options)
        return process

    def _objection(self, hook: str, **given: object) -> Objection | None:
        return objection(self.around.bus, hook, "spawn", self.options.name, watcher=self.options, **given)

    def _spawn(self, wid: int, number: int) -> int:
        around, options = self.around, self.options
        launch = around.recipe(options).launch(wid, mark(self.family, number, wid))
        pid = spawn(around.bus.adjust("circus_adjust_launch", "launch", launch, watcher=options))
        log.debug("%s/%d: spawned pid %d", options.name, wid, pid)
        return pid

    def retire(self, slot: Slot) -> asyncio.Future[None] | None:
        """Close a slot, and end the process in it if there is one."""
        if slot.timer is not None:
            slot.timer.cancel()
            slot.timer = None
        if self.by_wid.get(slot.wid) is not slot:
            return None
        del self.by_wid[slot.wid]
        if slot.process is None:
            heapq.heappush(self._free, slot.wid)
            return None
        self.leaving[slot.process] = True
        return self.end(slot.process)

    def close_empty(self, *, given_up: bool) -> None:
        """Close the slots that only wait, and with `given_up` those that wait for nothing."""
        for slot in tuple(self.by_wid.values()):
            if slot.process is None and (given_up or not slot.gave_up):
                self.retire(slot)

    # Processes

    def end(self, process: Process, signum: int | None = None, grace: float | None = None) -> asyncio.Future[None]:
        """Ask a process to stop as the options say, unless told otherwise; done when its whole tree is gone."""
        options = self.options
        return process.stop(
            options.stop_signal if signum is None else signum,
            options.graceful_timeout if grace is None else grace,
            group=options.stop_children,
        )

    def limit_age(self, process: Process) -> None:
        """Have a process replaced when it reaches `max_age` as the options are now."""
        left = None
        if self.options.max_age:
            age = self.options.max_age + self.around.chance() * self.options.max_age_variance
            left = max(age - process.age, 0)
        process.expire(left, self._expire)

    def _expire(self, process: Process) -> None:
        log.info("%s/%d: pid %d reached max_age", process.watcher, process.wid, process.pid)
        self.end(process)

    def adopt(self, options: WatcherOptions) -> None:
        """Go by other options from now on."""
        before, self.options = self.options, options
        if (before.max_age, before.max_age_variance) != (options.max_age, options.max_age_variance):
            for process in self.processes():
                self.limit_age(process)

    def kill(self) -> None:
        """SIGKILL to every process and all its descendants, at once."""
        for process in (*self.processes(), *self.leaving):
            process.kill()

    def release(self) -> None:
        """Let every process go on without us, even when we end."""
        for slot in tuple(self.by_wid.values()):
            if slot.timer is not None:
                slot.timer.cancel()
            if slot.process is not None:
                self.around.released.append(slot.process.release())
        self.by_wid.clear()

    # What processes tell

    def terms(self) -> tuple[int, float]:
        return self.options.stop_signal, self.options.graceful_timeout

    def ready(self, process: Process) -> None:
        """A process came up; one in no slot is on its way out."""
        slot = self.by_wid.get(process.wid)
        if slot is not None and slot.process is process:
            self._owner.came_up()

    def unready(self, process: Process, reason: str) -> None:
        """A process did not come up: it ends, and that counts as dying young."""
        self.last_error = reason
        self.end(process)
        process.requested = False

    def ended(self, process: Process) -> None:
        """A process was reaped: its slot is empty, and everybody is told."""
        how = process.exit
        exited = ProcessExited(
            watcher=process.watcher, wid=process.wid, pid=process.pid,
            exit_code=how.code if how else None, age=process.age, requested=process.requested, ready=process.came_up,
            cpu=how.cpu if how else 0.0, peak_memory=how.peak_memory if how else None,
        )  # fmt: skip
        self.leaving.setdefault(process, False)
        self.last_error = self.readiness.drop(process) or self.last_error
        slot = self.by_wid.get(process.wid)
        if slot is not None and slot.process is process:
            slot.process = None
        else:
            slot = None
        self.around.bus.publish(exited)
        if slot is not None and self.supervising and slot.wid in self.by_wid:
            self._owner.emptied(slot, exited)

    def gone(self, process: Process) -> None:
        if self.leaving.pop(process, False):
            heapq.heappush(self._free, process.wid)
