"""Files that two sinks write to where one exchanges them: told before anything starts, and nothing is kept from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from attrs import asdict

from circus_core.structure import Problem
from circus_plugins.streams.choice import CHANNELS, choose, varies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circus_core.model import Config, WatcherOptions
    from circus_plugins.streams.choice import Choice


def clashes(config: Config) -> Iterator[Problem]:
    """A warning for each channel whose file is another's too, if what one does to it the other does not know of.

    Which file it is can be told only where its name has no variable.
    """
    seen: dict[str, list[tuple[WatcherOptions, str, Choice]]] = {}
    log = config.supervisor.logoutput
    for watcher in config.watchers.values():
        for channel in CHANNELS:
            choice = None if _joined(watcher, channel) else choose(watcher, channel)[0]
            filename = getattr(choice.options, "filename", None) if choice else None
            if choice is None or not filename or varies(filename):
                continue
            path = os.path.realpath(filename)
            for other, its, first in seen.get(path, ()):
                if _different(choice, first) and (_exchanges(choice) or _exchanges(first)):
                    yield _told(
                        watcher, channel,
                        f"{filename} is where the {its} of {other.name} goes too, with other options: one exchanges the"
                        " file while the other goes on writing to the earlier one",
                        "give both the same options, or a file each",
                    )  # fmt: skip
                    break
            seen.setdefault(path, []).append((watcher, channel, choice))
            if log and "://" not in log and os.path.realpath(log) == path and (_exchanges(choice) or _is_json(choice)):
                yield _told(
                    watcher, channel,
                    f"{filename} is circusd's own log too (logoutput), whose lines come between and are not counted",
                    "name another file",
                )  # fmt: skip


def _told(watcher: WatcherOptions, channel: str, message: str, hint: str) -> Problem:
    return Problem(f"watcher:{watcher.name}", f"{channel}_stream.filename", message, hint, warning=True)


def _joined(watcher: WatcherOptions, channel: str) -> bool:
    return channel == "stderr" and bool(watcher.extra.get("redirect_stderr"))


def _different(one: Choice, other: Choice) -> bool:
    return one.word != other.word or _compared(one) != _compared(other)


def _compared(choice: Choice) -> dict[str, Any]:
    return {**asdict(choice.options), "filename": os.path.abspath(choice.options.filename)}


def _exchanges(choice: Choice) -> bool:
    """Whether it becomes another file some day; one that is looked for at its path each time does not mind."""
    return bool(getattr(choice.options, "max_bytes", 0)) or hasattr(choice.options, "rotate_when")


def _is_json(choice: Choice) -> bool:
    return choice.word == "JsonStream"
