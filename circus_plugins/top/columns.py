"""The columns of circus-top, each declared once: what is in it, how it is sorted, and where there is room for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from wcwidth import wcswidth

from circus_plugins.phrases import duration, size, sparkline
from circus_plugins.picture import SocketView, WatcherView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circus_plugins.picture import ProcessView
    from circus_plugins.picture.views import Figures

    View = WatcherView | ProcessView | SocketView

NONE = "-"
INDENT = 2
"""Columns of the terminal before each name."""
SOME = 6
"""So many characters of an address say something; the port is among them."""


@frozen
class Column:
    """`of` answers what is sorted by, and `text` what is shown in `width` columns of the terminal.

    It is shown where the terminal has `room` columns. `key` chooses it at the command line; `down`: the largest first.
    """

    key: str
    title: str
    width: int
    of: Callable[[View], Any]
    text: Callable[[View, int], str]
    room: int = 0
    right: bool = True
    down: bool = True


def _figures(view: View) -> Figures | None:
    return None if isinstance(view, SocketView) else view.figures


def _cpu(view: View) -> float:
    figures = _figures(view)
    return -1.0 if figures is None or figures.cpu is None else figures.cpu


def _memory(view: View) -> int:
    figures = _figures(view)
    return -1 if figures is None or figures.memory is None else figures.memory


def _cpu_past(view: View, width: int) -> str:
    figures = _figures(view)
    if figures is None:
        return ""
    # 100 % of one core is a full bar, and more if there was more.
    return sparkline(figures.cpus, width, max([100.0, *figures.cpus]))


def _memory_past(view: View, width: int) -> str:
    figures = _figures(view)
    if figures is None:
        return ""
    return sparkline(figures.memories, width, max(figures.memories, default=1) * 1.25)


def _name_in(view: View, width: int) -> str:
    """Of an address the end says more than the beginning."""
    name = _name(view)
    room = width - INDENT
    if not isinstance(view, SocketView) or len(name) <= room or not view.address:
        return name
    start = f"{view.name}  \N{HORIZONTAL ELLIPSIS}".lstrip()
    return start + view.address[-(room - len(start)) :] if room - len(start) >= SOME else name


def _name(view: View) -> str:
    if isinstance(view, SocketView):
        return f"{view.name}  {view.address}".strip()
    return view.name if isinstance(view, WatcherView) else f"{view.wid or ''}"


def _up(view: View) -> str:
    if isinstance(view, WatcherView):
        return f"{view.up}/{NONE if view.wanted is None else view.wanted}"
    if isinstance(view, SocketView):
        waiting = NONE if view.waiting is None else view.waiting
        return f"{waiting}/{NONE if view.backlog is None else view.backlog}"
    return str(view.pid)


def _state(view: View) -> str:
    return "" if isinstance(view, SocketView) else view.state


def _missing(view: View) -> int:
    """So that those sorted first lack the most."""
    if isinstance(view, WatcherView):
        return (view.wanted or 0) - view.up
    return -view.pid if not isinstance(view, SocketView) else 0


def _age(view: View) -> float:
    age = None if isinstance(view, SocketView) else view.age
    return -1.0 if age is None else age


def _restarts(view: View) -> int:
    return 0 if isinstance(view, SocketView) else view.restarts


def _about(view: View) -> str:
    if isinstance(view, SocketView):
        return ", ".join(view.watchers)
    return " ".join(view.trouble.split()) if isinstance(view, WatcherView) else view.name


def _blank(view: View, text: str) -> str:
    return "" if isinstance(view, SocketView) else text


COLUMNS: Sequence[Column] = (
    Column("name", "NAME", 12, lambda view: _name(view).lower(), _name_in, right=False, down=False),
    Column("state", "STATE", 8, _state, lambda view, _: _state(view), right=False, down=False),
    Column("up", "UP/PID", 9, _missing, lambda view, _: _up(view)),
    Column("cpu", "CPU %", 7, _cpu, lambda view, _: _blank(view, f"{_cpu(view):.1f}" if _cpu(view) >= 0 else NONE)),
    Column("cpu", "", 8, _cpu, _cpu_past, room=80),
    Column("mem", "MEM", 7, _memory, lambda view, _: _blank(view, size(_memory(view)) if _memory(view) >= 0 else NONE)),
    Column("mem", "", 8, _memory, _memory_past, room=100),
    Column("age", "AGE", 7, _age, lambda view, _: _blank(view, duration(_age(view)) if _age(view) >= 0 else NONE)),
    Column("restarts", "RESTARTS", 8, _restarts, lambda view, _: _blank(view, str(_restarts(view))), room=72),
    Column("about", "", 0, _about, lambda view, _: _about(view), room=120, right=False, down=False),
)
"""From left to right. The first takes what the others leave, up to a point, and the last all the rest."""
SORTS = tuple(dict.fromkeys(column.key for column in COLUMNS if column.title))
WIDEST = 32
"""Columns of the terminal that names get at most, while others could use some."""


def shown(columns: int) -> list[tuple[Column, int]]:
    """The columns that a terminal of this width has room for, and how wide each is then."""
    chosen = [column for column in COLUMNS if column.room <= columns]
    left = columns - sum(column.width + 1 for column in chosen)
    first = chosen[0].width + max(left, 0)
    if not chosen[-1].width:
        first = min(first, WIDEST)
    widths = [first, *(column.width for column in chosen[1:])]
    if not chosen[-1].width:
        widths[-1] = max(columns - sum(widths[:-1]) - len(widths) + 1, 0)
    return list(zip(chosen, widths, strict=True))


def fit(text: str, width: int, *, right: bool) -> str:
    """A text in exactly so many columns of the terminal; what does not fit ends with an ellipsis."""
    if not text.isascii() or not text.isprintable():
        text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    wide = len(text) if text.isascii() else wcswidth(text)
    if not width:
        return ""
    if wide > width:
        while wide > width - 1:
            text = text[:-1]
            wide = wcswidth(text)
        text, wide = text + "\N{HORIZONTAL ELLIPSIS}", wide + 1
    return " " * (width - wide) + text if right else text + " " * (width - wide)
