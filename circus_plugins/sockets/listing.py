"""The open sockets as values for whoever asks: where each is, what waits there, and whose it is. It changes nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from circus_plugins.sockets.groups import Group
from circus_plugins.sockets.queues import measured

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Mapping, Sequence

    from circus_plugins.sockets.held import Held
    from circus_plugins.sockets.options import SocketOptions
    from circus_plugins.sockets.queues import Queue


def listed(held: Mapping[str, Held | Group], watchers: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """All that are open, by descriptor; `watchers` are the names of those that use a socket, by its name."""
    each = [(name, entry, one) for name, entry in held.items() for one in entry.sockets]
    queues = measured(one for _name, _entry, one in each)
    rows = [
        {**_described(entry.options, one, queue), "watchers": list(watchers.get(name, ())), **_whose(entry, one)}
        for (name, entry, one), queue in zip(each, queues, strict=True)
    ]
    return sorted(rows, key=lambda row: row["fd"])


def at(held: Mapping[str, Held | Group], names: Iterable[str]) -> list[tuple[str, socket.socket]]:
    """Those of these names that are open, each with its address."""
    found = [held[name] for name in names if name in held]
    return [(address(one), one) for each in found for one in each.sockets]


def trouble(held: Mapping[str, Held | Group], names: Iterable[str]) -> str:
    """What was turned away at sockets, or is going to be, in words; nothing if all is well."""
    found = []
    sockets = at(held, names)
    for (where, _one), queue in zip(sockets, measured(one for _where, one in sockets), strict=True):
        if queue.full:
            found.append(f"{where} is full: {queue.waiting} wait, and more are turned away")
        if queue.dropped:
            found.append(f"{queue.dropped} were turned away at {where} since it was opened")
    return "; ".join(found)


def address(one: socket.socket) -> str:
    """Where a socket is, in words."""
    at = one.getsockname()
    if isinstance(at, bytes):
        return os.fsdecode(b"@" + at[1:])
    if isinstance(at, str):
        return at
    return f"[{at[0]}]:{at[1]}" if ":" in at[0] else f"{at[0]}:{at[1]}"


def _described(options: SocketOptions, one: socket.socket, queue: Queue) -> dict[str, Any]:
    common = {"fd": one.fileno(), "name": options.name, "backlog": options.backlog}
    known = {"waiting": queue.waiting, "limit": queue.limit, "dropped": queue.dropped, "listens": options.listens}
    if options.unix:
        return {**common, "path": address(one), **known}
    host, port = one.getsockname()[:2]
    return {**common, "host": host, "port": port, **known}


def _whose(held: Held | Group, one: socket.socket) -> dict[str, Any]:
    return {"pids": held.pids(one)} if isinstance(held, Group) else {}
