"""Hands events to plugins: one event after another, each plugin isolated from the others, and none before it started.

Events published while one is being handed on wait their turn, so every plugin sees all events in the same order, that
of `seq`. What a plugin raises is told, and decided on elsewhere.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from attrs import define, field

from circus_core.happening import Event, stamp
from circus_core.loaded import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from circus_core.implementations import Implementation, Implementations

    Failed = Callable[[Loaded, str, Exception, Event | None], None]


@define
class Delivery:
    """Events on their way to plugins. `failed` is told the plugin, its hook, what it raised, and the event."""

    _plugins: Implementations
    _clock: Callable[[], float]
    _failed: Failed
    seq: int = 0
    _waiting: deque[Event | Loaded] = field(factory=deque)
    _delivering: bool = False
    _tasks: set[asyncio.Task[None]] = field(factory=set)
    # Loaded, and not at work yet.
    _to_start: list[Loaded] = field(factory=list)

    def expect(self, loaded: Loaded) -> None:
        """Keep what happens from now on for a plugin."""
        self._to_start.append(loaded)

    def connect(self, loaded: Loaded) -> None:
        """Hand a plugin what was kept for it, and from then on each event as it comes."""
        self._take_turn(loaded)

    def disconnect(self, loaded: Loaded) -> None:
        """Hand a plugin nothing any more."""
        loaded.started = False
        if loaded in self._to_start:
            self._to_start.remove(loaded)
        self._plugins.changed()

    def publish(self, happened: Event) -> None:
        """Number an event and hand it to every plugin that wants it, before this returns or in its turn."""
        self.seq += 1
        stamp(happened, self.seq, self._clock())
        self._take_turn(happened)

    def _take_turn(self, item: Event | Loaded) -> None:
        self._waiting.append(item)
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._waiting:
                item = self._waiting.popleft()
                if isinstance(item, Loaded):
                    self._catch_up(item)
                else:
                    self.hand_on(item)
        finally:
            self._delivering = False

    def hand_on(self, happened: Event) -> list[asyncio.Task[None]]:
        """Hand an event that is numbered to every plugin that wants it; answers what async handlers still work on."""
        for loaded in self._to_start:
            if self._plugins.hears(loaded, happened.name):
                loaded.held.keep(happened)
        return self._tell(self._plugins.hearing(happened.name), happened)

    def _catch_up(self, loaded: Loaded) -> None:
        if loaded not in self._to_start:
            return
        self._to_start.remove(loaded)
        loaded.started = True
        self._plugins.changed()
        for happened in loaded.held.take():
            mine = [each for each in self._plugins.hearing(happened.name) if each.loaded is loaded]
            self._tell(mine, happened)

    def _tell(self, implementations: Iterable[Implementation], happened: Event) -> list[asyncio.Task[None]]:
        unfinished: list[asyncio.Task[None]] = []
        before = time.monotonic()
        for implementation in implementations:
            loaded = implementation.loaded
            if loaded.disabled:
                # Since it was told of this event by its other hook.
                continue
            try:
                answer = implementation.function(happened) if implementation.arguments else implementation.function()
                if answer is not None and inspect.iscoroutine(answer):
                    unfinished.append(self._follow(loaded, implementation.hook, answer, happened))
                    continue
            except Exception as error:
                self._failed(loaded, implementation.hook, error, happened)
            else:
                loaded.in_a_row = 0
            finally:
                # A look at the clock after each is what tells who it was.
                now = time.monotonic()
                if now - before > loaded.patience:
                    loaded.took(implementation.hook, now - before)
                before = now
        return unfinished

    def _follow(self, loaded: Loaded, hook: str, coroutine: Any, happened: Event) -> asyncio.Task[None]:
        """Run an async event handler beside everything else; its failure is the plugin's."""

        async def run() -> None:
            try:
                await coroutine
            except Exception as error:
                self._failed(loaded, hook, error, happened)
            else:
                loaded.in_a_row = 0

        task = asyncio.get_running_loop().create_task(run(), name=f"plugin {loaded.name} {hook}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
