"""A callback at regular times, on the loop that runs; there is no timer while nobody asked for one."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Callback = Callable[[], Awaitable[object] | object]


class Periodic:
    """Calls back every `seconds`, the first time after so many. A turn that is still being worked on is left out.

    `failed` is told what the callback raised; the next turn comes all the same.
    """

    __slots__ = ("_callback", "_failed", "_handle", "_loop", "_task", "seconds")

    def __init__(self, seconds: float, callback: Callback, failed: Callable[[Exception], None]) -> None:
        if not seconds > 0:
            raise ValueError(f"every {seconds!r} seconds is impossible")
        self.seconds = seconds
        self._callback = callback
        self._failed = failed
        self._task: asyncio.Task[object] | None = None
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = self._loop.call_later(seconds, self._turn)

    def cancel(self) -> asyncio.Task[object] | None:
        """Never call back again; an async callback that is under way is cancelled, and answered."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._task is not None and self._task is not asyncio.current_task() and self._task.cancel():
            return self._task
        return None

    def _turn(self) -> None:
        if self._handle is None:
            return
        # From the time it was due, so that turns do not drift; those that were missed are not made up for.
        due, now = self._handle.when() + self.seconds, self._loop.time()
        self._handle = self._loop.call_at(due if due > now else now + self.seconds, self._turn)
        if self._task is not None and not self._task.done():
            return
        try:
            answer = self._callback()
            if inspect.iscoroutine(answer):
                self._task = self._loop.create_task(answer)
                self._task.add_done_callback(self._done)
        except Exception as error:
            self._failed(error)

    def _done(self, task: asyncio.Task[object]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._failed(error)
