"""Notice at once that a child ended, and reap it by its pid; what follows from that is others' business.

Two ways. The daemon owns all its children: SIGCHLD wakes it, it is the subreaper of orphans, and as pid 1 the init of
its container. Embedded in somebody's program it holds a pidfd for each child, and touches no signal and no other child.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from typing import TYPE_CHECKING, Protocol

from circus_core import tree
from circus_core.kinship import Strangers
from circus_core.model import Exit
from circus_core.peak import Peaks

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.signals import Signals

log = logging.getLogger("circus.reaper")

TURN = 0.01
"""Seconds of reaping after which others get their turn; what replaces the dead is spawned in it, and may die too."""
PR_SET_CHILD_SUBREAPER = 36


class Reaper(Protocol):
    """What a process needs of either reaper. `inherits`: orphans become our children, so we reap all of a tree."""

    inherits: bool

    def watch(self, pid: int, ended: Callable[[Exit | None], None]) -> None:
        """Call `ended` once the child is reaped; with None if somebody else reaped it."""
        ...

    def forget(self, pid: int) -> None:
        """Let a child go: it is reaped as any stranger is."""
        ...

    def afterwards(self, callback: Callable[[], None]) -> None:
        """Call back when all children known to have ended are reaped, so that their orphans have arrived."""
        ...

    def strangers(self) -> Strangers:
        """Processes that may be descendants of our children and that are not our children by spawn."""
        ...

    def close(self) -> None:
        """Stop noticing."""
        ...


def _wait(pid: int, peaks: Peaks) -> Exit | None:
    """Reap a child that has ended."""
    try:
        reaped, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    if reaped == 0:
        raise BlockingIOError(f"child {pid} has not ended")
    return Exit(status, usage.ru_utime + usage.ru_stime, peaks.of(usage.ru_maxrss))


class ChildReaper:
    """The daemon's: every child of this process is its business."""

    inherits = True

    def __init__(self, signals: Signals) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched: dict[int, Callable[[Exit | None], None]] = {}
        self._afterwards: list[Callable[[], None]] = []
        self._strangers: Strangers | None = None
        self._session = os.getsid(0)
        self._peaks = Peaks()
        _become_subreaper()
        signals.on(signal.SIGCHLD, self._reap)

    def watch(self, pid: int, ended: Callable[[Exit | None], None]) -> None:
        self._watched[pid] = ended

    def forget(self, pid: int) -> None:
        self._watched.pop(pid, None)

    def afterwards(self, callback: Callable[[], None]) -> None:
        if not self._afterwards:
            self._loop.call_soon(self._run_afterwards)
        self._afterwards.append(callback)

    def strangers(self) -> Strangers:
        if self._strangers is None:
            self._strangers = Strangers([pid for pid in tree.children(os.getpid()) if pid not in self._watched])
            self._loop.call_soon(self._forget_strangers)
        return self._strangers

    def close(self) -> None:
        """The signal's handler goes with `Signals`, whose owner closes it."""

    def _forget_strangers(self) -> None:
        self._strangers = None

    def _run_afterwards(self) -> None:
        self._strangers = None
        callbacks, self._afterwards = self._afterwards, []
        for callback in callbacks:
            callback()

    def _reap(self) -> None:
        end = time.monotonic() + TURN
        while time.monotonic() < end:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if not self._reap_one(ended.si_pid):
                self._reap_known()
                return
        self._loop.call_soon(self._reap)

    def _reap_one(self, pid: int) -> bool:
        """Reap a child; False if it belongs to a library of this process, which will wait for it itself.

        Such a child stays in our session, since only what we spawn, and its descendants, are in others.
        """
        callback = self._watched.pop(pid, None)
        if callback is not None:
            callback(_wait(pid, self._peaks))
            return True
        seen = tree.stat(pid)
        if seen is not None and seen.session == self._session and os.getpid() != 1:
            return False
        _wait(pid, self._peaks)
        log.debug("reaped pid %d, an orphan", pid)
        return True

    def _reap_known(self) -> None:
        """A library's ended child hides ours from waitid(P_ALL), so ask for each; rare, and only until it is reaped."""
        for pid in tuple(self._watched):
            try:
                ended = _wait(pid, self._peaks)
            except BlockingIOError:
                continue
            self._watched.pop(pid)(ended)


class PidfdReaper:
    """For a supervisor inside somebody's program: a pidfd for each child, and nothing else is touched."""

    inherits = False

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._held: dict[int, int] = {}
        self._peaks = Peaks()
        self._strangers: Strangers | None = None

    def watch(self, pid: int, ended: Callable[[Exit | None], None]) -> None:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            # The program around us waits for all children and has reaped this one already.
            self._loop.call_soon(ended, None)
            return
        self._held[pid] = descriptor
        self._loop.add_reader(descriptor, self._reap, pid, ended)

    def forget(self, pid: int) -> None:
        descriptor = self._held.pop(pid, None)
        if descriptor is not None:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)

    def afterwards(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon(callback)

    def strangers(self) -> Strangers:
        if self._strangers is None:
            ours = self._held.keys() | {os.getpid()}
            self._strangers = Strangers([pid for pid in tree.everyone() if pid not in ours])
            self._loop.call_soon(self._forget_strangers)
        return self._strangers

    def close(self) -> None:
        for pid in tuple(self._held):
            self.forget(pid)

    def _forget_strangers(self) -> None:
        self._strangers = None

    def _reap(self, pid: int, ended: Callable[[Exit | None], None]) -> None:
        self.forget(pid)
        ended(_wait(pid, self._peaks))


def _become_subreaper() -> None:
    """Let orphaned descendants become our children, see PR_SET_CHILD_SUBREAPER in prctl(2)."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        log.warning("cannot become the subreaper of orphans: %s", os.strerror(ctypes.get_errno()))
