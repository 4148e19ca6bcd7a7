"""Messages on their way to one recipient: a bounded queue, attempts with growing delays. What is lost is counted."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from circus_notify.channels import DeliveryError

if TYPE_CHECKING:
    import logging

    from circus_notify.channels import Channel
    from circus_notify.notice import Message
    from circus_notify.options import Options

LONGEST_DELAY = 300.0
"""Seconds between two attempts at most."""


class Delivery:
    """The one recipient behind a channel. `start` and `close` frame its life; `sent` and `lost` count."""

    def __init__(self, channel: Channel, options: Options, log: logging.Logger) -> None:
        self.sent = 0
        self.lost = 0
        self._channel = channel
        self._options = options
        self._log = log
        self._queue: deque[Message] = deque()
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._full = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send what is offered."""
        self._task = asyncio.create_task(self._work(), name=f"notify {self._channel.name}")

    def offer(self, message: Message) -> None:
        """Send it in its turn; it is lost if too many wait already."""
        if len(self._queue) >= self._options.queue_size:
            self.lost += 1
            if not self._full:
                self._full = True
                self._log.error("%s: %d notices wait, new ones are lost", self._channel.name, len(self._queue))
            return
        self._queue.append(message)
        self._empty.clear()
        self._news.set()

    async def close(self, patience: float) -> None:
        """End, after at most so many seconds for what still waits; what is left then is lost, and said."""
        if self._task is None:
            return
        waiting = asyncio.ensure_future(self._empty.wait())
        await asyncio.wait([waiting], timeout=patience)
        waiting.cancel()
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None
        for message in self._queue:
            self.lost += 1
            self._log.error("%s: not sent before the end: %s", self._channel.name, message.subject)
        self._log.info("%s: %d notices were sent, %d were lost", self._channel.name, self.sent, self.lost)

    async def _work(self) -> None:
        while True:
            await self._news.wait()
            while self._queue:
                # It stays in the queue until it is sent, so that an end meanwhile counts it as lost.
                if await self._deliver(self._queue[0]):
                    self.sent += 1
                else:
                    self.lost += 1
                self._queue.popleft()
                if self._full:
                    self._full = False
                    self._log.error("%s: there is room again; %d notices were lost", self._channel.name, self.lost)
            self._news.clear()
            self._empty.set()

    async def _deliver(self, message: Message) -> bool:
        """Try until it is sent; answers False if it never will be."""
        delay = self._options.retry_delay
        for attempt in range(self._options.retries + 1):
            try:
                await self._channel.send(message)
            except DeliveryError as error:
                last = attempt == self._options.retries or not error.again
                what = "is lost" if last else "is tried again"
                level = self._log.error if last else self._log.warning
                level("%s: %s; %s: %s", self._channel.name, error, what, message.subject)
                if last:
                    return False
                await asyncio.sleep(delay if error.wait is None else error.wait)
                delay = min(delay * 2, LONGEST_DELAY)
            except Exception:
                # A message that no one foresaw must not keep all others from being sent.
                self._log.exception("%s: is lost: %s", self._channel.name, message.subject)
                return False
            else:
                self._log.info("%s: told: %s", self._channel.name, message.subject)
                return True
        return False
