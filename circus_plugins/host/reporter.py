"""Tells circusd how the plugins of this process fare; where circusd did not start it, there is nobody to tell."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError
from circus_core.events import PluginFailed, PluginStarted

if TYPE_CHECKING:
    from circus_core.bus import Bus
    from circus_core.events import Event
    from circus_core.loaded import Loaded
    from circus_plugins.client import AsyncClient

log = logging.getLogger("circus.plugin.host")


class Reporter:
    """Gathers what the bus announces, and sends it in one report however much it is."""

    def __init__(self, client: AsyncClient, token: str) -> None:
        self.bus: Bus | None = None
        self.trouble: dict[str, str] = {}
        self._client = client
        self._token = token
        self._failed: list[dict[str, Any]] = []
        self._published: list[dict[str, Any]] = []
        self._due: asyncio.Handle | None = None

    def announce(self, happened: Event) -> None:
        """Take what the bus has to say; it is sent once the loop gets its turn."""
        if not self._token:
            if not isinstance(happened, PluginStarted | PluginFailed):
                log.warning("%s is not published: only plugins that circusd started can do that", happened)
            return
        if isinstance(happened, PluginFailed):
            self._failed.append(happened.fields())
        elif not isinstance(happened, PluginStarted):
            self._published.append({"event": happened.name, **happened.fields()})
        self._report_soon()

    def flooded(self, loaded: Loaded) -> None:
        """A plugin gives circusd too many commands."""
        loaded.last_error = "it gave circusd too many commands within a second"
        log.warning("plugin %s: %s; they have their turn, between those of others", loaded.name, loaded.last_error)
        if self._token:
            self._report_soon()

    def _report_soon(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_soon(self._send)

    async def tell(self, *, ready: bool = False) -> None:
        """Report, and wait for circusd to have it."""
        if self._token:
            await self._client.call("plugin_report", **self._report(), ready=ready)

    def _send(self) -> None:
        self._due = None
        try:
            self._client.cast("plugin_report", **self._report())
        except CircusError as error:
            log.warning("circusd cannot be told how its plugins fare: %s", error)

    def _report(self) -> dict[str, Any]:
        failed, self._failed = self._failed, []
        published, self._published = self._published, []
        plugins: dict[str, dict[str, Any]] = {name: {"last_error": text} for name, text in self.trouble.items()}
        for loaded in self.bus.loaded.values() if self.bus is not None else ():
            plugins.setdefault(loaded.name, {}).update(
                pid=os.getpid(), started=loaded.started, failures=loaded.failures, disabled=loaded.disabled
            )
            if loaded.last_error:
                plugins[loaded.name]["last_error"] = loaded.last_error
        return {"token": self._token, "plugins": plugins, "failed": failed, "published": published}
