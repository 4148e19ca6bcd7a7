"""What is wrong with a command line, and what was probably meant; it prints nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class UsageError(Exception):
    """The words make no request. `hint` says what would, `usage` is the syntax; circusctl exits with 2."""

    def __init__(self, message: str, *, hint: str = "", usage: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.usage = usage


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean ...?` if one of the known words is close, else nothing."""
    import difflib

    match = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {match[0]}?" if match else ""
