"""`socket_activation`: processes find their sockets as systemd's services do (sd_listen_fds(3)). It opens none.

The numbers, LISTEN_FDS and LISTEN_PID are the core's, which starts the process; the names are ours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import evolve

from circus_core.kinds import FALSE, TRUE
from circus_core.options import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from circus_core.model import Launch, WatcherOptions

OPTION = "socket_activation"
FIRST = 3
"""SD_LISTEN_FDS_START."""
_NAME = re.compile(r"[\w.-]+")


def _parse(text: str) -> bool | str:
    word = text.strip().lower()
    return word in TRUE if word in TRUE | FALSE else _names(text.replace(",", " ").split())


def _check(value: object) -> bool | str:
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return _names(value)
    if not isinstance(value, bool | str):
        raise ValueError("expected true, false, or names of sockets")
    return _parse(value) if isinstance(value, str) else value


def _names(names: Sequence[str]) -> str:
    wrong = next((name for name in names if not _NAME.fullmatch(name)), None)
    if wrong is not None or not names:
        raise ValueError(f"expected true, false, or names of sockets{f', and {wrong!r} is none' if wrong else ''}")
    return " ".join(name.lower() for name in names)


ACTIVATION: Kind[bool | str] = Kind(
    "activation", "true, false, or names of sockets", "isn't true, false or names of sockets", _parse, _check,
    schema={"type": ["boolean", "string", "array"], "items": {"type": "string"}},
)  # fmt: skip


def activated(watcher: WatcherOptions) -> bool:
    """Whether its processes get their sockets from 3 on."""
    return bool(watcher.extra.get(OPTION))


def named(watcher: WatcherOptions) -> list[str]:
    """The sockets that the option itself names."""
    given = watcher.extra.get(OPTION)
    return given.split() if isinstance(given, str) else []


def hidden(watcher: WatcherOptions) -> bool:
    """Whether the sockets are handed to a shell, and the program that it starts takes them for another process's.

    Some shells execute the last command in their own place, and others, such as Debian's, do not unless told.
    """
    told = re.search(r"\bexec\b|circus\.sockets\.", f"{watcher.cmd} {watcher.args}", re.IGNORECASE)
    return activated(watcher) and watcher.shell and told is None


def activating(launch: Launch, sockets: Mapping[str, int]) -> tuple[Launch, dict[str, int]]:
    """The launch of a process that finds these sockets, and under which number it finds each.

    LISTEN_FDNAMES has the names of their sections; there is a colon between names, so none can have one.
    """
    names = ":".join(name.replace(":", "_") for name in sockets)
    first = FIRST + len(launch.listen_fds)
    changed = evolve(
        launch,
        env={**launch.env, "LISTEN_FDNAMES": names},
        listen_fds=(*launch.listen_fds, *sockets.values()),
    )
    return changed, {name: number for number, name in enumerate(sockets, first)}
