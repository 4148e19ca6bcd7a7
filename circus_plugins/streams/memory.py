"""A sink that keeps output in memory, for the program that circusd is embedded in."""

from __future__ import annotations

import errno
import queue
from typing import Any, ClassVar

from attrs import frozen

from circus_core.kinds import INTEGER
from circus_core.options import option
from circus_plugins.streams.sink import Sink, Source


@frozen(kw_only=True)
class QueueOptions:
    """The options of QueueStream."""

    max_items: int = option(INTEGER, 10_000, minimum=1, help="So many are kept; what comes then is lost.")


class QueueStream(Sink):
    """Puts what Circus' streams are called with, `{"data": bytes, "pid": int, "name": "stdout"}`, into `queue`."""

    Options: ClassVar[type] = QueueOptions

    def __init__(self, options: QueueOptions) -> None:
        super().__init__(options)
        self.queue: queue.Queue[dict[str, Any]] = queue.Queue(options.max_items)

    def write(self, data: memoryview, source: Source) -> int:
        """Keep it, or lose it if nobody takes any."""
        if self.queue.full():
            raise OSError(errno.ENOBUFS, "nobody takes what is in the queue")
        self.queue.put_nowait({"data": bytes(data), "pid": source.pid, "name": source.channel})
        return len(data)
