"""Turns one text of a command line into the value its argument declares; it knows no option of a watcher."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circus_core.requests import Argument


class ConversionError(ValueError):
    """A text is not what its argument declares; the message says so."""


def convert(argument: Argument, text: str) -> object:
    """The value of `text` for an argument of its kind; raises ConversionError."""
    if argument.choices and text not in argument.choices:
        raise ConversionError(f"{text!r} is not one of {', '.join(argument.choices)}")
    match argument.kind:
        case "integer":
            return _integer(text)
        case "number":
            return _number(text)
        case "signal":
            return int(text) if text.isdecimal() else text
        case "list":
            return text.split(",")
        case "any" | "object":
            return _json_or_text(text)
    return text


def convert_rest(argument: Argument, words: list[str]) -> object:
    """The value of all remaining words: a list, texts by key (`KEY VALUE` or `KEY=VALUE`), or one text.

    Raises ConversionError.
    """
    if argument.kind == "list":
        return words
    if argument.kind != "object":
        return command_line(words)
    if all("=" in word.lstrip("=") for word in words):
        return dict(pair(word) for word in words)
    if len(words) % 2:
        raise ConversionError(f"{words[-1]!r} has no value")
    return {key.lower(): value for key, value in zip(words[::2], words[1::2], strict=True)}


def pair(text: str) -> tuple[str, str]:
    """Key and value of `KEY=VALUE`; raises ConversionError."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ConversionError(f"{text!r} has no '='; expected KEY=VALUE")
    return key.lower(), value


def command_line(words: list[str]) -> str:
    """The words joined by blanks, as Circus does; a word is quoted only where splitting again would change it."""
    import shlex

    def survives(word: str) -> bool:
        try:
            return shlex.split(word) == [word]
        except ValueError:
            return False

    return words[0] if len(words) == 1 else " ".join(word if survives(word) else shlex.quote(word) for word in words)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConversionError(f"{text!r} is not a whole number") from None


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConversionError(f"{text!r} is not a number")
    return value


def _json_or_text(text: str) -> object:
    if not text.startswith(("{", "[", '"')):
        return text
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text
