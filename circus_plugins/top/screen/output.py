"""The pane that follows what a watcher or a process says. Control characters of it are shown, and not obeyed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import RichLog

from circus_core.errors import CircusError

if TYPE_CHECKING:
    from textual.worker import Worker

    from circus_plugins.client import AsyncClient

LINES = 200
"""Lines that are there at first."""
MOST = 5_000
"""Lines that one can scroll back."""


class Output(RichLog):
    """Follows one name at a time."""

    def __init__(self) -> None:
        super().__init__(max_lines=MOST, wrap=True, markup=False, highlight=False)
        self._worker: Worker[None] | None = None
        self._name = ""

    def follow(self, client: AsyncClient | None, name: str) -> None:
        """From now on show what this one says: a watcher, or NAME/WID; nobody if there is no client."""
        if name == self._name and self._worker is not None and self._worker.is_running:
            return
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None
        self._name = name
        self.clear()
        if client is not None and name:
            self.border_title = name
            self._worker = self.run_worker(self._show(client, name), exit_on_error=False)

    async def _show(self, client: AsyncClient, name: str) -> None:
        try:
            async for line in client.output(name, lines=LINES, follow=True):
                said = line["line"] if "line" in line else f"... {line['skipped']} bytes came too fast ..."
                self.write(_shown(said))
        except CircusError as error:
            self.write(str(error))


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in text)
