"""One host process from its orders to its end: plugins on a bus of their own, and circusd's events handed to it."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import time
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from circus_core.bus import Bus
from circus_core.errors import CircusError, ConfigError
from circus_core.events import EventsLost
from circus_core.finding import find, instance, plugin_options, refuse_no_plugin
from circus_core.implementing import refuse_outside
from circus_core.plugin import CircusPlugin
from circus_plugins.client import AsyncClient
from circus_plugins.host.decoding import typed
from circus_plugins.host.reporter import Reporter
from circus_plugins.host.shared import SharedMemory
from circus_plugins.host.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from circus_core.events import Event
    from circus_plugins.host.orders import Orders, PluginOrders

log = logging.getLogger("circus.plugin.host")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
LAST_WORDS = 2.0
"""Seconds that handlers have, when the process is told to end, for the event they work on and those still to come."""

FLOOD = 1000
"""Commands within a second that are too many to be meant."""


class HostClient:
    """A plugin's client in a process of its own. It also knows where circusd is, as Circus' plugins want to.

    `flooded` is called when a plugin begins to give more commands than make sense; they are given all the same.
    """

    def __init__(self, client: AsyncClient, orders: Orders, flooded: Callable[[], None]) -> None:
        self._client = client
        self._flooded = flooded
        # How many within the second that began then, and whether the one before had too many.
        self._given, self._since, self._flooding = 0, 0.0, False
        self.endpoint = orders.endpoint
        self.pubsub_endpoint = orders.pubsub_endpoint
        self.check_delay = orders.check_delay
        self.ssh_server = orders.ssh
        self.key = orders.keys

    async def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """As `circus_core.plugin.Client.call`."""
        self._count()
        return await self._client.call(command, **properties)

    def cast(self, command: str, **properties: Any) -> None:
        """As `circus_core.plugin.Client.cast`."""
        self._count()
        try:
            self._client.cast(command, **properties)
        except CircusError as error:
            log.error("%s was not sent: %s", command, error)

    def _count(self) -> None:
        now = time.monotonic()
        if now - self._since >= 1:
            self._flooding = self._given >= FLOOD
            self._given, self._since = 0, now
        self._given += 1
        if self._given == FLOOD and not self._flooding:
            self._flooded()


class Running:
    """What runs in one process. `end` may be called at any time."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._client = AsyncClient(orders.endpoint, key=orders.keys, ssh=orders.ssh)
        self._reporter = Reporter(self._client, orders.token)
        self._bus = self._reporter.bus = Bus(announce=self._reporter.announce, patience=math.inf)
        self._ending = asyncio.Event()
        self._queue: deque[dict[str, Any]] = deque()
        since = None if orders.cursor is None else max(orders.cursor.begun, orders.cursor.handled)
        self._stream = Stream(self._client, orders.pubsub_endpoint, since)

    async def run(self) -> int:
        """Load, start, deliver until told to end, shut down; answers the exit status, raises CircusError."""
        loop = asyncio.get_running_loop()
        for signum in SIGNALS:
            loop.add_signal_handler(signum, self.end)
        watch = self._watch_parent()
        try:
            await self._until_ended(self._start(), patience=0.0)
            if not self._ending.is_set() and await self._until_ended(self._deliver(), patience=LAST_WORDS):
                await self._finish()
        finally:
            for loaded in reversed(tuple(self._bus.loaded.values())):
                await self._bus.shutdown(loaded)
            if watch >= 0:
                loop.remove_reader(watch)
                os.close(watch)
            self._client.close()
        return 0

    def end(self) -> None:
        """End soon, in good order."""
        self._ending.set()

    def _watch_parent(self) -> int:
        """End when circusd has ended, however it did: whatever follows it has plugins of its own."""
        parent = self._orders.parent
        if not parent:
            return -1
        fd = os.pidfd_open(os.getppid())
        if os.getppid() != parent:
            self.end()
        asyncio.get_running_loop().add_reader(fd, self.end)
        return fd

    async def _until_ended(self, work: Coroutine[Any, Any, None], patience: float) -> bool:
        """Do it until it is done; once told to end, for so many more seconds. Answers whether it was done."""
        working = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(self._ending.wait())
        await asyncio.wait([working, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not working.done():
            self._stream.close()
            await asyncio.wait([working], timeout=patience)
        if working.cancel():
            await asyncio.wait([working])
            return False
        working.result()
        return True

    # Starting

    async def _start(self) -> None:
        at_fault = ""
        try:
            for each in self._orders.plugins:
                at_fault = each.name
                self._load(each)
            await self._stream.open()
            for loaded in tuple(self._bus.loaded.values()):
                at_fault = loaded.name
                await self._bus.startup(loaded)
        except CircusError as error:
            self._reporter.trouble[at_fault] = str(error)
            with suppress(CircusError):
                await self._reporter.tell()
            raise

    def _load(self, each: PluginOrders) -> None:
        plugin = instance(each.use, find(each.use))
        loaded = self._bus.load(each.name, plugin, use=each.use)
        refuse_no_plugin(each.use, plugin, loaded.hooks)
        refuse_outside(each.name, plugin, loaded.hooks)
        options, problems = plugin_options(each.name, plugin, each.settings)
        if options is None:
            raise ConfigError(problems)
        if each.memory is not None:
            loaded.memory = SharedMemory(each.memory)
        if isinstance(plugin, CircusPlugin):
            client = HostClient(self._client, self._orders, partial(self._reporter.flooded, loaded))
            plugin.equip(each.name, client, options, loaded)

    # Delivering

    async def _deliver(self) -> None:
        # From here on an order to end leaves time for what has happened: circusd may give it before this is answered.
        await self._reporter.tell(ready=True)
        cursor = self._orders.cursor
        if cursor is not None and cursor.begun > cursor.handled:
            # Its handler may have done its work, half of it, or none: whoever keeps count has to know.
            log.error("the process before this one ended while event %d was being handled", cursor.begun)
            seq = cursor.begun
            await self._hand_on(
                typed({"event": EventsLost.name, "seq": seq, "at": time.time(), "first": seq, "last": seq})
            )
        while batch := await self._stream.batch():
            self._queue.extend(batch)
            await self._work_off(self._ending.is_set)
            # Commands' answers and signals have their turn, however many events there are.
            await asyncio.sleep(0)

    async def _finish(self) -> None:
        """Hand on what has happened up to the end, as far as there is time."""
        self._queue.extend(await self._stream.rest())
        deadline = time.monotonic() + LAST_WORDS
        await self._work_off(lambda: time.monotonic() > deadline)

    async def _work_off(self, enough: Callable[[], bool]) -> None:
        """Hand on what is in the queue, as long as it is not enough."""
        seq = 0
        while self._queue and not enough():
            wire = self._queue.popleft()
            seq = wire["seq"]
            if self._bus.wanted(wire["event"]):
                await self._hand_on(typed(wire))
        if self._orders.cursor is not None and seq:
            self._orders.cursor.handled = self._orders.cursor.begun = seq

    async def _hand_on(self, happened: Event) -> None:
        cursor = self._orders.cursor
        if cursor is not None:
            cursor.begun = happened.seq
        unfinished = self._bus.hand_on(happened)
        if unfinished:
            await asyncio.wait(unfinished)
        if cursor is not None:
            cursor.handled = happened.seq
