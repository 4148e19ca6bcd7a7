"""End what a process left behind: descendants that outlived it, wherever they hid. It waits for them, it never polls.

Each is held by a pidfd, so that a signal reaches nobody else and its end is an event of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
from typing import TYPE_CHECKING

from circus_core import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger("circus.remains")

STUCK = 10.0
"""Seconds after SIGKILL when it is said that somebody does not die (a process in uninterruptible sleep)."""
AGAIN = 0.1
"""Seconds until the next look when no pidfd could be had, or somebody is there and not to be found."""
AT_ONCE = 10
"""Looks for somebody who was not found that follow one another at once: mostly he is just being reaped."""


class Remains:
    """Processes to be ended: asked with `signum`, killed at `deadline` (loop time). `gone` is done when none is left.

    `find` answers those that live now, pid and start time; it is called again whenever one of them ended, since a
    process may have forked between two looks. When it finds nobody, and (with True) when all are to be killed,
    `restless` says whether to look once more. Those in `asked` have the signal already.
    """

    def __init__(
        self,
        find: Callable[[], Mapping[int, int]],
        signum: int,
        deadline: float,
        tell: Callable[[int, int], None],
        restless: Callable[[bool], bool] = lambda _killing: False,
        *,
        asked: Mapping[int, int] = {},
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._find = find
        self._signum = signum
        self._tell = tell
        self._restless = restless
        self._asked = asked
        self._held: dict[int, int] = {}
        self._looking: asyncio.Handle | None = None
        self._restless_looks = 0
        self.gone: asyncio.Future[None] = self._loop.create_future()
        killing = signum == signal.SIGKILL
        self._timer = self._loop.call_later(STUCK, self._stuck) if killing else self._loop.call_at(deadline, self.kill)
        self.look()

    def look(self) -> None:
        """Find who is left, ask those that are new, and be done if there is nobody."""
        self._looking = None
        found = self._find()
        for pid in found:
            if pid not in self._held:
                self._hold(pid, found[pid])
        killing = self._signum == signal.SIGKILL
        if (killing or not self._held) and self._restless(killing):
            self._restless_looks += 1
            self._look_soon(0 if self._restless_looks <= AT_ONCE else AGAIN)
        self._finish()

    def _finish(self) -> None:
        if not self._held and self._looking is None and not self.gone.done():
            self._timer.cancel()
            self.gone.set_result(None)

    def kill(self) -> None:
        """The time to stop by themselves is over."""
        if self.gone.done():
            return
        self._signum = signal.SIGKILL
        self._timer.cancel()
        self._timer = self._loop.call_later(STUCK, self._stuck)
        for pid in tuple(self._held):
            self._send(pid)
        self._look_soon(0)

    def _hold(self, pid: int, started: int) -> None:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            os.kill(pid, self._signum)
            self._look_soon(AGAIN)
            return
        again = tree.stat(pid)
        if again is None or again.started != started:
            os.close(descriptor)
            return
        self._held[pid] = descriptor
        self._loop.add_reader(descriptor, self._ended, pid)
        if self._signum == signal.SIGKILL or self._asked.get(pid) != started:
            self._send(pid)

    def _send(self, pid: int) -> None:
        try:
            signal.pidfd_send_signal(self._held[pid], self._signum)
        except ProcessLookupError:
            return
        except PermissionError:
            log.error("pid %d was left behind and may not be signalled by circusd's user", pid)
            self._release(pid)
            return
        self._tell(pid, self._signum)

    def _ended(self, pid: int) -> None:
        self._release(pid)
        # An orphan may have become a child of this very process (subreaper, pid 1): then nobody else reaps it.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        self._look_soon(0)

    def _release(self, pid: int) -> None:
        descriptor = self._held.pop(pid)
        self._loop.remove_reader(descriptor)
        os.close(descriptor)

    def _look_soon(self, delay: float) -> None:
        if self._looking is None:
            self._looking = self._loop.call_later(delay, self.look) if delay else self._loop.call_soon(self.look)

    def _stuck(self) -> None:
        log.warning("still not ended %g s after SIGKILL: pids %s", STUCK, sorted(self._held))
