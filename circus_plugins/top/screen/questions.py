"""The questions of circus-top: whether something is really to be done, which signal to send, and what to look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from circus_core.kinds import SIGNAL

if TYPE_CHECKING:
    from textual.app import ComposeResult

BOX = """
    align: center middle;
    & > Vertical {
        width: auto; max-width: 90%; height: auto; padding: 1 2;
        background: $surface; border: round $primary;
    }
    & Label { width: auto; }
    & Input { width: 40; }
"""


class Confirm(ModalScreen[bool]):
    """A question that is answered by y or n."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
    ]
    DEFAULT_CSS = f"Confirm {{{BOX}}}"

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Called by Textual."""
        with Vertical():
            yield Label(self._question, markup=False)
            yield Label("\n[b]y[/b] yes   [b]n[/b] no")

    def action_answer(self, answer: bool) -> None:
        """It was answered."""
        self.dismiss(answer)


class Ask(ModalScreen[str | None]):
    """A question that is answered by a word; None if it was taken back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]
    DEFAULT_CSS = f"Ask {{{BOX}}}"

    def __init__(self, question: str, suggestion: str) -> None:
        super().__init__()
        self._question = question
        self._suggestion = suggestion

    def compose(self) -> ComposeResult:
        """Called by Textual."""
        with Vertical():
            yield Label(self._question, markup=False)
            yield Input(self._suggestion, select_on_focus=True)
            yield Label("", id="wrong", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Called by Textual: answer with it, if it is a signal."""
        try:
            SIGNAL.parse(event.value)
        except ValueError as error:
            self.query_one("#wrong", Label).update(f"{event.value} is no signal: {error}")
            return
        self.dismiss(event.value)

    def action_cancel(self) -> None:
        """It was taken back."""
        self.dismiss(None)
