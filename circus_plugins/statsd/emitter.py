"""The plugin `statsd`: counts what happens, one counter per watcher and event. It measures and decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_core.wire import topic_name
from circus_plugins.statsd.sending import StatsdPlugin

if TYPE_CHECKING:
    from circus_core.events import Event

SUPERVISOR = "_circusd"
"""The group of events that are about no watcher; Circus has none."""


class StatsdEmitter(StatsdPlugin):
    """Counts each event at a statsd server."""

    name = "statsd"

    def circus_event(self, event: Event) -> None:
        """Count it, by the name that Circus has for it if it has one."""
        watcher = getattr(event, "watcher", None)
        if isinstance(watcher, str):
            self.count(event.action or event.name, plain=topic_name(watcher), watcher=watcher)
        else:
            self.count(event.name, group=SUPERVISOR)
