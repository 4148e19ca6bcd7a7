"""A plugin of circus-bus that stands for one of Circus: makes it, tells it what happens, and ends it."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

from circus_core.errors import PluginError
from circus_core.plugin import CircusPlugin
from circus_core.wire import to_wire, topic

if TYPE_CHECKING:
    from circus.plugins.base import CircusPlugin as Foreign
    from circus_core.events import Event


class Guest(CircusPlugin):
    """Declares no options, so it is told all that stands in the section, as Circus' plugins are."""

    def __init__(self, factory: type[Foreign]) -> None:
        self._factory = factory
        self._plugin: Foreign | None = None
        self._ending = False

    async def circus_startup(self) -> None:
        """Make the plugin as Circus does, and have it get ready."""
        client: Any = self.client
        if not hasattr(client, "endpoint"):
            raise PluginError(
                f"plugin {self.name}: written for Circus, it waits for circusd's answers, inside circusd for ever",
                hint="remove `host = core`: it gets a process of its own",
            )
        pubsub = client.pubsub_endpoint
        if not pubsub:
            told = await client.call("globaloptions", option="pubsub_endpoint")
            pubsub = told["options"]["pubsub_endpoint"]
        plugin = self._plugin = self._factory(
            client.endpoint, pubsub, client.check_delay, client.ssh_server, **self._config()
        )
        plugin.key = client.key
        plugin.loop.stop = self._stop_process  # type: ignore[method-assign]
        plugin.initialize()
        plugin.running = True

    def circus_event(self, event: Event) -> Any:
        """Hand on the events that Circus has too; the answer is whatever a coroutine still has to do."""
        plugin = self._plugin
        if plugin is None or not plugin.running or not event.action:
            return None
        return plugin.substream.deliver([topic(event).encode(), json.dumps(to_wire(event)).encode()])

    def circus_shutdown(self) -> None:
        """End the plugin, unless it did so itself."""
        plugin, self._plugin = self._plugin, None
        if plugin is None:
            return
        self._ending = True
        try:
            if plugin.running:
                plugin.stop()
        finally:
            plugin.close()

    def _config(self) -> dict[str, str]:
        section = f"plugin:{self.name}"
        texts = {key: str(value) for key, value in self.options.items()}
        return {"name": section, "__name__": section, **texts}

    def _stop_process(self) -> None:
        """What a plugin that stops its loop means: its process is to end. circusd starts another, as Circus does."""
        if not self._ending:
            signal.raise_signal(signal.SIGTERM)
