"""One watcher's hooks: their functions are called and measured, and what came of it is published. It decides nothing.

A hook runs inside circusd's loop, which waits for it, as in Circus. One that takes long is named in the log.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any

from attrs import evolve

from circus_core.model import Refuse, RetryLater
from circus_plugins.hooks import HookFailed, HookSucceeded
from circus_plugins.hooks.given import Arbiter, WatcherOfHook
from circus_plugins.hooks.loading import AWAITED, Function

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from circus_core.plugin import CircusPlugin
    from circus_core.supervisor import Supervisor
    from circus_core.watcher import Watcher

SLOW = 0.1
"""Seconds of a hook during which nobody notices that circusd does nothing else."""
PATIENCE = 5.0
"""Seconds that coroutines of hooks have to come to their ends when circusd ends."""

Objection = Refuse | RetryLater | None


class Background:
    """The coroutines of hooks that nobody waits for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Any) -> None:
        """Run it beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Wait for them, though not for ever."""
        if self._tasks:
            _done, late = await asyncio.wait(self._tasks, timeout=PATIENCE)
            for task in late:
                task.cancel()


class Hooked:
    """A watcher with hooks: `functions` by the hook's name, and what they are given."""

    def __init__(self, watcher: Watcher, supervisor: Supervisor, plugin: CircusPlugin, background: Background) -> None:
        self.watcher = watcher
        self.functions: Mapping[str, Function] = {}
        self.given = WatcherOfHook(watcher, supervisor)
        self._arbiter = Arbiter(supervisor)
        self._plugin = plugin
        self._background = background

    def ask(self, hook: str, *, late: Callable[[Objection], None] | None = None, **given: Any) -> Objection:
        """What the hook has against what happens: nothing if its answer is true, or if there is none.

        For a coroutine there is no answer yet; what it has to object is told to `late`.
        """
        function = self.functions.get(hook)
        if function is None:
            return None
        objection, pending = self._call(function, given)
        if pending is not None:
            self._background.run(self._finish(function, pending, late))
        return objection

    def prepare(self, hook: str) -> Awaitable[None] | None:
        """Call a hook whose answer means nothing; what is to be awaited, if it is a coroutine."""
        function = self.functions.get(hook)
        if function is None:
            return None
        _objection, pending = self._call(function, {})
        return None if pending is None else self._finish(function, pending, None)

    def fill(self, hook: str, **given: Any) -> str | None:
        """Call a hook that changes what it is given, and answer what went wrong. No event tells of it, as in Circus."""
        function = self.functions.get(hook)
        if function is None:
            return None
        try:
            self._invoke(function, given)
        except (Exception, SystemExit) as error:
            self._plugin.log.error("%s: %s failed", self.given.name, function, exc_info=error)
            return f"{function} raised {type(error).__name__}: {error}"
        return None

    def _call(self, function: Function, given: Mapping[str, Any]) -> tuple[Objection, Awaitable[Any] | None]:
        began = time.monotonic()
        try:
            answer = self._invoke(function, given)
        except (Exception, SystemExit) as error:
            return self._failed(function, began, error), None
        if inspect.isawaitable(answer):
            return None, answer
        return self._answered(function, began, answer), None

    def _invoke(self, function: Function, given: Mapping[str, Any]) -> Any:
        began = time.monotonic()
        try:
            answer = function.call(watcher=self.given, arbiter=self._arbiter, hook_name=function.hook, **given)
        finally:
            took = time.monotonic() - began
            if took > SLOW:
                self._plugin.log.warning(
                    "%s: %s took %.1f s, during which circusd did nothing else", self.given.name, function, took
                )
        if inspect.isawaitable(answer) and function.hook not in AWAITED:
            if inspect.iscoroutine(answer):
                answer.close()
            raise TypeError("it answered a coroutine, and circusd needs its answer at once")
        return answer

    async def _finish(
        self, function: Function, pending: Awaitable[Any], late: Callable[[Objection], None] | None
    ) -> None:
        began = time.monotonic()
        try:
            objection = self._answered(function, began, await pending)
        except asyncio.CancelledError:
            self._failed(function, began, TimeoutError("it took too long, and was ended"))
            raise
        except (Exception, SystemExit) as error:
            objection = self._failed(function, began, error)
        if late is not None and objection is not None:
            late(objection)

    def _answered(self, function: Function, began: float, answer: object) -> Objection:
        self._plugin.publish(
            HookSucceeded(watcher=self.given.name, hook=function.hook, seconds=time.monotonic() - began)
        )
        match answer:
            case Refuse():
                return answer if answer.reason else Refuse(f"{function} refused it")
            case RetryLater() if function.hook == "before_spawn":
                return answer if answer.reason else evolve(answer, reason=f"{function} asks to wait")
            case RetryLater():
                return Refuse(f"{function} answered RetryLater, which only before_spawn may")
        return None if answer else Refuse(f"{function} answered {answer!r}")

    def _failed(self, function: Function, began: float, error: BaseException) -> Objection:
        self._plugin.log.error("%s: %s failed", self.given.name, function, exc_info=error)
        self._plugin.publish(
            HookFailed(
                watcher=self.given.name, hook=function.hook, error=str(error), seconds=time.monotonic() - began
            )
        )  # fmt: skip
        # A signal is sent all the same, since that is how processes are stopped.
        lenient = function.lenient or function.hook == "before_signal"
        return None if lenient else Refuse(f"{function} raised {type(error).__name__}: {error}")
