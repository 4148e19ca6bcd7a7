"""What this plugin tells of: watchers that sleep and that are woken."""

from __future__ import annotations

from circus_core.events import Event, event


@event
class WatcherSlept(Event):
    """A watcher with `on_demand` waits, without processes, until something comes to one of its sockets."""

    watcher: str
    addresses: tuple[str, ...]


@event
class WatcherWoken(Event):
    """Something came to `address`, which is a socket of a watcher that slept: it starts."""

    watcher: str
    address: str
