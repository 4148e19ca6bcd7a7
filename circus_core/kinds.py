"""The sorts of values that options and command arguments have; each is a `Kind`, and none knows who uses it."""

from __future__ import annotations

import math
import os
import re
import resource
import shlex
import signal
from typing import TYPE_CHECKING

from circus_core.nearest import nearest
from circus_core.options import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

TRUE = frozenset({"yes", "true", "on", "1"})
FALSE = frozenset({"no", "false", "off", "0"})
_PLAIN = re.compile(r"[!#-&(-\[\]-~ ]*")
"""Command lines of printable ASCII in which nothing is quoted or escaped."""


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("expected a whole number")
    return value


def _parse_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("expected a whole number, such as 3") from None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a number")
    return _finite(value)


def _parse_number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("expected a number, such as 0.5") from None
    return _finite(value)


def _finite(value: float) -> float:
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError("expected a finite number")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _parse_boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in TRUE | FALSE:
        raise ValueError("expected one of yes, true, on, 1, no, false, off, 0")
    return lowered in TRUE


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected text in quotes")
    if "\0" in value:
        raise ValueError("the text has a NUL character, which no program can be given")
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        raise ValueError("the text has a character that this system cannot encode") from None
    return value


def shell_words(text: str) -> list[str]:
    """As shlex.split, which takes fifty times as long where nothing is quoted; raises ValueError."""
    return text.split() if _PLAIN.fullmatch(text) else shlex.split(text)


def _words(value: object) -> str:
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        return _text(shlex.join(value))
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("expected a text in quotes, or a list of such")
    return _command(_text(value))


def _command(text: str) -> str:
    try:
        shell_words(_text(text))
    except ValueError as error:
        raise ValueError(f"the shell words cannot be read: {error}") from None
    return text


def parse_signal(value: object) -> int:
    """The number of a signal from `15`, `"15"`, `"term"`, `"SIGTERM"` or `"SIGRTMIN+1"`; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected the name or number of a signal, such as SIGTERM or 15")
    if isinstance(value, str):
        name, plus, offset = value.strip().upper().partition("+")
        if name.isdigit() and not plus:
            number = int(name)
        else:
            found = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", None)
            if not isinstance(found, signal.Signals) or (plus and not offset.isdigit()):
                raise ValueError("there is no such signal; `kill -l` lists them")
            number = int(found) + int(offset or 0)
    else:
        number = value
    if number not in _SIGNALS:
        raise ValueError(f"signals on this machine are numbered from 1 to {signal.SIGRTMAX:d}")
    return number


_SIGNALS = frozenset(int(number) for number in signal.valid_signals())


def _account(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError("expected a name or a number")
    account = int(value) if isinstance(value, str) and value.isdecimal() else value
    if isinstance(account, int) and not 0 <= account < _NO_ACCOUNT:
        raise ValueError(f"expected a number from 0 to {_NO_ACCOUNT - 1}")
    return _text(account) if isinstance(account, str) else account


_NO_ACCOUNT = 2**32 - 1
"""setuid(2) takes this number, which is -1, for "leave it as it is"."""


def _environment(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError("expected an object of names and texts")
    for name, text in value.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} cannot be the name of an environment variable")
        if not isinstance(text, str):
            raise ValueError(f"{name!r} isn't a string")
        _text(name + text)
    return dict(value)


def _parse_environment(text: str) -> Mapping[str, str]:
    reader = shlex.shlex(text, posix=True, punctuation_chars=",")
    reader.whitespace, reader.whitespace_split, reader.commenters = ",\n", True, ""
    pairs = {}
    for item in reader:
        name, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"{item!r} has no '='; expected A=1,B=2 (quote values that have commas)")
        pairs[name.strip()] = value.strip()
    return _environment(pairs)


def _octal(value: object) -> int:
    if isinstance(value, str):
        return _parse_octal(value)
    number = _integer(value)
    if not 0 <= number <= 0o777:
        raise ValueError("expected an octal mode from 000 to 777")
    return number


def _parse_octal(text: str) -> int:
    try:
        return _octal(int(text, 8))
    except ValueError:
        raise ValueError("expected an octal mode from 000 to 777, such as 022") from None


def _limit(value: object) -> int | None:
    if isinstance(value, str) and value.lower() in _UNLIMITED:
        return resource.RLIM_INFINITY
    if isinstance(value, str) and value.lower() == _NO_LIMIT:
        return None
    number = _integer(value)
    if not 0 <= number < 2**63:
        raise ValueError("expected a number from 0, or unlimited")
    return number


def _parse_limit(text: str) -> int | None:
    if text.lower() in _UNLIMITED | {_NO_LIMIT}:
        return _limit(text.lower())
    try:
        return _limit(int(text))
    except ValueError:
        raise ValueError(f"expected a number from 0, such as 1024, or unlimited, or {_NO_LIMIT}") from None


_NO_LIMIT = "default"
"""The limit that circusd itself has: as if nothing were set, which empty text cannot mean here (PROTOCOL.md 4.4)."""
_UNLIMITED = frozenset({"", "unlimited", "infinity"})


def _patterns(value: object) -> str:
    if isinstance(value, list | tuple) and all(isinstance(word, str) for word in value):
        return _text(" ".join(value))
    return _text(value)


def _regex(value: object) -> re.Pattern[str]:
    try:
        return re.compile(_text(value))
    except re.error as error:
        raise ValueError(f"the regular expression cannot be read: {error}") from None


RLIMITS: Mapping[str, int] = {
    name.removeprefix("RLIMIT_").lower(): getattr(resource, name)
    for name in dir(resource)
    if name.startswith("RLIMIT_")
}

INTEGER: Kind[int] = Kind(
    "integer", "a whole number", "isn't an integer", _parse_integer, _integer, schema={"type": "integer"}
)
NUMBER: Kind[float] = Kind("number", "a number", "isn't a number", _parse_number, _number, schema={"type": "number"})
BOOLEAN: Kind[bool] = Kind(
    "boolean", "yes or no", "isn't a valid boolean", _parse_boolean, _boolean, schema={"type": "boolean"}
)
TEXT: Kind[str] = Kind("text", "text", "isn't a string", _text, _text, schema={"type": "string"})
COMMAND: Kind[str] = Kind(
    "command line", "shell words", "isn't a command line", _command, _words, schema={"type": ["string", "array"]}
)
SIGNAL: Kind[int] = Kind(
    "signal", "a signal's name or number", "isn't a signal", parse_signal, parse_signal,
    show=int, schema={"type": ["integer", "string"]},
)  # fmt: skip
ACCOUNT: Kind[int | str] = Kind(
    "user or group", "a name or a number", "isn't an integer or string", _account, _account,
    schema={"type": ["integer", "string"]},
)  # fmt: skip
ENVIRONMENT: Kind[Mapping[str, str]] = Kind(
    "environment", "names and values", "isn't a valid object", _parse_environment, _environment,
    show=dict, schema={"type": "object", "additionalProperties": {"type": "string"}},
)  # fmt: skip
OCTAL: Kind[int] = Kind(
    "octal mode", "an octal mode such as 022", "isn't an octal mode", _parse_octal, _octal,
    show=lambda value: f"{value:03o}", schema={"type": ["string", "integer"]},
)  # fmt: skip
LIMIT: Kind[int | None] = Kind(
    "resource limit", "a whole number, `unlimited` or `default`", "isn't a valid int", _parse_limit, _limit,
    show=lambda value: "unlimited" if value == resource.RLIM_INFINITY else value,
    schema={"type": ["integer", "string"], "minimum": 0},
)  # fmt: skip
PATTERNS: Kind[str] = Kind(
    "patterns", "blank-separated patterns of file names", "isn't a list of patterns", _patterns, _patterns,
    schema={"type": ["string", "array"], "items": {"type": "string"}},
)  # fmt: skip
REGEX: Kind[re.Pattern[str]] = Kind(
    "regular expression", "a regular expression", "isn't a regular expression", _regex, _regex,
    show=lambda value: value.pattern, schema={"type": "string", "format": "regex"},
)  # fmt: skip


def choice(*words: str, what: str = "") -> Kind[str]:
    """One of a few words, in any case, kept as here; `what` they are, such as `log level`, if there is a word."""
    known = {word.lower(): word for word in words}
    # What all begin with, such as SOCK_, is no likeness.
    heads = {word[: word.rfind("_") + 1] for word in known}
    head = heads.pop() if len(heads) == 1 else ""
    tails = {word.removeprefix(head): word for word in known}

    def pick(value: object) -> str:
        if not isinstance(value, str) or value.lower() not in known:
            tail = value.lower().removeprefix(head) if isinstance(value, str) else ""
            near = nearest(tail, tails, close=0.6)
            raise ValueError(f"did you mean {known[tails[near]]}?" if near else f"expected one of {', '.join(words)}")
        return known[value.lower()]

    complaint = f"isn't a {what}" if what else "isn't one of the possible words"
    return Kind(what or "word", f"one of {', '.join(words)}", complaint, pick, pick,
                schema={"type": "string", "enum": list(words)})  # fmt: skip


LEVELS = ("critical", "error", "warning", "info", "debug")
LEVEL = choice(*LEVELS, what="log level")
