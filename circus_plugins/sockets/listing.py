"""The open sockets as values for whoever asks: where each is, what waits there, and whose it is. It changes nothing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from circus_plugins.sockets.groups import Group
from circus_plugins.sockets.queues import measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from circus_plugins.sockets.held import Held
    from circus_plugins.sockets.options import SocketOptions
    from circus_plugins.sockets.queues import Queue


def listed(held: Mapping[str, Held | Group], watchers: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """All that are open, by descriptor, those of a group together; `watchers` are the names of those that use one."""
    each = [(name, entry, one) for name, entry in held.items() for one in entry.sockets]
    queues = measured(one for _name, _entry, one in each)
    rows = [
        {**_described(entry.options, one, queue), "watchers": list(watchers.get(name, ())), **_whose(entry, one)}
        for (name, entry, one), queue in zip(each, queues, strict=True)
    ]
    rows.sort(key=lambda row: row["fd"])
    # Those of a group stand where its first is.
    first = {row["name"]: row["fd"] for row in reversed(rows)}
    return sorted(rows, key=lambda row: first[row["name"]])


def at(held: Mapping[str, Held | Group], names: Iterable[str]) -> list[tuple[str, socket.socket]]:
    """Those of these names that are open, each with its address."""
    found = [held[name] for name in names if name in held]
    return [(address(one), one) for each in found for one in each.sockets]


def trouble(held: Mapping[str, Held | Group], names: Iterable[str]) -> str:
    """What was turned away at sockets, or is going to be, in words; nothing if all is well."""
    found = []
    sockets = at(held, names)
    for (where, one), queue in zip(sockets, measured(one for _where, one in sockets), strict=True):
        if queue.full:
            found.append(f"{where} is full: {queue.waiting} wait, and more are turned away")
        if queue.dropped:
            found.append(f"{queue.dropped} {_what(one)} turned away at {where} since it was opened")
    return "; ".join(found)


def _what(one: socket.socket) -> str:
    # The kernel counts packets, and a client that nobody answers sends another one.
    if one.type == socket.SOCK_DGRAM:
        return "datagrams were"
    return "attempts to connect, some by clients that try again, were"


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
