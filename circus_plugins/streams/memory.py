"""A sink that keeps output in memory, for the program that circusd is embedded in."""

from __future__ import annotations

import asyncio
import errno
import queue
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from circus_core.kinds import INTEGER
from circus_core.options import option
from circus_plugins.streams.sink import Sink, Source

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@frozen(kw_only=True)
class QueueOptions:
    """The options of QueueStream."""

    max_items: int = option(INTEGER, 10_000, minimum=1, help="So many are kept; what comes then is lost.")


class QueueStream(Sink):
    """Puts what Circus' streams are called with, `{"data": bytes, "pid": int, "name": "stdout"}`, into `queue`.

    Each channel of a watcher has a queue, for all its processes. Read it by `queue.get_nowait()`, or in the loop by
    `async for`, which ends when the watcher is removed, its output goes elsewhere, or the supervisor has stopped.
    """

    Options: ClassVar[type] = QueueOptions
    own: ClassVar[bool] = True

    def __init__(self, options: QueueOptions) -> None:
        super().__init__(options)
        self.queue: queue.Queue[dict[str, Any]] = queue.Queue(options.max_items)
        self._changed = asyncio.Event()
        self._closed = False

    def write(self, data: memoryview, source: Source) -> int:
        """Keep it, or lose it if nobody takes any."""
        if self.queue.full():
            raise OSError(errno.ENOBUFS, "nobody takes what is in the queue")
        self.queue.put_nowait({"data": bytes(data), "pid": source.pid, "name": source.channel})
        self._changed.set()
        return len(data)

    def close(self) -> None:
        """Nothing more comes; what is there can be read on."""
        self._closed = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            while not self.queue.empty():
                yield self.queue.get_nowait()
            if self._closed:
                return
            self._changed.clear()
            await self._changed.wait()
