"""Prints replies and mistakes, for people or for scripts, each on its stream; the exit status is all it decides."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from circus_plugins.ctl.settings import Settings

DONE, NO_ANSWER, WRONG_USAGE, REFUSED = 0, 1, 2, 3
INTERRUPTED = 130
"""As a shell has it for a program that SIGINT ended: what is followed ends in no other way."""


def for_people(settings: Settings) -> bool:
    """Whether somebody looks at the output, who would rather see tables."""
    return not settings.json and sys.stdout.isatty()


def reply(command: str, properties: dict[str, Any], answer: dict[str, Any], settings: Settings) -> int:
    """Print circusd's answer to a request; the exit status."""
    failed = is_error(answer)
    if settings.json:
        print(as_json(answer, settings))
    elif failed:
        mistake(str(answer.get("reason", "unknown")), str(answer.get("hint") or ""))
    else:
        for warning in answer.get("warnings") or ():
            say(f"warning: {warning}")
        for line in _lines(command, properties, answer, settings):
            print(line)
    return REFUSED if failed else DONE


def is_error(answer: dict[str, Any]) -> bool:
    """Whether circusd refused. A watcher's state may stand in `status` too (PROTOCOL.md 1.5), but without a reason."""
    return answer.get("status") == "error" and "reason" in answer


def as_json(item: object, settings: Settings) -> str:
    """One line of JSON, or several with --prettify."""
    import json

    return json.dumps(item, indent=4, sort_keys=True) if settings.prettify else json.dumps(item)


def mistake(message: str, hint: str = "", usage: str = "") -> None:
    """Say on standard error what is wrong, then what to do about it."""
    if sys.stdout.isatty():
        sys.stdout.flush()
    say(f"error: {message}", *(line for line in (hint, usage) if line))


def say(*lines: str) -> None:
    """Print lines on standard error; if nobody can be told there is nothing to be done about it."""
    try:
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    except OSError:
        give_up(sys.stderr)


def connection(there: bool) -> None:
    """Tell who follows that circusd is away, or back."""
    sys.stdout.flush()
    say("circusd is back" if there else "circusd is away; waiting until it is back")


def give_up(stream: TextIO) -> None:
    """Throw away what a stream could not write, so that Python does not find out again when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _lines(command: str, properties: dict[str, Any], answer: dict[str, Any], settings: Settings) -> list[str]:
    drawn = command == "history" or (command == "status" and "details" in answer)
    if drawn or for_people(settings):
        from circus_plugins.ctl import screen
        from circus_plugins.ctl.tables import Terminal

        return screen.lines(command, answer, properties, Terminal(sys.stdout))
    from circus_plugins.ctl import console

    return console.lines(command, answer, properties)
