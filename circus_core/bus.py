"""The hook bus: it loads plugins, publishes events to them and asks them; it knows nothing of processes.

Built on pluggy's public API. pluggy's own call stops at the first exception and calls the last plugin first, so the
bus walks the implementations itself: in the order of loading, each isolated from the others.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from typing import TYPE_CHECKING, Any

import attrs
from attrs import define, field

from circus_core.delivery import Delivery
from circus_core.errors import CircusError, PluginError
from circus_core.events import Event, PluginFailed, PluginStarted
from circus_core.hookspecs import ANSWERS
from circus_core.implementations import Implementations
from circus_core.loaded import SLOW, Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from circus_core.implementations import Implementation
    from circus_core.memory import Memory
    from circus_core.plugin import Registry

log = logging.getLogger("circus.bus")

FAILURES_ALLOWED = 5
"""A plugin that fails so many times in a row is not called again."""
LONG = 10.0
"""Seconds after which a start that has not ended is in the log."""
LAST_WORDS = 1.0
"""Seconds that a callback has to end once it is cancelled, before its plugin is shut down."""


@define
class Bus:
    """Plugins by name, and the three ways to reach them: publish, ask, adjust.

    `announce` is what becomes of the events of plugins, and of the bus's own, that plugins started or failed; they are
    published, unless this is the bus of a host process, which has them published by circusd. `patience` is how many
    seconds one call of a plugin may take without a word in the log.
    """

    clock: Callable[[], float] = time.time
    patience: float = SLOW
    announce: Callable[[Event], None] = field(
        default=attrs.Factory(lambda bus: bus.publish, takes_self=True), repr=False
    )
    _memories: dict[str, Memory] = field(init=False, factory=dict, repr=False)
    _plugins: Implementations = field(init=False, factory=Implementations, repr=False)
    _delivery: Delivery = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._delivery = Delivery(self._plugins, self.clock, self._failed)

    @property
    def loaded(self) -> dict[str, Loaded]:
        """The plugins by name, in the order of loading."""
        return self._plugins.loaded

    # Loading

    def load(self, name: str, plugin: object, *, registry: Registry | None = None, use: str = "") -> Loaded:
        """Put a plugin on the bus and let it register options and commands; raises PluginError if it cannot be."""
        if name in self.loaded:
            raise PluginError(f"a plugin named {name} is loaded already", hint="give one of them another name")
        hooks = self._plugins.hooks(name, plugin)
        use = use or type(plugin).__qualname__
        loaded = Loaded(name, plugin, self.announce, self._failed, use, hooks, self.patience)
        loaded.memory = self._memories.setdefault(name, loaded.memory)
        self._plugins.add(loaded)
        self._delivery.expect(loaded)
        try:
            if registry is not None:
                self.declare(loaded, registry)
        except BaseException:
            self.unload(name)
            raise
        return loaded

    def declare(self, loaded: Loaded, registry: Registry) -> None:
        """Let a plugin register options and commands; raises PluginError."""
        self.call(loaded, "circus_register_options", registry=registry)
        self.call(loaded, "circus_register_commands", registry=registry)

    def unload(self, name: str) -> None:
        """Take a plugin off the bus; nothing reaches it afterwards. What it remembers is for the next of its name."""
        self._delivery.disconnect(self._plugins.remove(name))

    def forget(self, name: str) -> None:
        """Forget what a plugin remembered: no other takes its place."""
        self._memories.pop(name, None)

    def call(self, loaded: Loaded, hook: str, **given: Any) -> Any:
        """Call one hook of one plugin, not isolated: what it raises is raised, as PluginError."""
        for implementation in self._plugins.of(loaded, hook):
            try:
                return implementation(given)
            except PluginError:
                raise
            except Exception as error:
                raise PluginError(f"plugin {loaded.name}: {hook} failed: {_words(error)}") from error
        return None

    async def startup(self, loaded: Loaded, **given: Any) -> None:
        """Run a plugin's `circus_startup`, sync or async; raises its CircusError, and PluginError for any other.

        Only then it gets events: first those since it was loaded. Nor is it asked anything about processes before.
        """
        loaded.entered = True
        late = "plugin %s: circus_startup has not ended after %g s, and is waited for"
        complaint = asyncio.get_running_loop().call_later(LONG, log.warning, late, loaded.name, LONG)
        try:
            await self.finish(loaded, "circus_startup", **given)
        finally:
            complaint.cancel()
        self.connect(loaded)
        self.announce(PluginStarted(plugin=loaded.name))

    def connect(self, loaded: Loaded) -> None:
        """Have a plugin at work, as if it had started."""
        self._delivery.connect(loaded)

    async def finish(self, loaded: Loaded, hook: str, **given: Any) -> None:
        """Run one hook of one plugin, sync or async; raises its CircusError, and PluginError for any other."""
        for implementation in self._plugins.of(loaded, hook):
            try:
                await implementation.finish(given)
            except CircusError:
                raise
            except Exception as error:
                raise PluginError(f"plugin {loaded.name}: {hook} failed: {_words(error)}") from error

    async def shutdown(self, loaded: Loaded) -> None:
        """End a plugin's callbacks and run its `circus_shutdown`, unless its turn to start up never came; a failure is
        logged and does not keep others from shutting down. Nothing else reaches the plugin from now on."""
        self._delivery.disconnect(loaded)
        under_way = loaded.end_periodic()
        if under_way:
            await asyncio.wait(under_way, timeout=LAST_WORDS)
        if not loaded.entered:
            return
        for implementation in self._plugins.of(loaded, "circus_shutdown"):
            try:
                await implementation.finish({})
            except Exception:
                log.exception("plugin %s: circus_shutdown failed", loaded.name)

    def in_start_order(self) -> list[Loaded]:
        """The plugins in the order of loading, but those whose `circus_startup` is `tryfirst` or `trylast`."""
        last = [each.loaded for each in self._plugins.find("circus_startup") if each.order > 0]
        first = [each.loaded for each in self._plugins.find("circus_startup") if each.order < 0]
        return [*first, *(each for each in self.loaded.values() if each not in (*first, *last)), *last]

    # Events

    @property
    def seq(self) -> int:
        """The number of the latest event."""
        return self._delivery.seq

    def publish(self, happened: Event) -> None:
        """Number an event and hand it to every plugin that wants it, before this returns or in its turn."""
        self._delivery.publish(happened)

    def hand_on(self, happened: Event) -> list[asyncio.Task[None]]:
        """Hand an event that is numbered to every plugin that wants it; answers what async handlers still work on."""
        return self._delivery.hand_on(happened)

    def wanted(self, name: str) -> bool:
        """Whether any plugin has a handler for events of this name."""
        return bool(self._plugins.hearing(name))

    def _failed(self, loaded: Loaded, hook: str, error: Exception, happened: Event | None = None) -> None:
        loaded.failures += 1
        loaded.in_a_row += 1
        loaded.last_error = f"{hook}: {_words(error)}"
        if loaded.in_a_row >= FAILURES_ALLOWED and not loaded.disabled:
            loaded.disabled = True
            self._plugins.changed()
            loaded.end_periodic()
        ending = "; it failed too often and is disabled" if loaded.disabled else ""
        log.error("plugin %s: %s failed%s", loaded.name, hook, ending, exc_info=error)
        if not isinstance(happened, PluginFailed):
            self.announce(PluginFailed(plugin=loaded.name, hook=hook, error=_words(error), disabled=loaded.disabled))

    # Interventions

    def ask(self, hook: str, **given: Any) -> Iterator[tuple[str, Any]]:
        """Every answer to an intervention that is not None, with the plugin's name, in the order of loading."""
        for implementation in self._plugins.find(hook):
            answer = self._answer(implementation, hook, given)
            if answer is not None:
                yield implementation.loaded.name, answer

    def first(self, hook: str, **given: Any) -> tuple[str, Any] | None:
        """The first answer to an intervention, with the plugin's name."""
        return next(self.ask(hook, **given), None)

    def adjust(self, hook: str, key: str, value: Any, **given: Any) -> Any:
        """`value` after every plugin in turn may have answered a changed copy of it; raises the CircusError of one."""
        for implementation in self._plugins.find(hook):
            answer = self._answer(implementation, hook, {key: value, **given}, may_refuse=True)
            value = value if answer is None else answer
        return value

    def _answer(
        self, implementation: Implementation, hook: str, given: dict[str, Any], *, may_refuse: bool = False
    ) -> Any:
        try:
            answer = implementation(given)
            if answer is not None:
                _expect(answer, ANSWERS.get(hook))
        except Exception as error:
            if may_refuse and isinstance(error, CircusError):
                raise
            self._failed(implementation.loaded, hook, error)
            return None
        implementation.loaded.in_a_row = 0
        return answer


def _expect(answer: Any, types: tuple[type, ...] | None) -> None:
    """Raise TypeError for an answer that nobody could make sense of."""
    if types is None or isinstance(answer, types):
        return
    if inspect.iscoroutine(answer):
        answer.close()
    raise TypeError(f"answered a {type(answer).__name__}, not {' or '.join(cls.__name__ for cls in types)}")


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
