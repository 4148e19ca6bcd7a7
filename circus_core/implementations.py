"""Who implements which hook among the plugins that are loaded, in the order of calling; it calls none."""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any

from attrs import define, field

from circus_core.hookspecs import PREFIX
from circus_core.implementing import HookManager, implemented

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from circus_core.loaded import Loaded

SHUTDOWN = "circus_shutdown"
EVERY = "circus_event"


@define
class Implementation:
    """One plugin's function for one hook, and which of the hook's arguments it takes."""

    loaded: Loaded
    hook: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]
    order: int = 0

    def __call__(self, given: dict[str, Any]) -> Any:
        began = time.monotonic()
        try:
            return self.function(**{name: given[name] for name in self.arguments})
        finally:
            self.loaded.took(self.hook, time.monotonic() - began)

    async def finish(self, given: dict[str, Any]) -> None:
        """Call it, and wait for what it answers if that is awaitable."""
        answer = self(given)
        if inspect.isawaitable(answer):
            await answer


@define
class Implementations:
    """The plugins by name, and their functions by hook. `changed` is to be called when a plugin's state changed."""

    loaded: dict[str, Loaded] = field(factory=dict)
    _manager: HookManager = field(init=False, factory=HookManager, repr=False)
    _cache: dict[str, tuple[Implementation, ...]] = field(factory=dict)
    _hearing: dict[str, tuple[Implementation, ...]] = field(factory=dict)

    def hooks(self, name: str, plugin: object) -> tuple[str, ...]:
        """The hooks that a plugin implements, once those it adds are known; raises PluginError."""
        self._manager.learn(name, plugin)
        return implemented(self._manager, name, plugin)

    def add(self, loaded: Loaded) -> None:
        """Take up a plugin."""
        self._manager.register(loaded.plugin, loaded.name)
        self.loaded[loaded.name] = loaded
        self.changed()

    def remove(self, name: str) -> Loaded:
        """Forget a plugin, and the hooks that it added."""
        loaded = self.loaded.pop(name)
        self._manager.unregister(loaded.plugin)
        self._manager.forget(name)
        self.changed()
        return loaded

    def changed(self) -> None:
        """Look again at who is to be called."""
        self._cache.clear()
        self._hearing.clear()

    def find(self, hook: str) -> tuple[Implementation, ...]:
        """Whom to call: no plugin that is disabled, and none that is not at work if the hook is for such."""
        found = self._cache.get(hook)
        if found is None:
            found = self._cache[hook] = tuple(each for each in self._all(hook) if self._called(each.loaded, hook))
        return found

    def hearing(self, event: str) -> tuple[Implementation, ...]:
        """Whom to tell of events of this name: first by the hook of the event, then by that of all events."""
        found = self._hearing.get(event)
        if found is None:
            found = self._hearing[event] = self.find(PREFIX + event) + self.find(EVERY)
        return found

    def hears(self, loaded: Loaded, event: str) -> bool:
        """Whether a plugin wants events of this name, be it at work or not."""
        return not loaded.disabled and (PREFIX + event in loaded.hooks or EVERY in loaded.hooks)

    def of(self, loaded: Loaded, hook: str) -> Iterator[Implementation]:
        """One plugin's own functions for a hook, be it at work or not; a disabled one is only shut down."""
        called = not loaded.disabled or hook == SHUTDOWN
        return (each for each in self._all(hook) if called and each.loaded is loaded)

    def _called(self, loaded: Loaded, hook: str) -> bool:
        return not loaded.disabled and (loaded.started or not self._manager.waits(hook))

    def _all(self, hook: str) -> list[Implementation]:
        caller = getattr(self._manager.hook, hook, None)
        found = []
        for entry in caller.get_hookimpls() if caller is not None else ():
            loaded = self.loaded.get(entry.plugin_name)
            if loaded is not None:
                order = entry.trylast - entry.tryfirst
                found.append(Implementation(loaded, hook, entry.function, entry.argnames, order))
        return sorted(found, key=lambda each: each.order)
