"""The supervisor: it owns the loop's side of things, the bus and the watchers, and applies plans to them.

It reads no file, takes no signal from its host program, and speaks no protocol; `circus_core.main` and plugins do.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any, Self

from circus_core import starting, stopping
from circus_core.around import Around
from circus_core.assembly import Assembly, assemble
from circus_core.commands import LocalClient
from circus_core.dispatch import dispatch
from circus_core.errors import CircusError, ConflictError, UnknownWatcherError
from circus_core.events import (
    SupervisorStarted,
    SupervisorStopping,
    WatcherAdded,
    WatcherRemoved,
)
from circus_core.inherited import Inherited
from circus_core.nearest import did_you_mean
from circus_core.plan import in_start_order, lasting
from circus_core.reaper import ChildReaper, PidfdReaper, Reaper
from circus_core.requests import Role
from circus_core.signals import Signals
from circus_core.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Mapping

    from circus_core.bus import Bus
    from circus_core.model import Config, WatcherOptions
    from circus_core.queue import Outcomes
    from circus_core.requests import Guard, Progress, Reply

log = logging.getLogger("circus")


class Supervisor:
    """Keeps the watchers of a configuration alive, inside a running asyncio loop.

    With `daemon` it owns this whole Unix process: SIGCHLD, and every orphan below it. Without, it may be one part of
    any program: it touches neither signals nor children that are not its own.

        async with Supervisor(Config(watchers={...})) as supervisor:
            await supervisor.client.call("status")
    """

    def __init__(
        self,
        source: Config | Assembly | str,
        *,
        daemon: bool = False,
        plugins: Mapping[str, object] = {},
        inherited: Inherited | None = None,
    ) -> None:
        if not isinstance(source, Assembly):
            path = source if isinstance(source, str) else None
            source = assemble(path, plugins=plugins, config=None if isinstance(source, str) else source)
        self.assembly = source
        self.bus: Bus = source.bus
        self.inherited = inherited or Inherited()
        self.started = lasting(source.sections["circus"], source.config.supervisor)
        self.watchers: dict[str, Watcher] = {}
        self.client = LocalClient(self)
        self._daemon = daemon
        self.signals: Signals
        self._reaper: Reaper
        self._around: Around
        self._tasks: set[asyncio.Task[Any]] = set()
        self._groups: set[asyncio.Task[Any]] = set()
        # Those that nobody knows any more, until they have stopped.
        self._removed: set[Watcher] = set()
        # One change of the configuration after another orders what it needs.
        self.reloading = asyncio.Lock()
        self._stopping: asyncio.Task[None] | None = None
        self._closed = False
        self.emptied: asyncio.Future[None]
        self.finished: asyncio.Future[int]

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.assembly.config

    @property
    def stopping(self) -> bool:
        """Whether it is on its way to its end."""
        return self._stopping is not None

    # Life

    async def start(self) -> None:
        """Take up every watcher, start the plugins, then the watchers with autostart, by priority; done when each was
        started once. A stop meanwhile ends it early."""
        loop = asyncio.get_running_loop()
        self.finished, self.emptied = loop.create_future(), loop.create_future()
        if self._daemon:
            self.signals = Signals()
            self._reaper = ChildReaper(self.signals)
        else:
            self._reaper = PidfdReaper()
        self._around = Around(self.bus, self._reaper)
        configured = [self.take_up(options) for options in in_start_order(self.config.watchers)]
        try:
            for loaded in self.bus.loaded.values():
                self.assembly.equip(loaded, self.client)
            for loaded in self.bus.in_start_order():
                await self.bus.startup(loaded, supervisor=self)
                if self._closed:
                    # It took longer to start than everything took to stop.
                    await self.bus.shutdown(loaded)
                if self.stopping:
                    return
        except BaseException:
            await self._close()
            raise
        if self.stopping:
            return
        self.inherited.close()
        self._around.ready.set()
        try:
            await asyncio.wait([self.background(self._start_all(configured), group=True)])
        except asyncio.CancelledError:
            await self.stop("its start was called off")
            raise

    async def _start_all(self, watchers: list[Watcher]) -> None:
        await starting.ask_before_watchers(self.bus)
        # Whom somebody stopped or removed meanwhile stays so.
        await self.start_group([watcher for watcher in watchers if watcher.options.autostart and not watcher.stops])
        self.bus.publish(SupervisorStarted(pid=os.getpid()))

    async def stop(self, reason: str = "asked to", status: int = 0) -> None:
        """Stop every watcher, then the plugins; done when nothing is left. Later calls wait for the first."""
        await asyncio.shield(self.begin_stop(reason, status))

    def begin_stop(self, reason: str, status: int = 0) -> asyncio.Task[None]:
        """Begin to stop; `emptied` is done when no process is left, and `finished` when the plugins have ended too."""
        if self._stopping is None:
            self._around.stopping = True
            log.info("stopping everything: %s", reason)
            self.bus.publish(SupervisorStopping(reason=reason))
            self._stopping = asyncio.get_running_loop().create_task(self._stop(status))
        return self._stopping

    async def _stop(self, status: int) -> None:
        await self.stop_watchers()
        if self._daemon:
            await stopping.end_orphans(self._reaper, self._around.released)
        self.emptied.set_result(None)
        await self._close()
        self.finished.set_result(status)

    def stop_watchers(self) -> asyncio.Future[list[Any]]:
        """Stop every watcher, all at the same time, whatever they are doing; done when each is, or could not be."""
        for task in self._groups:
            task.cancel()
        everyone = (*self.watchers.values(), *self._removed)
        return asyncio.gather(*(watcher.stop() for watcher in everyone), return_exceptions=True)

    async def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for loaded in reversed(tuple(self.bus.loaded.values())):
            await self.bus.shutdown(loaded)
        for task in self._tasks:
            task.cancel()
        self.inherited.close()
        self._reaper.close()
        if self._daemon:
            self.signals.close()

    def kill(self) -> None:
        """SIGKILL to everything at once: for those who asked to stop and do not want to wait."""
        for watcher in (*self.watchers.values(), *self._removed):
            watcher.slots.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.stop("the program that embeds it is done")

    def background(self, work: Coroutine[Any, Any, Any], *, group: bool = False) -> asyncio.Task[Any]:
        """Run something beside everything else; a failure is logged. A `group` operation ends when all is to stop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        if group:
            self._groups.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._groups.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, CircusError):
                log.warning("%s", error)
            else:
                log.error("a task of circusd failed", exc_info=error)

    # Watchers

    def watcher(self, name: str) -> Watcher:
        """The watcher of this name, in any case; raises UnknownWatcherError."""
        found = self.watchers.get(name.lower())
        if found is None:
            raise UnknownWatcherError(name, hint=did_you_mean(name, self.watchers))
        return found

    def in_order(self) -> list[Watcher]:
        """The watchers in the order in which they start."""
        options = in_start_order({name: watcher.options for name, watcher in self.watchers.items()})
        return [self.watchers[entry.name.lower()] for entry in options]

    def take_up(self, options: WatcherOptions) -> Watcher:
        folded = options.name.lower()
        key = options.name if options.name == folded else folded
        watcher = self.watchers[key] = Watcher(options, self._around, self._failed)
        self.bus.publish(WatcherAdded(watcher=options.name))
        return watcher

    def add(self, options: WatcherOptions) -> Watcher:
        """Take up a further watcher, stopped; raises ConflictError if the name is taken."""
        if options.name.lower() in self.watchers:
            raise ConflictError(f"Trying to add an already existing watcher: {options.name!r} already exist")
        if self.stopping:
            raise ConflictError("circusd is stopping")
        return self.take_up(options)

    def remove(self, watcher: Watcher, *, nostop: bool = False) -> asyncio.Future[None]:
        """Forget a watcher; done when its processes are gone, or with `nostop` at once and they outlive circusd."""
        if self.watchers.pop(watcher.name.lower(), None) is None:
            raise UnknownWatcherError(watcher.name)
        self.bus.publish(WatcherRemoved(watcher=watcher.name))
        if nostop:
            return watcher.abandon()
        done = watcher.stop()
        self._removed.add(watcher)
        done.add_done_callback(lambda _done: self._removed.discard(watcher))
        return done

    def start_group(self, watchers: list[Watcher], say: Progress | None = None) -> Coroutine[Any, Any, Outcomes]:
        """Start watchers one after another, in the order given; one that fails does not keep the next from starting.

        One that somebody stops or removes before its turn has come is left out. Answers what became of each.
        """
        return starting.in_turn(watchers, lambda watcher: watcher.start(say), self.config.supervisor.warmup_delay)

    def reload_group(
        self, watchers: list[Watcher], say: Progress | None = None, **manner: Any
    ) -> Coroutine[Any, Any, Outcomes]:
        """Reload watchers one after another; stopped ones stay stopped. Answers what became of each."""
        return starting.in_turn(watchers, lambda each: each.reload(say=say, **manner) if each.running else None)

    def _failed(self, watcher: Watcher, code: int) -> None:
        if watcher.options.exit_on_failure and not self.stopping:
            status = code if code > 0 else 128 - code
            log.critical("%s failed for good and has exit_on_failure: exiting with status %d", watcher.name, status)
            self.begin_stop(f"{watcher.name} failed for good", status)

    # Commands

    def dispatch(
        self,
        command: str,
        properties: Mapping[str, Any],
        *,
        role: Role = Role.ADMIN,
        progress: Progress | None = None,
        guard: Guard | None = None,
    ) -> Reply | Awaitable[Reply]:
        """Check and run a command; a dict if it is answered at once. Raises CircusError for what is refused."""
        return dispatch(self, command, properties, role, progress, guard)
