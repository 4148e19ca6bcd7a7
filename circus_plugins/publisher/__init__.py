"""The plugin `publisher`: tells every event to whoever subscribed, and the latest ones again to whoever missed some.

Two frames per event, topic and JSON (PROTOCOL.md 2), with `seq`, `at`, `host` and `run` beside Circus' keys. Nothing is
encoded while nobody listens.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import TYPE_CHECKING, Any

import zmq

from circus_core.errors import CircusError
from circus_core.kinds import INTEGER
from circus_core.options import Effect
from circus_core.plugin import CircusPlugin, hookspec
from circus_core.requests import Argument, Command, Role
from circus_core.wire import to_wire, topic
from circus_plugins.doors.address import EVENTS
from circus_plugins.doors.entrance import Entrance
from circus_plugins.doors.terms import ENDPOINT, mistakes
from circus_plugins.publisher.outlet import SOCKOPTS, Outlet
from circus_plugins.publisher.ring import Ring

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from circus_core.events import Event
    from circus_core.model import Config
    from circus_core.plugin import Registry
    from circus_core.requests import Reply, Request
    from circus_core.structure import Problem
    from circus_plugins.doors.entrance import Wanted
    from circus_plugins.doors.house import House

KEPT = 10_000
"""Events kept for replay, unless `events_kept` says otherwise."""
PAGE = 250
"""The most events in one reply: encoding them keeps circusd busy for a millisecond or two."""
SYNC_TIME = 2.0
"""Seconds that a subscription has to arrive which a request names."""

encode = json.JSONEncoder(default=str, check_circular=False).encode


class Topics:
    """What the publisher asks other plugins inside circusd."""

    @hookspec
    def circus_serve_topics(self, topics: frozenset[str], publish: Callable[[str, Mapping[str, object]], None]) -> None:
        """When somebody subscribes to topics that no event has, or has gone again: serve those that begin with these.

        Called by the plugin `publisher` with all such beginnings. Send to them by `publish(topic, message)`; the
        message travels as JSON, and each of the plugin's topics should begin with a word of its own and a dot.
        Nothing is sent while nobody listens, and nothing is kept for who misses it.
        """


class Publisher(CircusPlugin):
    """Opens the event endpoint of `[circus]` and answers the command `events`."""

    name = "publisher"

    def __init__(self) -> None:
        self.ring = Ring(KEPT)
        self._supervisor: Any = None
        self._entrance: Entrance[Outlet] | None = None
        self._extra: dict[str, object] = {"host": "", "run": f"{os.urandom(8).hex()}"}

    def circus_add_hookspecs(self) -> type:
        """The hook of those who have more to publish than events."""
        return Topics

    def circus_register_options(self, registry: Registry) -> None:
        """Where events go, and how many are kept."""
        registry.option(
            "circus", "pubsub_endpoint", ENDPOINT,
            help="Where events are published: ipc:///PATH or tcp://HOST:PORT. Unset, a socket only this user can use.",
        )  # fmt: skip
        registry.option(
            "circus", "events_kept", INTEGER, KEPT, minimum=1, effect=Effect.NOW,
            help="How many of the latest events circusd keeps for those who missed some.",
        )  # fmt: skip

    def circus_register_commands(self, registry: Registry) -> None:
        """`events`."""
        registry.command(
            Command(
                "events", Role.VIEW, "Show the latest events, or those after a given one.",
                Argument("since", "integer", "Only events after this seq, oldest first; without it, the newest."),
                Argument("until", "integer", "Only events up to this seq."),
                Argument("watcher", "text", "Only events of this watcher."),
                Argument("event", "text", "Only events of this name, such as process_exited, or of Circus' name."),
                Argument("limit", "integer", f"At most so many, and never more than {PAGE}.", default=PAGE),
                Argument("sync", "text", "Answer once a subscription to the topic `sync.TEXT` counts."),
                help="Followers subscribe first and then ask for what came before; `seq` tells what they have already.",
                replies={
                    "events": "the events, oldest first",
                    "first": "seq of the oldest event that is kept",
                    "last": "seq of the newest event",
                    "next": "seq to ask on from",
                    "lost": "`first` and `last` seq of events wanted and no longer kept, or null",
                    "run": "another value after each start of circusd, when seq begins at 1 again",
                },
                example="circusctl events --since 1200 --watcher web",
            ),
            self._events,
        )  # fmt: skip

    def circus_check_config(self, config: Config) -> list[Problem]:
        """Whether the endpoint could be opened."""
        return list(mistakes(config, "pubsub_endpoint", other="endpoint"))

    async def circus_startup(self, supervisor: Any) -> None:
        """Open the event endpoint before the first watcher starts."""
        self._supervisor = supervisor
        options = supervisor.config.supervisor
        prefix = f"{options.fqdn_prefix}@" if options.fqdn_prefix else ""
        self._extra["host"] = prefix + socket.gethostname()
        self._size(supervisor.config)
        self._entrance = Entrance(supervisor, "pubsub_endpoint", self._open)
        await self._entrance.open()

    async def circus_shutdown(self) -> None:
        """Let the final events out, and close."""
        if self._entrance is not None:
            await self._entrance.close()
            self._entrance = None

    async def circus_follow_config(self, config: Config) -> None:
        """Keep as many events as it says now, and open a changed endpoint."""
        if self._entrance is not None:
            self._size(config)
            await self._entrance.follow()

    async def circus_supervisor_reloaded(self, event: Event) -> None:
        """Publish at the new endpoint from now on, and close the former one."""
        if self._entrance is not None:
            await self._entrance.settle()

    def circus_event(self, event: Event) -> None:
        """Keep each event, and publish it if anybody listens."""
        self.ring.append(event)
        outlet = self._outlet
        if outlet is not None and outlet.wanted():
            outlet.send(topic(event).encode(), encode({**to_wire(event), **self._extra}).encode())

    def _message(self, topic: str, message: Mapping[str, object]) -> None:
        outlet = self._outlet
        if outlet is not None and outlet.served and outlet.wanted():
            outlet.send(topic.encode(), encode(message).encode())

    def _subscribed(self, topics: frozenset[str]) -> None:
        # Whoever answers is not asked anything, but the bus calls as its answers are taken.
        for _ in self._supervisor.bus.ask("circus_serve_topics", topics=topics, publish=self._message):
            pass

    def _size(self, config: Config) -> None:
        kept: Any = config.supervisor.extra.get("events_kept", KEPT)
        self.ring.resize(kept)

    @property
    def _outlet(self) -> Outlet | None:
        return self._entrance.served if self._entrance is not None else None

    async def _open(self, house: House, wanted: Wanted) -> Outlet:
        door = await house.open(
            zmq.XPUB,
            "pubsub_endpoint",
            wanted.endpoint,
            default=EVENTS,
            keys_dir=wanted.keys_dir,
            owner=wanted.owner if wanted.endpoint else None,
            sockopts={zmq.SNDHWM: KEPT, **SOCKOPTS},
        )
        self.log.info("event endpoint %s%s", door.text, " (keys needed)" if door.keyring else "")
        return Outlet(door, self.log, self._subscribed)

    def _events(self, supervisor: Any, request: Request) -> Any:
        sync = request.arguments.get("sync")
        if sync is None or self._outlet is None:
            return self._reply(request)
        waiter = self._outlet.synced(sync)
        if waiter.done() and not waiter.cancelled():
            return self._reply(request)
        return self._wait_for(waiter, request)

    async def _wait_for(self, waiter: asyncio.Future[None], request: Request) -> Reply:
        done, _ = await asyncio.wait([waiter], timeout=SYNC_TIME)
        if not done or waiter.cancelled():
            raise CircusError("the subscription did not arrive", hint="is the event endpoint reachable?")
        return self._reply(request)

    def _reply(self, request: Request) -> Reply:
        given = request.arguments
        since, until, limit = given.get("since"), given.get("until"), min(max(0, given.get("limit", PAGE)), PAGE)
        until = self.ring.last if until is None else until
        wanted = _filter(given.get("watcher"), given.get("event"))
        if since is None:
            page = self.ring.latest(until, limit, wanted)
        else:
            page = self.ring.after(max(0, since), until, limit, wanted)
        return {
            "events": [{**to_wire(happened), **self._extra} for happened in page.events],
            "first": self.ring.first,
            "last": self.ring.last,
            "next": page.next,
            "lost": {"first": page.lost[0], "last": page.lost[1]} if page.lost else None,
            "run": self._extra["run"],
        }


def _filter(watcher: str | None, name: str | None) -> Callable[[Event], bool]:
    folded = watcher.lower() if watcher is not None else None

    def wanted(happened: Event) -> bool:
        if folded is not None and str(getattr(happened, "watcher", "")).lower() != folded:
            return False
        return name is None or name in (happened.name, happened.action)

    return wanted
