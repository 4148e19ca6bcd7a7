"""One process that is looked at again and again: its descriptor is kept, and so is what did not change since.

A look is one read of /proc/PID/stat. That descriptor belongs to the process and not to its number: when the process is
gone it fails with ESRCH, even if another has the number by then.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from circus_core import open_files
from circus_plugins.stats import proc, words
from circus_plugins.stats.identity import UNKNOWN, identify

if TYPE_CHECKING:
    from collections.abc import Mapping

SLACK = 2.0
"""Seconds by which the wall clock may have been set since a process was started."""

LOADED = 10.0
"""Seconds within which a program is loaded; one without a command line then has given it up."""

pread, monotonic = os.pread, time.monotonic


class Watched:
    """`parent` is who must have started it, `spawned_at` when, and `fixed` what else is told of it every time.

    It is `gone` once it is not there any more, or was not when this was made.
    """

    __slots__ = (
        "_again", "_fd", "_fixed", "_head", "_name", "_raw", "_seen", "_tail", "at", "cpu", "gone", "pid", "rss",
        "started", "threads", "ticks",
    )  # fmt: skip

    def __init__(
        self, pid: int, fixed: Mapping[str, Any], *, parent: int | None = None, spawned_at: float | None = None
    ) -> None:
        self.pid = pid
        self.gone = False
        self.at = monotonic()
        self.ticks = self.rss = self.threads = self.started = 0
        self.cpu = 0.0
        self._fixed = fixed
        self._fd = -1
        self._raw = self._name = b""
        self._head = self._tail = ""
        self._seen: proc.Stat | None = None
        self._again = 0.0
        try:
            descriptor = proc.opened(pid)
        except OSError:  # it has ended, or, where no descriptor is left, is tried again at the next look
            self.gone = True
            return
        self._fd = descriptor
        seen = self._read()
        if seen is None:
            return
        stranger = parent is not None and seen.parent != parent
        late = spawned_at is not None and proc.created(seen.started) > spawned_at + SLACK
        if stranger or late:
            self.close()
            return
        self.started = seen.started
        self.ticks = seen.ticks
        if not open_files.may_stay_open(descriptor):
            self._let_go()

    def since(self, at: float) -> None:
        """Let the next look be about the time since `at`, by the steady clock, when it had used nothing yet."""
        self.at, self.ticks = at, 0

    def look(self) -> bool:
        """What it uses now; False if it is gone."""
        if self.gone:
            return False
        before, ticks = self.at, self.ticks
        fd = self._fd
        if fd < 0:
            return self._look_anew(before, ticks)
        try:
            raw = pread(fd, proc.LONGEST, 0)
        except OSError:  # ESRCH: it is gone
            self.close()
            return False
        now = self.at = monotonic()
        if raw != self._raw:
            self._changed(raw)
            self.cpu = words.percent(self.ticks - ticks, now - before)
        else:
            self.cpu = 0.0
        return True

    def refix(self, fixed: Mapping[str, Any]) -> None:
        """Tell something else of it from now on."""
        self._fixed = fixed
        self._head = ""

    def text(self, age: float, more: str = "") -> bytes:
        """The last look as JSON; `more` goes before its end."""
        if not self._head or age >= self._again:
            self._identify(age)
        if not self._tail and self._seen is not None:
            self._tail = _figures(self._seen)
        return f'{self._head}{self._tail},"cpu":{self.cpu},"age":{age:.3f}{more}}}'.encode()

    def close(self) -> None:
        """Look no more."""
        self.gone = True
        self._let_go()

    def _let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> proc.Stat | None:
        try:
            return proc.parse(pread(self._fd, proc.LONGEST, 0))
        except OSError:
            self.close()
            return None

    def _look_anew(self, before: float, ticks: int) -> bool:
        """Where there are too few descriptors to keep one."""
        seen = proc.read(self.pid)
        if seen is None or seen.started != self.started:
            self.close()
            return False
        self.at = monotonic()
        self._take(seen)
        self.cpu = words.percent(self.ticks - ticks, self.at - before)
        return True

    def _changed(self, raw: bytes) -> None:
        self._raw = raw
        self._take(proc.parse(raw))

    def _take(self, seen: proc.Stat) -> None:
        self.ticks, self.rss, self.threads = seen.ticks, seen.rss, seen.threads
        if seen.name != self._name:
            # Another program took the place of the one before (execve(2)), or one calls itself something else.
            self._name = seen.name
            self._head = ""
        self._seen, self._tail = seen, ""

    def _identify(self, age: float) -> None:
        """Who it is. A program may still change its user or its title, most likely while it is young."""
        who = identify(self.pid)
        # While a program is being loaded it has no command line.
        loading = who.cmdline == UNKNOWN and age < LOADED
        self._again = age if loading else max(age, 0.1) * 10
        head = {
            "pid": self.pid,
            "cmdline": who.cmdline,
            "username": who.username,
            "create_time": round(proc.created(self.started), 2),
            "children": [],
            "subtopic": self.pid,
            **self._fixed,
        }
        self._head = json.dumps(head, separators=(",", ":"))[:-1]


def _figures(seen: proc.Stat) -> str:
    """What of a line is told, as members of a JSON object."""
    nice = words.nice(seen)
    return (
        f',"nice":{nice if nice == seen.nice else json.dumps(nice)},"mem_info1":"{words.size(seen.rss)}",'
        f'"mem_info2":"{words.size(seen.vms)}","mem":{words.memory(seen.rss)},"ctime":"{words.cpu_time(seen.ticks)}",'
        f'"threads":{seen.threads},"rss":{seen.rss},"vms":{seen.vms}'
    )
