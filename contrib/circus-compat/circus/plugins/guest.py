"""A plugin of circus-bus that stands for one of Circus: makes it, tells it what happens, and ends it."""

from __future__ import annotations

import inspect
import json
import signal
from typing import TYPE_CHECKING, Any

from circus_core.errors import PluginError, UnknownCommandError
from circus_core.events import SupervisorStarted
from circus_core.plugin import CircusPlugin
from circus_core.wire import to_wire, topic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from circus.plugins.base import CircusPlugin as Foreign
    from circus_core.events import Event

PLUGIN = "plugin:"
"""How the names of watchers begin that run plugins; these start before circusd knows any other."""


class Guest(CircusPlugin):
    """Declares no options, so it is told all that stands in the section, as Circus' plugins are."""

    def __init__(self, factory: type[Foreign]) -> None:
        self._factory = factory
        self._plugin: Foreign | None = None
        self._ending = False
        # What happened before the plugin was told to get ready; None once it was.
        self._early: list[Event] | None = None

    async def circus_startup(self) -> None:
        """Make the plugin as Circus does. It gets ready once circusd knows its watchers, since it may ask for them."""
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
        if await self._is_starting():
            self._early = []
        else:
            self._begin(plugin)

    def circus_event(self, event: Event) -> Any:
        """Hand on the events that Circus has too; the answer is whatever a coroutine still has to do."""
        plugin = self._plugin
        if plugin is None:
            return None
        if self._early is None:
            return _deliver(plugin, event)
        self._early.append(event)
        watcher = getattr(event, "watcher", None) or PLUGIN
        if watcher.startswith(PLUGIN) and event.name != SupervisorStarted.name:
            return None
        early, self._early = self._early, None
        try:
            self._begin(plugin)
        except BaseException:
            # It is not ready and never will be: as in Circus, another process may try.
            self._stop_process()
            raise
        unfinished = [answer for each in early if inspect.isawaitable(answer := _deliver(plugin, each))]
        return _finish(unfinished) if unfinished else None

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

    async def _is_starting(self) -> bool:
        """Whether circusd has not got as far as its watchers; in Circus plugins know no such time."""
        client: Any = self.client
        try:
            answer = await client.call("events", event=SupervisorStarted.name, limit=1)
        except UnknownCommandError:
            return False
        return not answer["events"] and answer["first"] <= 1

    @staticmethod
    def _begin(plugin: Foreign) -> None:
        plugin.initialize()
        plugin.running = True

    def _config(self) -> dict[str, str]:
        section = f"{PLUGIN}{self.name}"
        texts = {key: str(value) for key, value in self.options.items()}
        return {"name": section, "__name__": section, **texts}

    def _stop_process(self) -> None:
        """What a plugin that stops its loop means: its process is to end. circusd starts another, as Circus does."""
        if not self._ending:
            signal.raise_signal(signal.SIGTERM)


def _deliver(plugin: Foreign, event: Event) -> Any:
    if not plugin.running or not event.action:
        return None
    return plugin.substream.deliver([topic(event).encode(), json.dumps(to_wire(event)).encode()])


async def _finish(unfinished: Iterable[Awaitable[Any]]) -> None:
    for each in unfinished:
        await each
