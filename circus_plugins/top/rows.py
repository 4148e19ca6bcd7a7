"""From a picture to rows: which there are, in which order, and what belongs to what. It draws nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from attrs import define, field, frozen

from circus_plugins.top.columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from circus_plugins.picture import Picture, ProcessView, SocketView, WatcherView

V = TypeVar("V", "WatcherView", "ProcessView")
Key = tuple[str, int]
"""A watcher's name in lower case and a pid, 0 for the watcher itself; a socket has no name, and its descriptor."""


@frozen
class Row:
    """A line of the table; `depth` 1 is a process of the watcher above, and `heading` parts sockets from watchers."""

    key: Key
    view: WatcherView | ProcessView | SocketView | None
    depth: int = 0
    open: bool = False
    heading: str = ""


@define
class Order:
    """How somebody wants to see it: sorted by a column, filtered by a part of the name, some watchers open."""

    sort: str = "name"
    reverse: bool = False
    filter: str = ""
    open: set[str] = field(factory=set)
    all_open: bool = False

    def rows(self, picture: Picture) -> list[Row]:
        """All rows, from top to bottom."""
        wanted = self.filter.lower()
        watchers = [watcher for key, watcher in picture.watchers.items() if wanted in key or not wanted]
        rows: list[Row] = []
        for watcher in self._sorted(watchers):
            key = watcher.name.lower()
            is_open = self.all_open or key in self.open
            rows.append(Row((key, 0), watcher, open=is_open))
            if is_open:
                rows += (Row((key, each.pid), each, depth=1) for each in self._sorted(watcher.processes.values()))
        sockets = [each for each in picture.sockets.values() if wanted in each.name.lower() or not wanted]
        if sockets:
            rows.append(Row(("", 0), None, heading="SOCKETS"))
            ordered = sorted(sockets, key=lambda each: (-(each.waiting or 0), each.name, each.fd))
            rows += (Row(("", each.fd), each) for each in ordered)
        return rows

    def toggle(self, name: str) -> None:
        """Open a watcher, or close it."""
        if self.all_open:
            return
        self.open ^= {name}

    def _sorted(self, views: Iterable[V]) -> list[V]:
        column = next(column for column in COLUMNS if column.key == self.sort)
        # Of equals the name decides, always in the same direction, so that nothing jumps.
        named = sorted(views, key=COLUMNS[0].of)
        return sorted(named, key=column.of, reverse=column.down != self.reverse)
