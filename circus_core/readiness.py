"""Whether a process came up, as plugins that know how to tell say; without one, it is ready once it is spawned."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from circus_core.errors import CircusError
from circus_core.events import ProcessReady, ProcessUnready
from circus_core.model import ProcessState, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from circus_core.bus import Bus
    from circus_core.model import WatcherOptions
    from circus_core.process import Process

log = logging.getLogger("circus.watcher")


class Owner(Protocol):
    """Who has the processes."""

    def ready(self, process: Process) -> None:
        """A process that was waited for came up."""
        ...

    def unready(self, process: Process, reason: str) -> None:
        """A process did not come up, and lives."""
        ...


class Readiness:
    """The processes of a watcher that are being waited for."""

    __slots__ = ("_bus", "_owner", "_waiting")

    def __init__(self, bus: Bus, owner: Owner) -> None:
        self._bus = bus
        self._owner = owner
        self._waiting: dict[Process, asyncio.Task[bool]] | None = None

    def begin(self, process: Process, options: WatcherOptions) -> None:
        """Ask the plugins about a process that was just spawned."""
        asked = self._bus.ask("circus_await_ready", process=process.ref, watcher=options)
        answers = [answer for _plugin, answer in asked]
        if not answers:
            process.state = ProcessState.READY
            process.came_up = True
            return
        task = asyncio.get_running_loop().create_task(self._follow(process, answers))
        waiting = self._waiting = self._waiting or {}
        waiting[process] = task
        task.add_done_callback(lambda _task: waiting.pop(process, None))

    async def wait(self, process: Process) -> bool:
        """Wait until a process is ready; False if it ended or was found not to come up."""
        task = (self._waiting or {}).get(process)
        if task is not None:
            return await asyncio.shield(task)
        return process.state is ProcessState.READY

    async def wait_for_all(self, processes: Iterable[Process]) -> list[Process]:
        """Wait until each of them is ready or never will be; answers those that are."""
        starting = [process for process in processes if process.state is ProcessState.STARTING]
        if starting:
            await asyncio.gather(*map(self.wait, starting))
        return [process for process in processes if process.state is ProcessState.READY]

    def drop(self, process: Process) -> str:
        """The process ended; whatever waits for it to come up is told so. Answers what that means, in words."""
        task = (self._waiting or {}).get(process)
        if task is None or task.done():
            return ""
        task.cancel()
        if process.requested:
            return ""
        how = in_words(process.exit.code if process.exit else None)
        reason = f"pid {process.pid} {how} before it was ready"
        self._tell(process, reason)
        return reason

    async def _follow(self, process: Process, answers: list[Any]) -> bool:
        try:
            ready = all(await asyncio.gather(*answers))
        except asyncio.CancelledError:
            if process.alive:
                raise
            return False
        except CircusError as error:
            self._fail(process, f"pid {process.pid} is not ready: {error}")
            return False
        except Exception as error:
            log.exception("%s/%d: readiness of pid %d could not be told", process.watcher, process.wid, process.pid)
            self._fail(process, f"readiness of pid {process.pid} could not be told: {error}")
            return False
        if process.state is not ProcessState.STARTING:
            return False
        if not ready:
            self._fail(process, f"pid {process.pid} did not become ready")
            return False
        process.state = ProcessState.READY
        process.came_up = True
        self._bus.publish(ProcessReady(watcher=process.watcher, wid=process.wid, pid=process.pid, after=process.age))
        self._owner.ready(process)
        return True

    def _fail(self, process: Process, reason: str) -> None:
        if process.state is ProcessState.STARTING:
            log.error("%s/%d: %s", process.watcher, process.wid, reason)
            self._tell(process, reason)
            self._owner.unready(process, reason)

    def _tell(self, process: Process, reason: str) -> None:
        self._bus.publish(
            ProcessUnready(
                watcher=process.watcher, wid=process.wid, pid=process.pid, after=process.age, reason=reason
            )
        )  # fmt: skip
