"""The queue of operations of one watcher: one at a time, in order; a stop overtakes what only brings processes up."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from attrs import define

from circus_core.errors import CircusError, SupersededError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

log = logging.getLogger("circus.watcher")


@define(eq=False)
class Operation:
    """Something asked of a watcher. `overtaken`: a later stop may end it early or drop it."""

    name: str
    run: Callable[[], Coroutine[Any, Any, Any]]
    done: asyncio.Future[Any]
    overtaken: bool


class Queue:
    """Operations waiting and the one that runs. There is no task while there is no operation."""

    __slots__ = ("_task", "_waiting", "_watcher", "current")

    def __init__(self, watcher: str) -> None:
        self._watcher = watcher
        self._waiting: list[Operation] = []
        self._task: asyncio.Task[None] | None = None
        self.current: Operation | None = None

    def submit(
        self, name: str, run: Callable[[], Coroutine[Any, Any, Any]], *, overtaken: bool = True, overtakes: bool = False
    ) -> asyncio.Future[Any]:
        """Put an operation at the end; with `overtakes`, end and drop those that may be overtaken first.

        The answer is what `run` returns, or a SupersededError. Nobody needs to await it: a failure is logged.
        """
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        done.add_done_callback(self._report)
        if overtakes:
            self._overtake(name)
        self._waiting.append(Operation(name, run, done, overtaken))
        if self._task is None:
            self._next()
        return done

    def _overtake(self, name: str) -> None:
        kept: list[Operation] = []
        for operation in self._waiting:
            if operation.overtaken:
                self._fail(operation, name)
            else:
                kept.append(operation)
        self._waiting = kept
        if self.current is not None and self.current.overtaken and self._task is not None:
            self._fail(self.current, name)
            self._task.cancel()

    def _fail(self, operation: Operation, by: str) -> None:
        if not operation.done.done():
            operation.done.set_exception(SupersededError(f"{operation.name} of {self._watcher} gave way to a {by}"))

    def _next(self) -> None:
        self._task = None
        self.current = self._waiting.pop(0) if self._waiting else None
        if self.current is not None:
            self._task = asyncio.get_running_loop().create_task(self._run(self.current))
            self._task.add_done_callback(lambda _task: self._next())

    async def _run(self, operation: Operation) -> None:
        try:
            result = await operation.run()
        except asyncio.CancelledError:
            self._fail(operation, "shutdown")
        except Exception as error:
            if not isinstance(error, CircusError):
                log.exception("%s: %s failed unexpectedly", self._watcher, operation.name)
            if not operation.done.done():
                operation.done.set_exception(error)
        else:
            if not operation.done.done():
                operation.done.set_result(result)

    def _report(self, done: asyncio.Future[Any]) -> None:
        """A failure nobody waits for is logged; asking for it also marks it as seen."""
        error = None if done.cancelled() else done.exception()
        if isinstance(error, SupersededError):
            log.info("%s", error)
        elif isinstance(error, CircusError):
            log.warning("%s: %s", self._watcher, error)
