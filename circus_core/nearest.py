"""What somebody most likely meant by a misspelt word; it offers one word or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CLOSE = 0.8
"""How alike two words must be, from 0 to 1, to be taken for one another."""
LONG = 6
"""Letters that a word must have for two slips to leave it what it is."""


def nearest(word: str, known: Iterable[str], close: float = CLOSE) -> str | None:
    """The one of `known` that is closest to `word`, or None if none is close. Case does not count."""
    # Imported when somebody misspelt something: circusd should not carry it for good.
    import difflib

    folded = {entry.lower(): entry for entry in known}
    match = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=close)
    return folded[match[0]] if match else None


def typed_as(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` is with up to two slips of the finger, or one if it is short; None if none is.

    A slip is a letter too many, missing, or another one, or two neighbours swapped.
    """
    slips = {entry: _slips(word, entry) for entry in known if abs(len(entry) - len(word)) <= 2}
    near = min(slips, key=lambda entry: slips[entry], default=None)
    return near if near is not None and slips[near] <= (2 if len(near) >= LONG else 1) else None


def _slips(one: str, other: str) -> int:
    """How many slips are between two words (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, row = row, [i]
        for j, wanted in enumerate(other, 1):
            least = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], wanted):
                least = min(least, before[j - 2] + 1)
            row.append(least)
        before = above
    return row[-1]


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint: `did you mean WORD?`, or what is said if nothing is close."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else otherwise
