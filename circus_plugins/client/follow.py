"""Puts events in order: those that arrive and those asked for again, each once, none missing unsaid. It has no socket.

A follower subscribes, asks for what came before, and drops by `seq` what it has. Where live events jump ahead it asks
again; what circusd no longer keeps is told by one `events_lost`. A new `run` is a new circusd: it begins at 1 again.
"""

from __future__ import annotations

import json
import os
from typing import Any

TOPICS = (b"watcher.", b"event.")
"""What the topics of all events begin with (`circus_core.wire.topic`)."""


class Follower:
    """The state of one follower. `since` is the last seq it has, of `run`; with None it begins with what comes now."""

    def __init__(self, since: int | None = None, watcher: str | None = None, run: str | None = None) -> None:
        self.since = since
        self.run = run
        self.sync = os.urandom(16).hex()
        self._watcher = watcher.lower() if watcher is not None else None

    @property
    def topics(self) -> tuple[bytes, ...]:
        """What to subscribe to, in this order; all watchers, for only then a missing seq is seen."""
        return (*TOPICS, b"sync." + self.sync.encode())

    def question(self) -> dict[str, Any]:
        """The arguments of the next `events` command."""
        since = {"limit": 0} if self.since is None else {"since": self.since}
        return {"sync": self.sync, **since}

    def replayed(self, reply: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
        """Of a reply: the events that are new, and whether there is more to ask for."""
        if self.run is not None and reply["run"] != self.run:
            self.since = 0
            self.run = reply["run"]
            return [], True
        self.run = reply["run"]
        if self.since is None or self.since > reply["last"]:
            self.since = reply["last"]
            return [], False
        new = []
        if reply["lost"] is not None and reply["lost"]["last"] > self.since:
            first, last = reply["lost"]["first"], reply["lost"]["last"]
            new.append({"event": "events_lost", "seq": last, "first": first, "last": last})
        new += [event for event in reply["events"] if event["seq"] > self.since]
        self.since = max(self.since, reply["next"])
        return self._chosen(new), self.since < reply["last"]

    def arrived(self, payload: bytes) -> tuple[list[dict[str, Any]], bool]:
        """Of a live event: itself if it is next, and whether events before it have to be asked for."""
        event = json.loads(payload)
        if event.get("run") != self.run:
            return [], True
        if self.since is None or event["seq"] <= self.since:
            return [], False
        if event["seq"] > self.since + 1:
            return [], True
        self.since = event["seq"]
        return self._chosen([event]), False

    def _chosen(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self._watcher is None:
            return events
        return [
            event
            for event in events
            if event["event"] == "events_lost" or str(event.get("watcher", "")).lower() == self._watcher
        ]
