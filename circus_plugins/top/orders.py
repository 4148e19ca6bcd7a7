"""What circus-top can order of circusd, each declared once: its key, its words, and the request it comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from circus_plugins.picture import ProcessView, WatcherView

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from circus_plugins.top.rows import Row


@frozen
class Order:
    """An order about the chosen row. `question` has the name of what it is about in place of {}.

    `given` answers the properties of the request. `single`: it can be about one process; `asks`: for a signal first.
    """

    key: str
    label: str
    command: str
    question: str
    given: Callable[[str, int | None], Mapping[str, Any]] = lambda name, _pid: {"name": name}
    single: bool = False
    asks: str = ""

    def about(self, row: Row) -> tuple[str, int | None] | None:
        """The watcher, and the pid if it is about one process; None where the order makes no sense."""
        if isinstance(row.view, ProcessView) and self.single:
            return row.key[0], row.view.pid
        if isinstance(row.view, WatcherView | ProcessView):
            return row.key[0], None
        return None


def _of(name: str, pid: int | None) -> Mapping[str, Any]:
    return {"name": name} if pid is None else {"name": name, "pid": pid}


def _exactly(name: str, _pid: int | None) -> Mapping[str, Any]:
    return {"name": name, "match": "simple"}


ORDERS = (
    Order("s", "start", "start", "Start {}?", _exactly),
    Order("x", "stop", "stop", "Stop {}?", _exactly),
    Order("R", "restart", "restart", "Stop {} and start it again?", _exactly),
    Order("l", "reload", "reload", "Replace the processes of {} one by one?"),
    Order("plus,equals_sign", "incr", "incr", "One more process of {}?"),
    Order("minus", "decr", "decr", "One process of {} less?"),
    Order("K", "kill", "kill", "End {}? It is replaced.", _of, single=True),
    Order("S", "signal", "signal", "Send {} which signal?", _of, single=True, asks="HUP"),
)
