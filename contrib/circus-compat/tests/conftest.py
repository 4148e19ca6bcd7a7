"""Fixtures: plugins that were written for Circus, run by a circusd of circus-bus, and what they wrote down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import Circusd, until

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = Path(__file__).parent / "written_for_circus.py"
APP = "[watcher:app]\ncmd = sleep 1000\ncopy_env = True\ngraceful_timeout = 5\n"


class Running:
    """A circusd with one plugin, and the plugin's journal."""

    def __init__(self, start: Callable[..., Circusd], journal: Path, plugin: str, *lines: str) -> None:
        self._journal = journal
        section = [f"[plugin:{plugin.lower()}]", f"use = {CODE}:{plugin}", f"filename = {journal}", *lines]
        self.circusd = start("\n".join([APP, *section, ""])).up()
        self.call = self.circusd.call

    @property
    def lines(self) -> list[list[Any]]:
        """What was written so far."""
        written = self._journal.read_text() if self._journal.exists() else ""
        return [json.loads(line) for line in written.splitlines()]

    def of(self, *words: str) -> list[list[Any]]:
        """The lines that begin with these words."""
        return [line for line in self.lines if line[: len(words)] == list(words)]

    def wait_for(self, *words: str, count: int = 1) -> list[Any]:
        """Wait for a line that begins with these words, or so many of them; answers the last."""
        found: list[list[Any]] = until(
            lambda: lines if len(lines := self.of(*words)) >= count else None, f"{count} {words} in the journal"
        )
        return found[count - 1]


@pytest.fixture
def run(circusd: Callable[..., Circusd], tmp_path: Path) -> Callable[..., Running]:
    """`run("Journal", "option = value")`: a circusd with that plugin."""
    return lambda plugin, *lines: Running(circusd, tmp_path / "journal", plugin, *lines)
