"""How many connections wait at circusd's sockets, as circusd says; asked for while somebody wants it, and circusd has
sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circus_core.plugin import Client


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
        told = [self._one(entry) for entry in sockets]
        if not told:
            return []
        messages = [(self.TOPIC + b".%d" % one["fd"], _encoded(one)) for one in told]
        total = {"addresses": [one["address"] for one in told], "reads": sum(one["reads"] for one in told)}
        return [*messages, (self.TOPIC, _encoded(total))]

    def _one(self, entry: dict[str, Any]) -> dict[str, Any]:
        address = entry["path"] if "path" in entry else f"{entry['host']}:{entry['port']}"
        waiting = entry.get("waiting") or 0
        return {"fd": entry["fd"], "subtopic": entry["fd"], "address": address, "reads": waiting, "name": entry["name"]}


def _encoded(told: dict[str, Any]) -> bytes:
    return json.dumps(told).encode()
