"""The same rows as text for a pipe, a file or a mail, or as JSON for programs; nothing is coloured or cut."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from circus_plugins.phrases import size
from circus_plugins.picture import OWN, ProcessView, SocketView, WatcherView
from circus_plugins.top.columns import COLUMNS

if TYPE_CHECKING:
    from circus_plugins.picture import Picture
    from circus_plugins.picture.views import Figures
    from circus_plugins.top.rows import Order, Row


WIDE = 10_000
"""A width into which every text goes."""


def summary(picture: Picture) -> str:
    """One line about all of it."""
    watchers = picture.watchers.values()
    ill = sum(each.mood in ("bad", "busy") for each in watchers)
    # What circusd has for itself is in its own figures.
    others = [each for each in watchers if each.name not in OWN]
    cpu = sum(each.figures.cpu or 0 for each in others)
    memory = sum(each.figures.memory or 0 for each in others)
    parts = [
        _counted(len(watchers), "watcher", "watchers") + (f" ({ill} not well)" if ill else ""),
        _counted(picture.processes, "process", "processes"),
    ]
    if picture.measured:
        parts += [f"cpu {cpu:.1f} %", f"mem {size(memory)}"]
    own = picture.circusd
    if own.cpu is not None:
        parts.append(f"circusd {own.cpu:.1f} %" + (f" {size(own.memory)}" if own.memory else ""))
    return ", ".join(parts)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def text(picture: Picture, order: Order) -> str:
    """A table, as wide as it has to be."""
    columns = [column for column in COLUMNS if column.title or not column.width]
    table = [[column.title for column in columns]]
    for row in order.rows(picture):
        table.append([row.heading] if row.view is None else _cells(row))
    widths = [max(len(line[place]) if place < len(line) else 0 for line in table) for place in range(len(columns))]
    lines = [summary(picture)]
    if picture.problem:
        lines.append(f"! {picture.problem}")
    for line in table:
        cells = [
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, column, width in zip(line, columns, widths, strict=False)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    assert row.view is not None
    return [
        ("  " * row.depth if not place else "") + column.text(row.view, WIDE)
        for place, column in enumerate(column for column in COLUMNS if column.title or not column.width)
    ]


def document(picture: Picture, order: Order) -> str:
    """One line of JSON."""
    watchers: list[dict[str, Any]] = []
    sockets: list[dict[str, Any]] = []
    for row in order.rows(picture):
        view = row.view
        if isinstance(view, WatcherView):
            watchers.append(_watcher(view))
        elif isinstance(view, SocketView):
            sockets.append(
                {"name": view.name, "fd": view.fd, "address": view.address, "waiting": view.waiting,
                 "backlog": view.backlog, "watchers": list(view.watchers)}
            )  # fmt: skip
    return json.dumps(
        {
            "at": round(time.time(), 3), "problem": picture.problem or None,
            "circusd": {"pid": picture.pid, "version": picture.version or None, **_measured(picture.circusd)},
            "watchers": watchers, "sockets": sockets,
        }
    )  # fmt: skip


def _watcher(view: WatcherView) -> dict[str, Any]:
    return {
        "name": view.name, "state": view.state or None, "up": view.up, "numprocesses": view.wanted,
        "restarts": view.restarts, "age": view.age, "trouble": view.trouble, **_measured(view.figures),
        "processes": [_process(each) for each in view.processes.values()],
    }  # fmt: skip


def _process(view: ProcessView) -> dict[str, Any]:
    return {
        "pid": view.pid, "wid": view.wid, "state": view.state or None, "restarts": view.restarts, "age": view.age,
        "cmdline": view.name or None, **_measured(view.figures),
    }  # fmt: skip


def _measured(figures: Figures) -> dict[str, Any]:
    return {"cpu": figures.cpu, "memory": figures.memory}
