"""All watchers with hooks: which functions each has, and what their answers mean (PROTOCOL.md 6.7). It calls none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from attrs import evolve

from circus_core.model import Refuse, RetryLater, WatcherState
from circus_plugins.hooks import FAMILY
from circus_plugins.hooks.calling import Background, Hooked
from circus_plugins.hooks.given import changed_environment
from circus_plugins.hooks.loading import Modules, UnusableError, make_findable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from circus_core.events import ProcessExited, ProcessSignaled, SignalSent
    from circus_core.model import Launch, ProcessRef, WatcherOptions
    from circus_core.plugin import CircusPlugin
    from circus_core.supervisor import Supervisor
    from circus_core.watcher import Watcher
    from circus_plugins.hooks.calling import Objection

UNEXISTING = 2
"""Circus' number for a process that is not there any more, as `process_status`."""


class Work:
    """What the plugin `hooks` does once a watcher has hooks."""

    def __init__(self, supervisor: Supervisor, plugin: CircusPlugin) -> None:
        self._supervisor = supervisor
        self._plugin = plugin
        self._modules = Modules()
        self._background = Background()
        self._hooked: dict[str, Hooked] = {}
        # What the options said when it was last tried, whether or not it could be imported.
        self._tried: dict[str, dict[str, str]] = {}

    # Which functions

    def begin(self, options: WatcherOptions) -> Refuse | None:
        """Before a start: import what the options name, and ask `before_start`."""
        watcher = self._supervisor.watchers.get(options.name.lower())
        if watcher is None:
            return None
        try:
            self._take(watcher)
        except UnusableError as error:
            return Refuse(str(error))
        return _refusal(self._ask(options.name, "before_start"))

    def changed(self, name: str) -> None:
        """Options of a watcher were changed: those of its hooks are in force at once."""
        watcher = self._supervisor.watchers.get(name.lower())
        if watcher is not None and self._tried.get(name) != _wanted(watcher.options):
            self._take_if_possible(watcher)

    def refresh(self) -> None:
        """Import again what has changed; what cannot be imported stays as it is."""
        for watcher in tuple(self._supervisor.watchers.values()):
            if watcher.name in self._tried and watcher.state is not WatcherState.STOPPED:
                self._take_if_possible(watcher)

    def _take_if_possible(self, watcher: Watcher) -> None:
        try:
            self._take(watcher)
        except UnusableError as error:
            watcher.slots.last_error = str(error)
            self._plugin.log.error("%s: its hooks stay as they were: %s", watcher.name, error, exc_info=error.__cause__)

    def _take(self, watcher: Watcher) -> None:
        wanted = _wanted(watcher.options)
        if not wanted and watcher.name not in self._hooked:
            return
        self._tried[watcher.name] = wanted
        make_findable(self._folders(watcher.options))
        functions = self._modules.functions(wanted)
        hooked = self._hooked.get(watcher.name)
        if hooked is None or hooked.watcher is not watcher:
            hooked = Hooked(watcher, self._supervisor, self._plugin, self._background)
            self._hooked[watcher.name] = hooked
        hooked.functions = functions

    def _folders(self, options: WatcherOptions) -> list[str]:
        assembly = self._supervisor.assembly
        own = [os.path.abspath(assembly.folder)] if assembly.path else []
        return own + [os.path.abspath(path) for path in options.env.get("PYTHONPATH", "").split(os.pathsep) if path]

    def removed(self, name: str) -> None:
        """A watcher that is stopped, or soon will be, is known no more."""
        hooked = self._hooked.get(name)
        if hooked is None or hooked.watcher.state is WatcherState.STOPPED:
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._hooked.pop(name, None)
        self._tried.pop(name, None)

    async def end(self) -> None:
        """Let the hooks that are coroutines come to their ends."""
        await self._background.end()

    # What their answers mean

    def _ask(self, name: str, hook: str, **given: Any) -> Objection:
        hooked = self._hooked.get(name)
        return None if hooked is None else hooked.ask(hook, late=lambda found: self._stop(name, found), **given)

    def _stop(self, name: str, found: Objection) -> None:
        """The answer of a coroutine, which came when what it is about had happened."""
        hooked = self._hooked.get(name)
        if hooked is not None and found is not None and hooked.watcher.running:
            hooked.watcher.slots.last_error = found.reason
            self._plugin.log.error("%s is stopped: %s", name, found.reason)
            self._supervisor.client.cast("stop", name=name)

    def before_spawn(self, name: str) -> Objection:
        """Refuse it, have it wait, or let it be."""
        return self._ask(name, "before_spawn")

    def adjusted(self, launch: Launch) -> Launch | None:
        """The launch with the environment as hooks have changed it."""
        hooked = self._hooked.get(launch.watcher)
        env = changed_environment(hooked.given, launch.env) if hooked else None
        return None if env is None else evolve(launch, env=env)

    def after_spawn(self, process: ProcessRef) -> Refuse | None:
        """Refuse what was spawned, or let it be."""
        return _refusal(self._ask(process.watcher, "after_spawn", pid=process.pid))

    def after_start(self, name: str) -> Refuse | None:
        """Refuse what was started, or let it be."""
        return _refusal(self._ask(name, "after_start"))

    def before_signal(self, process: ProcessRef, signum: int) -> Refuse | None:
        """Hold back a signal to a process of a watcher; descendants are not asked about, nor is an exception a no."""
        hooked = self._hooked.get(process.watcher)
        if hooked is None or not _has(hooked, process.wid, process.pid):
            return None
        return _refusal(hooked.ask("before_signal", pid=process.pid, signum=signum))

    def after_signal(self, event: ProcessSignaled | SignalSent) -> None:
        """Tell of a signal to a process of a watcher."""
        hooked = self._hooked.get(event.watcher)
        if hooked is not None and "after_signal" in hooked.functions and _has(hooked, event.wid, event.pid):
            hooked.ask("after_signal", pid=event.pid, signum=int(event.signum))

    def extended_stats(self, process: ProcessRef, stats: dict[str, Any]) -> str | None:
        """Have what is told of a process added to; the answer is what went wrong."""
        hooked = self._hooked.get(process.watcher)
        return None if hooked is None else hooked.fill("extended_stats", pid=process.pid, stats=stats)

    def before_stop(self, name: str) -> Awaitable[None] | None:
        """Call it; the answer is what the stop waits for, if it is a coroutine."""
        hooked = self._hooked.get(name)
        return None if hooked is None else hooked.prepare("before_stop")

    def reaped(self, event: ProcessExited) -> None:
        """Tell of an end, twice as Circus does."""
        hooked = self._hooked.get(event.watcher)
        if hooked is not None:
            hooked.ask("before_reap", process_pid=event.pid, time=event.at)
            hooked.ask(
                "after_reap", process_pid=event.pid, time=event.at, exit_code=event.exit_code,
                process_status=None if event.requested else UNEXISTING,
            )  # fmt: skip

    def after_stop(self, name: str) -> None:
        """Tell of it; a watcher that was removed is forgotten then."""
        hooked = self._hooked.get(name)
        if hooked is not None:
            hooked.ask("after_stop")
            if self._supervisor.watchers.get(name.lower()) is not hooked.watcher:
                self._forget(name)


def _wanted(options: WatcherOptions) -> dict[str, str]:
    return {key.removeprefix(FAMILY): str(text) for key, text in options.extra.items() if key.startswith(FAMILY)}


def _refusal(found: Objection) -> Refuse | None:
    return Refuse(found.reason) if isinstance(found, RetryLater) else found


def _has(hooked: Hooked, wid: int, pid: int) -> bool:
    """Whether a pid is that of a process itself."""
    slots = hooked.watcher.slots
    slot = slots.by_wid.get(wid)
    if slot is not None and slot.process is not None and slot.process.pid == pid:
        return True
    return any(process.pid == pid for process in slots.leaving)
