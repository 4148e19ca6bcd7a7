"""Aligned columns for a terminal, cut to its width and coloured if it likes colours; it knows no command."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_COLOURS = {"good": "32", "busy": "33", "bad": "31", "dim": "2", "head": "1"}
_GAP = "  "
_ENDLESS = 10_000
_NARROW = 20
"""Columns that a text which goes on in further lines has at least."""


class Cell(NamedTuple):
    """A text and how it is meant: good, busy, bad, dim, head or nothing."""

    text: str
    mood: str = ""


class Terminal:
    """How large a stream is, and whether it is coloured: a terminal is, but not with NO_COLOR or TERM=dumb."""

    def __init__(self, stream: TextIO) -> None:
        shown = stream.isatty()
        self.width, self.height = os.get_terminal_size(stream.fileno()) if shown else (_ENDLESS, _ENDLESS)
        self.width, self.height = self.width or 80, self.height or 24
        dull = os.environ.get("NO_COLOR") or os.environ.get("TERM", "") in ("", "dumb")
        self.colours = shown and not dull

    def paint(self, text: str, mood: str) -> str:
        """The text in the colour of its mood."""
        return f"\x1b[{_COLOURS[mood]}m{text}\x1b[0m" if self.colours and mood and text else text

    def table(
        self, heads: Sequence[str], rows: Sequence[Sequence[Cell | str]], *, indent: str = "", whole: bool = False
    ) -> list[str]:
        """The rows under their heads. If they are too wide the widest columns give way, with an ellipsis.

        With `whole`, it is the last column that gives way, and by going on in further lines: nothing of it is missing.
        """
        cells = [[entry if isinstance(entry, Cell) else Cell(entry) for entry in row] for row in rows]
        cells = [[Cell(visible(cell.text), cell.mood) for cell in row] for row in cells]
        if heads:
            cells.insert(0, [Cell(head, "head") for head in heads])
        if not cells:
            return []
        widths = [max(columns(row[at].text) for row in cells) for at in range(len(cells[0]))]
        room = self.width - len(indent) - len(_GAP) * (len(widths) - 1)
        if whole:
            widths[-1] = max(min(widths[-1], room - sum(widths[:-1])), _NARROW)
            cells = [line for row in cells for line in _lines(row, widths[-1])]
        while sum(widths) > room and max(widths) > 4:
            widths[widths.index(max(widths))] -= 1
        return [indent + self._row(row, widths) for row in cells]

    def pairs(self, items: dict[str, str], *, indent: str = "") -> list[str]:
        """Names and texts, one pair a line; the texts are never cut."""
        width = max(map(columns, items), default=0)
        return [
            f"{indent}{self.paint(visible(name), 'dim')}{' ' * (width - columns(name))}{_GAP}{visible(text)}".rstrip()
            for name, text in items.items()
        ]

    def _row(self, row: Sequence[Cell], widths: Sequence[int]) -> str:
        parts = []
        for at, (cell, width) in enumerate(zip(row, widths, strict=True)):
            text = shorten(cell.text, width) if at else squeeze(cell.text, width)
            blanks = "" if at == len(row) - 1 else " " * (width - columns(text))
            parts.append(self.paint(text, cell.mood) + blanks)
        return _GAP.join(parts).rstrip()


def visible(text: str) -> str:
    """The text on one line, without anything that would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text)


def columns(text: str) -> int:
    """How many columns a terminal needs for the text."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth

    return max(wcswidth(text), 0)


def shorten(text: str, width: int) -> str:
    """The text cut to so many columns, the last of them an ellipsis if anything is missing."""
    return text if columns(text) <= width else _head(text, width - 1) + "…"


def squeeze(text: str, width: int) -> str:
    """As `shorten`, but what is missing is in the middle: names that are made alike differ at their ends."""
    if columns(text) <= width:
        return text
    end = (width - 1) // 2
    return _head(text, width - 1 - end) + "…" + _head(text[::-1], end)[::-1]


def _head(text: str, width: int) -> str:
    text = text[: max(width, 0)]
    while columns(text) > width:
        text = text[:-1]
    return text


def _lines(row: Sequence[Cell], width: int) -> Iterator[list[Cell]]:
    """A row as several ones, so that the text of its last cell is no wider than `width`."""
    *others, last = row
    rest: Sequence[Cell] = others
    for line in textwrap.wrap(last.text, width) or [""]:
        yield [*rest, Cell(line, last.mood)]
        rest = [Cell("")] * len(others)
