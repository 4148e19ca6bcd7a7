"""The queue of operations of one watcher: one at a time, in order; a stop overtakes what only brings processes up."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from attrs import define

from circus_core.errors import CircusError, SupersededError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    Outcomes = Sequence[asyncio.Future[Any]]

log = logging.getLogger("circus.watcher")


@define(eq=False)
class Operation:
    """Something asked of a watcher. `overtaken`: a later stop may end it early or drop it.

    `first` is done when its turn comes, or when it is overtaken before; what it answers is then the whole answer.
    `doomed`: it was overtaken, and fails when what overtook it is done.
    """

    name: str
    run: Callable[[], Coroutine[Any, Any, Any]]
    done: asyncio.Future[Any]
    overtaken: bool
    first: Callable[[], Any] | None = None
    answer: Any = None
    doomed: bool = False


class Queue:
    """Operations waiting and the one that runs. There is no task while there is no operation.

    `latest` is the outcome of what was asked last.
    """

    __slots__ = ("_task", "_waiting", "_watcher", "current", "latest")

    def __init__(self, watcher: str) -> None:
        self._watcher = watcher
        self._waiting: list[Operation] = []
        self._task: asyncio.Task[None] | None = None
        self.current: Operation | None = None
        self.latest: asyncio.Future[Any] | None = None

    def submit(
        self,
        name: str,
        run: Callable[[], Coroutine[Any, Any, Any]],
        *,
        first: Callable[[], Any] | None = None,
        overtaken: bool = True,
        overtakes: bool = False,
        because: CircusError | None = None,
    ) -> asyncio.Future[Any]:
        """Put an operation at the end; with `overtakes`, end and drop those that may be overtaken first.

        The answer is what `run` returns, or if it was overtaken, what `first` returned; without `first` it is a
        SupersededError. Nobody needs to await it: a failure is logged. What runs and is overtaken `because` of an error
        fails with that, once what overtook it is done.
        """
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.latest = done
        done.add_done_callback(self._report)
        if overtakes:
            if because is not None and self.current is not None and self.current.overtaken:
                self._doom(self.current, because, done)
            self._overtake(name)
        self._waiting.append(Operation(name, run, done, overtaken, first))
        if self.current is None:
            self._next()
        return done

    def _doom(self, operation: Operation, error: CircusError, by: asyncio.Future[Any]) -> None:
        operation.doomed = True

        def fail(_by: asyncio.Future[Any]) -> None:
            if not operation.done.done():
                operation.done.set_exception(error)

        by.add_done_callback(fail)

    def _overtake(self, name: str) -> None:
        if self.current is not None and self.current.overtaken and self._task is not None:
            self._give_way(self.current, name)
            self._task.cancel()
        waiting, self._waiting = self._waiting, []
        for operation in waiting:
            if not operation.overtaken:
                self._waiting.append(operation)
            elif self._begin(operation):
                self._give_way(operation, name)

    def _give_way(self, operation: Operation, by: str) -> None:
        if operation.done.done() or operation.doomed:
            return
        if operation.first is not None:
            operation.done.set_result(operation.answer)
        else:
            operation.done.set_exception(SupersededError(f"{operation.name} of {self._watcher} gave way to a {by}"))

    def _begin(self, operation: Operation) -> bool:
        """Do what comes first; False if it failed, and the operation with it."""
        if operation.first is not None:
            try:
                operation.answer = operation.first()
            except Exception as error:
                self._fail(operation, error)
                return False
        return True

    def _fail(self, operation: Operation, error: Exception) -> None:
        if not isinstance(error, CircusError):
            log.error("%s: %s failed unexpectedly", self._watcher, operation.name, exc_info=error)
        if not operation.done.done() and not operation.doomed:
            operation.done.set_exception(error)

    def _next(self) -> None:
        self._task = None
        while self._waiting:
            self.current = self._waiting.pop(0)
            if self._begin(self.current):
                self._task = asyncio.get_running_loop().create_task(self._run(self.current))
                self._task.add_done_callback(lambda _task: self._next())
                return
        self.current = None

    async def _run(self, operation: Operation) -> None:
        try:
            result = await operation.run()
        except asyncio.CancelledError:
            self._give_way(operation, "shutdown")
        except Exception as error:
            self._fail(operation, error)
        else:
            if not operation.done.done() and not operation.doomed:
                operation.done.set_result(result)

    def _report(self, done: asyncio.Future[Any]) -> None:
        """A failure nobody waits for is logged, with the watcher's name; asking for it also marks it as seen."""
        error = None if done.cancelled() else done.exception()
        if isinstance(error, SupersededError):
            log.info("%s", error)
        elif isinstance(error, CircusError):
            named = str(error).startswith((f"{self._watcher} ", f"{self._watcher}/"))
            log.warning("%s%s", "" if named else f"{self._watcher}: ", error)


def results(outcomes: Outcomes) -> list[Any]:
    """What operations that are done came to; raises the error of the one that failed, or one with a line for each."""
    errors = [error for done in outcomes if not done.cancelled() and (error := done.exception()) is not None]
    if len(errors) > 1:
        raise CircusError("\n".join([f"{len(errors)} of {len(outcomes)} failed:", *map(str, errors)]))
    return [done.result() for done in outcomes]
