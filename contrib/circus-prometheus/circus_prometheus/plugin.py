"""The plugin itself: counts what happens, and answers whoever scrapes; it samples nothing while nobody does."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, ClassVar

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from circus_core.errors import PluginError
from circus_core.plugin import CircusPlugin
from circus_prometheus import sample
from circus_prometheus.counts import Counts
from circus_prometheus.exposition import Exposition
from circus_prometheus.options import Options as Declared

if TYPE_CHECKING:
    from circus_core.events import Event
    from circus_prometheus.sample import Value

LAST_WORDS = 2.0
"""Seconds at the end for answers that are under way."""


class Prometheus(CircusPlugin):
    """Serves metrics of watchers and processes at /metrics."""

    name = "prometheus"
    Options: ClassVar[type | None] = Declared
    options: Declared

    url = ""
    _runner: web.AppRunner | None = None
    _sampling: asyncio.Task[list[Value]] | None = None

    def __init__(self) -> None:
        self._counts = Counts()

    async def circus_startup(self) -> None:
        """Listen; raises PluginError if that is not possible."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/", self._index)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=LAST_WORDS)
        await self._runner.setup()
        try:
            self.url = await self._listen(self._runner)
        except OSError as error:
            where = self.options.socket or f"{self.options.address}:{self.options.port}"
            raise PluginError(
                f"plugin {self.name}: cannot listen at {where}: {error.strerror or error}",
                hint="is something else there? port, address and socket choose another place",
            ) from error
        self.log.info("metrics at %s", self.url)

    async def circus_shutdown(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            if self.options.socket:
                with suppress(FileNotFoundError):
                    os.unlink(self.options.socket)

    def circus_event(self, event: Event) -> None:
        """Count it."""
        self._counts.take(event)

    async def _listen(self, runner: web.AppRunner) -> str:
        options = self.options
        if options.socket:
            await web.UnixSite(runner, options.socket).start()
            os.chmod(options.socket, options.socket_mode)
            return f"unix:{options.socket}"
        if not ip_address(options.address).is_loopback:
            self.log.warning("anybody who reaches %s can read the metrics", options.address)
        await web.TCPSite(runner, options.address, options.port).start()
        host, port = runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        if self._sampling is None:
            self._sampling = asyncio.create_task(self._sample())
            self._sampling.add_done_callback(self._sampled)
        # Whoever scrapes at the same time gets the same; one that goes away leaves it to the others.
        values = await asyncio.shield(self._sampling)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Exposition([*values, *self._counts]))
        # To compress an answer takes a thread, and whoever scrapes is near.
        return await make_aiohttp_handler(registry, disable_compression=True)(request)

    async def _index(self, _request: web.Request) -> web.Response:
        return web.Response(text="circus-prometheus: metrics are at /metrics\n")

    async def _sample(self) -> list[Value]:
        # What is counted while circusd answers may be of a watcher that the answer does not know yet.
        counted = self._counts.watchers
        values, watchers = await sample.take(self.client, self.log, each_process=self.options.processes)
        if watchers is not None:
            self._counts.drop(counted - watchers)
        return values

    def _sampled(self, _task: asyncio.Task[list[Value]]) -> None:
        self._sampling = None
