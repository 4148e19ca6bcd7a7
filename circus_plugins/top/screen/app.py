"""circus-top on a terminal: the table, a pane for output, and the keys. What is known it takes from a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import App
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Input, Static

from circus_core.errors import CircusError, EndpointError, ForbiddenError
from circus_plugins.top.columns import SORTS, fit, shown
from circus_plugins.top.orders import ORDERS
from circus_plugins.top.plain import summary
from circus_plugins.top.screen.output import Output
from circus_plugins.top.screen.questions import Ask, Confirm
from circus_plugins.top.screen.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from circus_plugins.picture import Live, Picture
    from circus_plugins.top.orders import Order
    from circus_plugins.top.rows import Order as Sorting

PAUSE = 0.1
"""Seconds between two drawings, however much changes."""


class Top(App[int]):
    """The program. `source` makes what keeps a picture up to date, given what is to be called after each change."""

    TITLE = "circus-top"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #summary, #head { height: 1; }
    #summary { background: $panel; }
    #head { text-style: bold; color: $text-muted; background: $surface; }
    #filter { display: none; dock: bottom; height: 1; border: none; padding: 0; background: $panel; }
    #filter.open { display: block; }
    Table { height: 1fr; }
    Output { display: none; height: 40%; border-top: solid $primary; }
    Output.open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", "quit"),
        Binding("question_mark,h", "help", "help"),
        Binding("enter,space", "open", "open", show=False),
        Binding("e", "open_all", "open all", show=False),
        Binding("slash", "filter", "filter"),
        Binding("less_than_sign,comma", "sort(-1)", "sort by the column before", show=False),
        Binding("greater_than_sign,full_stop", "sort(1)", "sort", key_display="<>"),
        Binding("r", "reverse", "reverse", show=False),
        Binding("o", "output", "output"),
        *(Binding(order.key, f"order('{order.command}')", order.label) for order in ORDERS),
    ]

    def __init__(self, picture: Picture, source: Callable[[Callable[[], object]], Live], sorting: Sorting) -> None:
        super().__init__()
        self.picture = picture
        self.sorting = sorting
        self.live = source(self._changed)
        self._due = False

    def compose(self) -> ComposeResult:
        """Called by Textual."""
        yield Static(id="summary")
        yield Static(id="head")
        yield Table()
        yield Output()
        yield Input(placeholder="part of a name", id="filter", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Called by Textual."""
        self.run_worker(self._follow(), exclusive=False)
        self.set_interval(self.live.interval, self._draw)
        self.query_one(Table).focus()
        self._draw()

    async def _follow(self) -> None:
        try:
            await self.live.run()
        except (ForbiddenError, EndpointError) as error:
            self.exit(message=f"circus-top: {error}", return_code=2 if isinstance(error, EndpointError) else 3)

    # Drawing

    def _changed(self) -> None:
        """There is something new; what comes soon after is drawn with it."""
        if not self._due and self.is_running:
            self._due = True
            self.set_timer(PAUSE, self._draw)

    def _draw(self) -> None:
        self._due = False
        if not self.is_running:
            return
        self.live.tidy()
        table = self.query_one(Table)
        table.show(self.sorting.rows(self.picture))
        width = max(table.size.width, 1)
        self.query_one("#head", Static).update(self._head(width))
        self.query_one("#summary", Static).update(self._summary(width))

    def _summary(self, width: int) -> Text:
        words = Text(no_wrap=True, overflow="ellipsis")
        problem = self.picture.problem
        if problem:
            words.append(f" {problem} ", "bold white on red").append(" ")
        told = summary(self.picture)
        who = f"circusd {self.picture.version}, pid {self.picture.pid}: "
        if self.picture.pid is not None and len(words) + len(who) + len(told) <= width:
            words.append(who)
        words.append(told)
        if self.sorting.filter:
            words.append(f"  [{self.sorting.filter}]", "bold")
        return words

    def _head(self, width: int) -> Text:
        head = Text(no_wrap=True)
        for number, (column, wide) in enumerate(shown(width)):
            title = ("  " if not number else "") + column.title
            if column.key == self.sorting.sort and column.title:
                title += "▲" if column.down == self.sorting.reverse else "▼"
            head.append(fit(title, wide, right=column.right) + " ")
        return head

    # Keys

    def action_open(self) -> None:
        """Show the processes of a watcher."""
        self.query_one(Table).action_open()

    def on_table_opened(self, message: Table.Opened) -> None:
        """Called by Textual."""
        self.sorting.toggle(message.name)
        self._draw()

    def action_open_all(self) -> None:
        """Show the processes of all watchers, or of those that were chosen."""
        self.sorting.all_open = not self.sorting.all_open
        self._draw()

    def action_sort(self, by: int) -> None:
        """Sort by the next column, or the one before."""
        self.sorting.sort = SORTS[(SORTS.index(self.sorting.sort) + by) % len(SORTS)]
        self._draw()

    def action_reverse(self) -> None:
        """The other way round."""
        self.sorting.reverse = not self.sorting.reverse
        self._draw()

    def action_help(self) -> None:
        """Show all keys, or no more."""
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def action_filter(self) -> None:
        """Look for a part of a name."""
        entry = self.query_one("#filter", Input)
        entry.add_class("open")
        entry.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Called by Textual: show what fits so far."""
        if event.input.id == "filter":
            self.sorting.filter = event.value
            self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Called by Textual."""
        if event.input.id == "filter":
            self._leave_filter()

    def on_key(self, event: Any) -> None:
        """Called by Textual: Escape takes the filter back."""
        entry = self.query_one("#filter", Input)
        if event.key == "escape" and (entry.has_focus or self.sorting.filter):
            entry.value = ""
            self._leave_filter()

    def _leave_filter(self) -> None:
        self.query_one("#filter", Input).remove_class("open")
        self.query_one(Table).focus()

    # Output

    def action_output(self) -> None:
        """Show what the chosen watcher or process says, or no more."""
        pane = self.query_one(Output)
        pane.toggle_class("open")
        self._show_output()

    def on_table_chosen(self, _message: Table.Chosen) -> None:
        """Called by Textual."""
        self._show_output()

    def _show_output(self) -> None:
        pane, row = self.query_one(Output), self.query_one(Table).chosen
        if not pane.has_class("open") or row is None or not row.key[0]:
            pane.follow(None, "")
            return
        wid = getattr(row.view, "wid", None)
        pane.follow(self.live.client, row.key[0] if wid is None else f"{row.key[0]}/{wid}")

    # Orders

    def action_order(self, command: str) -> None:
        """Ask, and then order."""
        order = next(order for order in ORDERS if order.command == command)
        row = self.query_one(Table).chosen
        about = order.about(row) if row is not None else None
        if about is None:
            self.notify("Choose a watcher first.", severity="warning")
        elif self.live.client is None:
            self.notify("This endpoint only shows figures: nothing can be ordered there.", severity="warning")
        else:
            self.run_worker(self._order(order, *about), exit_on_error=True)

    async def _order(self, order: Order, name: str, pid: int | None) -> None:
        spelled = self.picture.watchers[name].name if name in self.picture.watchers else name
        question = order.question.format(spelled if pid is None else f"pid {pid} of {spelled}")
        given = dict(order.given(name, pid))
        if order.asks:
            signum = await self.push_screen_wait(Ask(question, order.asks))
            if signum is None:
                return
            given["signum"] = signum
        elif not await self.push_screen_wait(Confirm(question)):
            return
        client = self.live.client
        if client is None:
            self.notify("circusd does not answer.", severity="error")
            return
        try:
            await client.call(order.command, **given)
        except CircusError as error:
            self.notify(str(error), title=f"{order.label} {spelled}", severity="error", timeout=10, markup=False)
