"""The processes of one watcher, each in a numbered slot that is filled again when its process ends.

It keeps what it is told to keep; how many that is, and when it starts and stops, the watcher decides.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import os
import random
from collections import deque
from typing import TYPE_CHECKING, Protocol

from attrs import define, field

from circus_core import policy
from circus_core.consent import objection
from circus_core.errors import CircusError, VetoedError
from circus_core.events import (
    ProcessExited,
    ProcessSpawned,
    RestartDelayed,
    SpawnFailed,
    WatcherGaveUp,
)
from circus_core.launch import Recipe
from circus_core.model import GiveUp, Refuse, Restart, RetryLater, in_words
from circus_core.process import Process
from circus_core.readiness import Readiness
from circus_core.spawn import spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from circus_core.bus import Bus
    from circus_core.consent import Objection
    from circus_core.kinship import Released
    from circus_core.model import WatcherOptions
    from circus_core.reaper import Reaper

log = logging.getLogger("circus.watcher")

RECENT = 20
"""Deaths of a slot that are remembered for `circus_decide_restart`."""
FLOOR = 0.05
"""The least seconds between two tries of a program that cannot be started, whatever restart_delay says."""

_numbers = itertools.count(1)


@define
class Around:
    """What the watchers of one supervisor share. `boot` tells this supervisor's processes from another's."""

    bus: Bus
    reaper: Reaper
    boot: str = field(factory=lambda: os.urandom(6).hex())
    environ: Mapping[str, str] = field(factory=lambda: dict(os.environ))
    variables: dict[str, object] = field(factory=dict)
    chance: Callable[[], float] = random.random
    stopping: bool = False
    released: list[Released] = field(factory=list)
    _recipe: Recipe | None = None

    def recipe(self, options: WatcherOptions) -> Recipe:
        """How to launch processes of a watcher. The latest is kept: a watcher spawns its many processes in a row."""
        if self._recipe is None or self._recipe.options is not options:
            self._recipe = Recipe(options, self.environ, self.variables)
        return self._recipe


@define(eq=False)
class Slot:
    """A place for one process. Empty, it waits for a timer, or was given up."""

    wid: int
    process: Process | None = None
    timer: asyncio.TimerHandle | None = None
    failures: int = 0
    restarts: int = 0
    gave_up: str = ""
    recent: deque[ProcessExited] | None = None

    @property
    def live(self) -> bool:
        """Whether it has a process or will have one."""
        return self.process is not None or self.timer is not None


class Owner(Protocol):
    """Who has the slots, and hears what becomes of them."""

    def filled(self) -> None:
        """A slot that waited was filled, or was given up."""
        ...

    def dry(self, code: int | None) -> None:
        """No slot has a process or will have one; `code` is the exit code of the last, if that is why."""
        ...

    def refused(self, error: VetoedError) -> None:
        """A plugin wants the watcher stopped."""
        ...


class Slots:
    """Slots by wid."""

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
        """Whether every slot that is wanted has its process or was given up."""
        return not self.missing() and all(slot.timer is None for slot in self.by_wid.values())

    @property
    def dry(self) -> bool:
        """Whether no slot has a process or will have one."""
        return not any(slot.live for slot in self.by_wid.values())

    # Filling

    def open(self) -> Slot:
        """A new slot with the smallest number that no process has."""
        if self._free:
            wid = heapq.heappop(self._free)
        else:
            self._highest = wid = self._highest + 1
        slot = self.by_wid[wid] = Slot(wid)
        return slot

    def fill(self, slot: Slot) -> Process | None:
        """Spawn a process into the slot; None if that failed or has to wait, which is then taken care of."""
        slot.timer = None
        around, options = self.around, self.options
        if self._vetoed(slot):
            return None
        number = next(_numbers)
        try:
            launch = around.recipe(options).launch(slot.wid, f"{self.family}/{number}")
            pid = spawn(around.bus.adjust("circus_adjust_launch", "launch", launch, watcher=options))
        except Exception as error:
            if not isinstance(error, CircusError):
                log.exception("%s/%d: spawning failed unexpectedly", options.name, slot.wid)
            self._spawn_failed(slot, str(error))
            return None
        process = slot.process = Process(options.name, slot.wid, pid, number, around.bus, around.reaper, self)
        log.debug("%s/%d: spawned pid %d", options.name, slot.wid, pid)
        if self._unwanted(slot, process):
            return None
        self.limit_age(process)
        around.bus.publish(ProcessSpawned(watcher=options.name, wid=slot.wid, pid=pid))
        self.readiness.begin(process, options)
        return process

    def _vetoed(self, slot: Slot) -> bool:
        name = self.options.name
        found = objection(self.around.bus, "circus_veto_spawn", "spawn", name, watcher=self.options, wid=slot.wid)
        if found is None:
            return False
        if isinstance(found.verdict, RetryLater):
            self.last_error = found.reason
            self._later(slot, found.verdict.after)
        else:
            self._give_up(slot, found.reason, None)
            if isinstance(found.verdict, Refuse):
                self._refused(found)
        return True

    def _unwanted(self, slot: Slot, process: Process) -> bool:
        """Whether a plugin that has seen the process does not want it: it ends, and the watcher with it."""
        found = objection(
            self.around.bus, "circus_confirm_spawn", "spawn", self.options.name,
            process=process.ref, watcher=self.options,
        )  # fmt: skip
        if found is None:
            return False
        slot.process = None
        self.leaving[process] = False
        self.end(process)
        self._give_up(slot, found.reason, None)
        self._refused(found)
        return True

    def _refused(self, found: Objection) -> None:
        message = f"{self.options.name} was stopped: {found.reason}"
        self._owner.refused(VetoedError(message, hint=f"plugin {found.plugin} refused a spawn"))

    def _spawn_failed(self, slot: Slot, reason: str) -> None:
        slot.failures += 1
        self.last_error = reason
        verdict = policy.after_failed_spawn(self.options, slot.failures, reason, self.around.chance())
        delay = max(verdict.delay, FLOOR) if isinstance(verdict, Restart) else None
        log.error("%s/%d: %s%s", self.options.name, slot.wid, reason, f"; next try in {delay:.1f} s" if delay else "")
        self.around.bus.publish(SpawnFailed(watcher=self.options.name, wid=slot.wid, reason=reason, retry_in=delay))
        if isinstance(verdict, GiveUp):
            self._give_up(slot, verdict.reason, None)
        elif delay is not None:
            self._later(slot, delay)

    def _later(self, slot: Slot, delay: float) -> None:
        slot.timer = asyncio.get_running_loop().call_later(delay, self._retry, slot)

    def _retry(self, slot: Slot) -> None:
        if self.fill(slot) is not None:
            self._owner.filled()

    # Ending

    def end(self, process: Process, signum: int | None = None, grace: float | None = None) -> asyncio.Future[None]:
        """Ask a process to stop as the options say, unless told otherwise; done when its whole tree is gone."""
        options = self.options
        return process.stop(
            options.stop_signal if signum is None else signum,
            options.graceful_timeout if grace is None else grace,
            group=options.stop_children,
        )

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

    def unready(self, process: Process, reason: str) -> None:
        """A process did not come up: it ends, and that counts as dying young."""
        self.last_error = reason
        self.end(process)
        process.requested = False

    def terms(self) -> tuple[int, float]:
        return self.options.stop_signal, self.options.graceful_timeout

    def limit_age(self, process: Process) -> None:
        """Have a process replaced when it reaches `max_age` as the options are now."""
        if process.expiry is not None:
            process.expiry.cancel()
            process.expiry = None
        if self.options.max_age:
            age = self.options.max_age + self.around.chance() * self.options.max_age_variance
            left = max(age - process.age, 0)
            process.expiry = asyncio.get_running_loop().call_later(left, self._expire, process)

    def _expire(self, process: Process) -> None:
        log.info("%s/%d: pid %d reached max_age", process.watcher, process.wid, process.pid)
        self.end(process)

    def gone(self, process: Process) -> None:
        if self.leaving.pop(process, False):
            heapq.heappush(self._free, process.wid)

    def ended(self, process: Process) -> None:
        """A process was reaped: say so, and fill its slot again if it is to be."""
        options, age = self.options, process.age
        code = process.exit.code if process.exit else None
        exited = ProcessExited(
            watcher=process.watcher, wid=process.wid, pid=process.pid, exit_code=code, age=age,
            requested=process.requested,
            cpu=process.exit.cpu if process.exit else 0.0,
            peak_memory=process.exit.peak_memory if process.exit else 0,
        )  # fmt: skip
        self.leaving.setdefault(process, False)
        self.readiness.drop(process)
        slot = self.by_wid.get(process.wid)
        if slot is None or slot.process is not process:
            self.around.bus.publish(exited)
            return
        slot.process = None
        self.around.bus.publish(exited)
        if not self.supervising or slot.wid not in self.by_wid:
            return
        if not process.requested:
            self.last_exit = exited
            slot.failures = 0 if age >= options.min_uptime else slot.failures + 1
            log.info("%s/%d: pid %d %s after %.1f s", options.name, slot.wid, process.pid, in_words(code), age)
        if not options.respawn:
            self.retire(slot)
            if self.dry:
                self._owner.dry(code)
            return
        self._replace(slot, exited, process.requested)

    def _replace(self, slot: Slot, exited: ProcessExited, requested: bool) -> None:
        bus, options = self.around.bus, self.options
        verdict: Restart | GiveUp = Restart()
        if not requested:
            recent = slot.recent = slot.recent or deque(maxlen=RECENT)
            answer = bus.first("circus_decide_restart", exited=exited, recent=tuple(recent), watcher=options)
            recent.append(exited)
            verdict = answer[1] if answer else policy.after_exit(options, slot.failures, self.around.chance())
        if isinstance(verdict, GiveUp):
            self._give_up(slot, f"{verdict.reason}; the last time it {in_words(exited.exit_code)}", exited.exit_code)
            return
        slot.restarts += 1
        self.restarts += 1
        if verdict.delay > 0:
            log.warning("%s/%d: next start in %.1f s", options.name, slot.wid, verdict.delay)
            bus.publish(RestartDelayed(watcher=options.name, wid=slot.wid, delay=verdict.delay, failures=slot.failures))
            self._later(slot, verdict.delay)
        else:
            self.fill(slot)

    def _give_up(self, slot: Slot, reason: str, code: int | None) -> None:
        slot.gave_up = self.last_error = reason
        last = self.dry and not self.missing()
        log.error("%s/%d: given up: %s", self.options.name, slot.wid, reason)
        self.around.bus.publish(
            WatcherGaveUp(watcher=self.options.name, wid=slot.wid, reason=reason, last=last, exit_code=code)
        )
        if last:
            self._owner.dry(1 if code is None else code)
        else:
            self._owner.filled()
