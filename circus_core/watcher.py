"""A watcher: the operations that may be asked of it, one at a time, and its state; slots hold its processes.

Operations wait their turn in the queue; upkeep does not: a process that ends is replaced whatever else goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import attrs

from circus_core import rolling, stopping
from circus_core.consent import objection
from circus_core.errors import CircusError, ConflictError, SpawnError
from circus_core.events import StartCalledOff, WatcherReloaded, WatcherUpdated
from circus_core.queue import Queue
from circus_core.rolling import Manner
from circus_core.slots import Slots
from circus_core.states import ACTIVE, STARTING, STOPPED, TABLE
from circus_core.updating import Update
from circus_core.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circus_core.around import Around
    from circus_core.consent import Objection
    from circus_core.errors import VetoedError
    from circus_core.model import WatcherOptions
    from circus_core.process import Process
    from circus_core.values import Change

    Say = Callable[[str], None] | None

log = logging.getLogger("circus.watcher")


class Watcher:
    """`options.numprocesses` processes of one program. `on_failure` is told the exit code when it failed for good."""

    __slots__ = (
        "_around", "_on_failure", "_starting", "options", "postponed", "queue", "slots", "started_at", "state", "stops",
    )  # fmt: skip

    def __init__(self, options: WatcherOptions, around: Around, on_failure: Callable[[Watcher, int], None]) -> None:
        self.options = options
        self.state = STOPPED
        self.started_at: float | None = None
        self.queue = Queue(options.name)
        # How often somebody ordered its end: a start of many, ordered before, is then void for this one.
        self.stops = 0
        # Whether a plugin will order its start.
        self.postponed = False
        self.slots = Slots(around, options, Upkeep(self))
        self._around = around
        self._on_failure = on_failure
        self._starting = False

    @property
    def name(self) -> str:
        return self.options.name

    @property
    def running(self) -> bool:
        """Whether it is to have processes."""
        return self.state in (STARTING, ACTIVE)

    def _take(self, happening: str) -> None:
        self.state, event = TABLE[self.state, happening]
        if event is not None:
            log.info("%s: %s", self.name, self.state)
            self.started_at = time.time() if self.state is ACTIVE else None
            self._around.bus.publish(event(watcher=self.name))  # type: ignore[call-arg]

    # Operations: what may be asked, each put into the queue

    def start(self, say: Say = None) -> asyncio.Future[dict[str, list[int]]]:
        """Start, or fill what is empty; answers the pids that were started and kept."""
        return self.queue.submit("start", lambda: self._start(say))

    def stop(self, say: Say = None) -> asyncio.Future[None]:
        """Stop; done when no process and no descendant of one is left. Overtakes whatever brings processes up."""
        self._call_off()
        return self._halt(say)

    def _halt(self, say: Say = None, because: CircusError | None = None) -> asyncio.Future[None]:
        # From the order on, and not only from its turn on, nothing that ends comes back.
        self.slots.supervising = False
        return self.queue.submit("stop", lambda: self._stop(say), overtaken=False, overtakes=True, because=because)

    def restart(self, say: Say = None, *, running: bool = False) -> asyncio.Future[dict[str, list[int]]]:
        """Stop, then start; with `running` only if, when its turn comes, the watcher is to have processes."""
        return self.queue.submit("restart", lambda: self._restart(say, running))

    def reload(
        self,
        *,
        graceful: bool = True,
        sequential: bool = False,
        parallel: int | None = None,
        running: bool = False,
        say: Say = None,
    ) -> asyncio.Future[dict[str, list[int]]]:
        """Replace every process, each by one that is ready before the old one ends, `parallel` at a time.

        `sequential`: each ends before its successor starts. Not `graceful`: all by a restart.
        """
        if not graceful:
            return self.restart(say, running=running)
        return self.queue.submit(
            "reload", lambda: self._reload(Manner(parallel or self.options.reload_parallel, sequential), say, running)
        )

    def scale(self, number: Callable[[], int], say: Say = None) -> asyncio.Future[int]:
        """Keep another number of processes; `number` is called when the operation's turn comes."""
        return self.queue.submit("scale", lambda: self.fit(say), first=lambda: self._renumber(number()))

    def update(
        self, change: Callable[[WatcherOptions], tuple[WatcherOptions, Sequence[Change]]]
    ) -> asyncio.Future[None]:
        """Put changed options in force, by whatever the changes need; `change` is called when its turn comes.

        If processes do not come up with them, the options are what they were, and the answer is why.
        """
        made = Update(self, change)
        return self.queue.submit("set", made.finish, first=made.begin)

    def abandon(self) -> asyncio.Future[None]:
        """Forget the processes, which go on by themselves."""
        self._call_off()
        return self.queue.submit("rm", self._abandon, overtaken=False, overtakes=True)

    def _call_off(self) -> None:
        self.stops += 1
        if self.postponed:
            self.postponed = False
            self._around.bus.publish(StartCalledOff(watcher=self.name))

    def end(
        self, processes: Sequence[Process], signum: int | None = None, grace: float | None = None
    ) -> list[asyncio.Future[None]]:
        """End some processes, which are then replaced. Does not wait for the queue: this is what an operator does
        when something hangs."""
        return [self.slots.end(process, signum, grace) for process in processes]

    # How each is done

    async def _start(self, say: Say) -> dict[str, list[int]]:
        await self._around.ready.wait()
        if self._around.stopping:
            raise ConflictError(f"{self.name} was not started: circusd is stopping")
        if self.state is STOPPED:
            if not self._may_start():
                return {"started": [], "kept": []}
            self._take("start")
        self.slots.supervising = True
        self.slots.close_empty(given_up=True)
        kept = [process.pid for process in self.slots.processes()]
        self._starting = True
        try:
            started = [process.pid for process in await rolling.fill(self.slots, say)]
        finally:
            self._starting = False
        if not self.slots.supervising:
            # A plugin refused a spawn, and the stop that follows is in the queue.
            return {"started": started, "kept": kept}
        if self.slots.settled and not (self.slots.dry and self.options.numprocesses):
            self._settle(operating=True)
        elif self.slots.dry:
            await self._stop(None)
        if self.options.numprocesses and not started and not kept:
            raise SpawnError(f"{self.name} did not start: {self.slots.last_error}")
        return {"started": started, "kept": kept}

    def _may_start(self) -> bool:
        """Whether no plugin postpones a start; raises VetoedError if one refuses it."""
        found = self._objection("circus_veto_start")
        self.postponed = found is not None and found.postpones
        if found is not None and not found.postpones:
            raise found.error(f"{self.name} was not started", "it")
        return found is None

    def _objection(self, hook: str) -> Objection | None:
        """What a plugin has against a start; status shows it."""
        found = objection(self._around.bus, hook, "start", self.name, watcher=self.options)
        if found is not None and not found.postpones:
            self.slots.last_error = found.reason
        return found

    async def _stop(self, say: Say) -> None:
        if self.state is STOPPED and not self.slots.leaving:
            return
        self._take("stop")
        self.slots.supervising = False
        self.slots.close_empty(given_up=False)
        await stopping.ask_before_stop(self._around.bus, self.options)
        failure = await stopping.end_all(self.slots, say)
        self.slots.close_empty(given_up=False)
        await stopping.end_strays(self._around.reaper, self.slots.family, self.options)
        self._take("empty")
        if failure is not None:
            raise failure

    async def _restart(self, say: Say, running: bool) -> dict[str, list[int]]:
        if running and not self.running:
            return {"stopped": [], "started": [], "kept": []}
        stopped = sorted(process.pid for process in self.slots.processes())
        await self._stop(say)
        return {"stopped": stopped, **await self._start(say)}

    async def _reload(self, manner: Manner, say: Say, running: bool) -> dict[str, list[int]]:
        if not self.running:
            return {"stopped": [], "started": [], "kept": []} if running else {"stopped": [], **await self._start(say)}
        outcome = await rolling.reload(self.slots, manner, say)
        self.slots.last_error = ""
        self._settle(operating=True)
        self._around.bus.publish(WatcherReloaded(watcher=self.name))
        return outcome

    def _renumber(self, number: int) -> int:
        if self.options.singleton and number > 1:
            raise CircusError("Singleton watcher has a single process")
        self.adopt(attrs.evolve(self.options, numprocesses=max(number, 0)))
        return self.options.numprocesses

    async def fit(self, say: Say = None) -> int:
        """Have as many processes as the options say."""
        if self.running:
            surplus = len(self.slots.by_wid) - self.options.numprocesses
            # Slots without a process go first, then the oldest processes (PROTOCOL.md 6.3).
            oldest = self.slots.oldest_first()
            ends = [self.slots.retire(slot) for slot in oldest[: max(surplus, 0)]]
            await rolling.fill(self.slots, say)
            self._settle(operating=True)
            await asyncio.gather(*(end for end in ends if end is not None))
        return self.options.numprocesses

    async def _abandon(self) -> None:
        self.slots.supervising = False
        self.slots.release()
        self.state = STOPPED

    async def renew(self, manner: Manner) -> dict[str, list[int]]:
        """Replace the processes by such as the options say, if there are to be any."""
        return await self._reload(manner, say=None, running=True)

    def tell_updated(self, key: str) -> None:
        """An option is another."""
        self._around.bus.publish(WatcherUpdated(watcher=self.name, option=key))

    def adopt(self, options: WatcherOptions) -> None:
        """Take other options, and leave the processes as they are."""
        self.options = options
        self.slots.adopt(options)

    # What the upkeep of the slots tells

    def filled(self) -> None:
        """A slot that waited was filled or given up."""
        self._settle(operating=False)

    def _settle(self, *, operating: bool) -> None:
        """Once every slot has its process or was given up the watcher is active, unless an operation will say so."""
        busy = self.queue.current is not None and not operating
        if self.state is STARTING and self.slots.settled and not busy and self._confirmed():
            self._take("up")

    def _confirmed(self) -> bool:
        """Whether the plugins agree to a start that is complete; otherwise the watcher is stopped."""
        found = self._objection("circus_confirm_start")
        if found is not None:
            log.error("%s: its start is refused: %s", self.name, found.reason)
            self._halt(because=found.error(f"{self.name} was stopped", "its start"))
        return found is None

    def refused(self, error: VetoedError) -> None:
        """A plugin refused a spawn: the watcher is stopped, whatever it is doing."""
        self._halt(because=error)

    def dry(self, code: int | None) -> None:
        """No slot has or will have a process: the watcher is stopped, and may have failed for good."""
        if not self._starting:
            self._halt()
        if code:
            self._on_failure(self, code)
