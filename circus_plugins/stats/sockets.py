"""How many connections wait at circusd's sockets, as circusd says; asked for while somebody wants it, and circusd has
sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circus_core.plugin import Client

KEPT = ("name", "waiting", "limit", "dropped")
"""What `listsockets` says that is told as it is."""


class Sockets:
    """Asks `listsockets`. `none`: circusd was asked, and has no sockets."""

    TOPIC = b"stat.sockets"

    def __init__(self, client: Client) -> None:
        self._client = client
        self.none = False

    def forget(self) -> None:
        """There may be sockets now."""
        self.none = False

    async def messages(self) -> list[tuple[bytes, bytes]]:
        """What is to be published; nothing if there is no socket, as in Circus. Raises CircusError."""
        sockets = (await self._client.call("listsockets"))["sockets"]
        self.none = not sockets
        told = [_one(entry) for entry in sockets]
        if not told:
            return []
        messages = [(self.TOPIC + b".%d" % one["fd"], _encoded(one)) for one in told]
        total = {"addresses": [one["address"] for one in told], "reads": sum(one["reads"] for one in told)}
        return [*messages, (self.TOPIC, _encoded(total))]


def _one(entry: dict[str, Any]) -> dict[str, Any]:
    """Circus counts how often its own look, a hundred a second, found something to read; the queue says how much."""
    waiting = entry["waiting"] or 0
    return {
        "fd": entry["fd"],
        "subtopic": entry["fd"],
        "address": entry["path"] if "path" in entry else f"{entry['host']}:{entry['port']}",
        "reads": waiting if entry["listens"] else int(waiting > 0),
        **{key: entry[key] for key in KEPT},
    }


def _encoded(told: dict[str, Any]) -> bytes:
    return json.dumps(told).encode()
