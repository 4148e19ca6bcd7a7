"""What somebody most likely meant by a misspelt word; it offers one word or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CLOSE = 0.8
"""How alike two words must be, from 0 to 1, to be taken for one another."""


def nearest(word: str, known: Iterable[str], close: float = CLOSE) -> str | None:
    """The one of `known` that is closest to `word`, or None if none is close. Case does not count."""
    # Imported when somebody misspelt something: circusd should not carry it for good.
    import difflib

    folded = {entry.lower(): entry for entry in known}
    match = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=close)
    return folded[match[0]] if match else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint: `did you mean WORD?`, or what is said if nothing is close."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else otherwise
