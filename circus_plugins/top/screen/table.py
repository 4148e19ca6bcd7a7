"""The table of circus-top: draws only the lines that are seen, so it does not matter how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from circus_plugins.picture import SocketView, WatcherView
from circus_plugins.top.columns import fit, shown

if TYPE_CHECKING:
    from textual import events

    from circus_plugins.top.rows import Key, Row

OPEN, SHUT = "▾ ", "▸ "


class Table(ScrollView, can_focus=True):
    """Rows, one of which is chosen. The choice stays with its row, wherever that moves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "move(-1000000)", "first", show=False),
        Binding("end,G", "move(1000000)", "last", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--head", "table--chosen", "table--good", "table--busy", "table--bad", "table--off", "table--dim",
    }  # fmt: skip
    DEFAULT_CSS = """
    Table {
        & > .table--head { text-style: bold; color: $text-muted; background: $surface; }
        & > .table--chosen { background: $primary-muted; text-style: bold; }
        & > .table--good { color: $text-success; }
        & > .table--busy { color: $text-warning; }
        & > .table--bad { color: $text-error; }
        & > .table--off { color: $text-muted; }
        & > .table--dim { color: $text-muted; }
    }
    """

    class Opened(Message):
        """Somebody wants to see the processes of a watcher, or no longer."""

        def __init__(self, name: str) -> None:
            self.name = name
            super().__init__()

    class Chosen(Message):
        """Another row is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._place = 0
        self._key: Key | None = None

    @property
    def chosen(self) -> Row | None:
        """The row that is chosen."""
        return self.rows[self._place] if self._place < len(self.rows) else None

    def show(self, rows: list[Row]) -> None:
        """These are the rows now."""
        self.rows = rows
        places = {row.key: place for place, row in enumerate(rows)}
        self._place = places.get(self._key, min(self._place, max(len(rows) - 1, 0))) if self._key else 0
        self.virtual_size = Size(self.size.width, len(rows))
        self._choose(self._place, follow=False)
        self.refresh()

    def on_resize(self, _event: events.Resize) -> None:
        """Called by Textual."""
        self.virtual_size = Size(self.size.width, len(self.rows))

    def on_click(self, event: events.Click) -> None:
        """Choose a row; a second click opens it."""
        place = self.scroll_offset.y + event.y
        if place < len(self.rows):
            if place == self._place:
                self.action_open()
            self._choose(place)

    def action_move(self, by: int) -> None:
        """Choose another row."""
        self._choose(self._place + by)

    def action_page(self, by: int) -> None:
        """Choose a row that is a page away."""
        self._choose(self._place + by * max(self.size.height - 1, 1))

    def action_open(self) -> None:
        """Show the processes of the watcher, or hide them."""
        row = self.chosen
        if row is not None and row.key[0]:
            self.post_message(self.Opened(row.key[0]))

    def _choose(self, place: int, *, follow: bool = True) -> None:
        self._place = max(min(place, len(self.rows) - 1), 0)
        row = self.chosen
        if row is not None and row.key != self._key:
            self._key = row.key
            self.post_message(self.Chosen())
        if follow:
            self.scroll_to_region(Region(0, self._place, 1, 1), animate=False)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Called by Textual for each line that is seen."""
        place = self.scroll_offset.y + y
        width = self.size.width
        if place >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        row = self.rows[place]
        style = self.rich_style
        if place == self._place:
            style += self.get_component_rich_style("table--chosen")
        if row.view is None:
            return Strip([Segment(fit(row.heading, width, right=False), self.get_component_rich_style("table--head"))])
        segments = []
        for number, (column, wide) in enumerate(shown(width)):
            text = column.text(row.view, wide)
            if not number:
                text = _lead(row) + text
            part = style + self.get_component_rich_style(f"table--{self._mood(row, column.key)}")
            if place == self._place:
                part += self.get_component_rich_style("table--chosen")
            segments.append(Segment(fit(text, wide, right=column.right), part))
            segments.append(Segment(" ", style))
        return Strip(segments).adjust_cell_length(width, style)

    def _mood(self, row: Row, key: str) -> str:
        view = row.view
        if isinstance(view, SocketView):
            full = view.waiting is not None and view.backlog is not None and view.waiting * 2 > view.backlog
            return "busy" if full and key == "up" else "dim"
        if isinstance(view, WatcherView):
            return view.mood if key in ("state", "up", "about") else "off" if view.mood == "off" else "good"
        return "busy" if view is not None and view.state not in ("ready", "") and key == "state" else "dim"


def _lead(row: Row) -> str:
    if row.depth:
        return "    "
    if isinstance(row.view, WatcherView):
        return OPEN if row.open else SHUT
    return "  "
