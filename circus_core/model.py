"""The values that everything else passes around: states, launches, exits, answers. Nothing here does anything.

The options of watchers and the rest of a configuration are `circus_core.declarations`', and found here too.
"""

from __future__ import annotations

import enum
import os
import signal
from typing import TYPE_CHECKING

from attrs import field, frozen

from circus_core.declarations import Config, PluginOptions, SupervisorOptions, WatcherOptions, sections

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Config",
    "Exit",
    "GiveUp",
    "Launch",
    "PluginOptions",
    "Postpone",
    "ProcessRef",
    "ProcessState",
    "Refuse",
    "Restart",
    "RetryLater",
    "SupervisorOptions",
    "WatcherOptions",
    "WatcherState",
    "in_words",
    "sections",
]


class WatcherState(enum.StrEnum):
    """What a watcher is doing; the words are Circus'."""

    STOPPED = "stopped"
    STARTING = "starting"
    ACTIVE = "active"
    STOPPING = "stopping"


class ProcessState(enum.StrEnum):
    """What a process is doing. A process is `gone` when its whole tree is."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    ENDED = "ended"
    GONE = "gone"


@frozen
class Launch:
    """Everything needed to start one process. `circus_adjust_launch` may answer a changed copy.

    `stdin`, `stdout` and `stderr` are descriptors of circusd, None to inherit, or `DEVNULL` (-3, as in subprocess).
    `pass_fds` stay open in the child under the same numbers. `listen_fds` it finds from 3 on, in this order, with
    LISTEN_FDS and LISTEN_PID as in sd_listen_fds(3). Nothing else stays open.
    """

    watcher: str
    wid: int
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None = None
    executable: str | None = None
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None
    umask: int | None = None
    rlimits: Mapping[str, int] = field(factory=dict)
    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    pass_fds: tuple[int, ...] = ()
    listen_fds: tuple[int, ...] = ()


@frozen
class ProcessRef:
    """A process by its values: which watcher and slot, its pid, and when it was spawned (epoch seconds)."""

    watcher: str
    wid: int
    pid: int
    spawned_at: float


@frozen
class Exit:
    """How a process ended, from wait4(2). `cpu` is user plus system seconds, `peak_memory` bytes if it is known."""

    status: int
    cpu: float = 0.0
    peak_memory: int | None = None

    @property
    def code(self) -> int:
        """The exit status, or minus the number of the signal that ended it."""
        return os.waitstatus_to_exitcode(self.status)


def in_words(code: int | None) -> str:
    """How a process ended: `exited with status 1`, `was killed by SIGSEGV`. None is a status that was lost."""
    if code is None:
        return "ended (its status was lost)"
    if code >= 0:
        return f"exited with status {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


@frozen
class Refuse:
    """An intervention's answer: do not do it, and why, and what to do about that."""

    reason: str
    hint: str = ""


@frozen
class Postpone:
    """An intervention's answer: not now; whoever answers it orders the start once it is wanted."""

    reason: str


@frozen
class RetryLater:
    """An intervention's answer to a spawn: not now, ask again after so many seconds."""

    after: float = field(converter=float)
    reason: str = ""


@frozen
class Restart:
    """Policy's answer: spawn the slot again after `delay` seconds."""

    delay: float = field(default=0.0, converter=float)


@frozen
class GiveUp:
    """Policy's answer: leave the slot empty, and say why."""

    reason: str
