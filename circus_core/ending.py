"""The end of one process and of its whole tree. Why it ends, and what replaces it, it does not know.

A process is over in two steps: it has *ended* when it is reaped, and is *gone* when none of its descendants is left.
Descendants are found by kinship (taken down before the stop signal), by process group and session, and by a mark in
their environment, so those that forked twice and called setsid are found as well.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING

from circus_core import tree
from circus_core.errors import SystemCallError
from circus_core.events import ProcessSignaled
from circus_core.model import ProcessState
from circus_core.remains import Remains

if TYPE_CHECKING:
    from circus_core.process import Process

log = logging.getLogger("circus.process")


class Ending:
    """How far the end of a process has come. `gone` is done with it, or fails if circusd may not kill it."""

    __slots__ = ("_asked", "_deadline", "_kin", "_process", "_remains", "_seen", "_signum", "_timer", "gone")

    def __init__(self, process: Process) -> None:
        self._process = process
        self._signum = int(signal.SIGTERM)
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._kin: dict[int, int] = {}
        # Who has got `_signum` with the group. Many a program takes a second one for an order to hurry.
        self._asked: dict[int, int] = {}
        self._seen: set[int] | None = None
        self._remains: Remains | None = None
        self.gone = noticed(asyncio.get_running_loop().create_future())

    # While the process lives

    def ask(self, signum: int, grace: float, group: bool) -> None:
        """See `Process.stop`."""
        process = self._process
        deadline = asyncio.get_running_loop().time() + grace
        if process.state in (ProcessState.STARTING, ProcessState.READY):
            process.state = ProcessState.STOPPING
            process.requested = True
            self._signum = signum
            self._kin = tree.identify(tree.descendants(process.pid))
            self._arm(deadline)
            self._send_to_all(signum, group)
            return
        if deadline < self._deadline:
            self._arm(deadline)
        if signum == signal.SIGKILL:
            self.kill()
        elif signum != self._signum and process.alive:
            self._signum = signum
            self._send_to_all(signum, group)

    def kill(self) -> None:
        """See `Process.kill`."""
        process = self._process
        if self._remains is not None:
            self._remains.kill()
        process.requested = True
        self._signum = signal.SIGKILL
        self._deadline = 0.0
        if not process.alive:
            return
        process.state = ProcessState.STOPPING
        self._kin |= tree.identify(tree.descendants(process.pid))
        # The group as a whole, so that nobody in it can fork away from it; that may have reached others and not it.
        if self._send(signal.SIGKILL, True) and self._send(signal.SIGKILL, False):
            self._tell(process.pid, signal.SIGKILL)
        else:
            self._out_of_reach()

    def disarm(self) -> None:
        """The process ended in time, or is none of our business any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, deadline: float) -> None:
        self._deadline = deadline
        self.disarm()
        self._timer = asyncio.get_running_loop().call_at(deadline, self.kill)

    def _send_to_all(self, signum: int, group: bool) -> None:
        pid = self._process.pid
        members = self._members() if group else {}
        self._asked = {}
        if not self._process.vetoed(pid, signum):
            self._send(signum, group)
            self._asked = members
        for each in (pid, *members):
            self._tell(each, signum)

    def _members(self) -> dict[int, int]:
        """Who is reached by a signal to the group besides the process, with start times."""
        pid = self._process.pid
        kin = {*self._kin, *self._process.reaper.strangers().group(pid, dead=False)} - {pid}
        stats = {each: seen for each in sorted(kin) if (seen := tree.stat(each)) is not None}
        return {each: seen.started for each, seen in stats.items() if seen.alive and seen.group == pid}

    def _send(self, signum: int, group: bool) -> bool:
        """False if circusd may not signal it."""
        process = self._process
        try:
            (os.killpg if group else os.kill)(process.pid, signum)
        except ProcessLookupError:
            pass
        except PermissionError:
            log.error("%s/%d: pid %d may not be signalled by circusd's user", process.watcher, process.wid, process.pid)
            return False
        return True

    def _out_of_reach(self) -> None:
        """Whoever waits for its end does so in vain. It is still watched, and its exit will be told."""
        process = self._process
        error = SystemCallError(
            f"{process.watcher}/{process.wid}: pid {process.pid} may not be signalled by circusd's user, and goes on",
            hint="circusd has to run as the process's user, or with CAP_KILL",
        )
        if not self.gone.done():
            self.gone.set_exception(error)

    def _tell(self, pid: int, signum: int) -> None:
        process = self._process
        process.bus.publish(
            ProcessSignaled(
                watcher=process.watcher, wid=process.wid, pid=pid, signum=signum,
                descendant_of=None if pid == process.pid else process.pid,
            )
        )  # fmt: skip

    # When it has ended

    def look_for_remains(self) -> None:
        """End what the process left behind, if there is anything."""
        if not self._left_over() and not self._restless(False):
            self._finish(None)
            return
        if not self._process.requested:
            self._signum, grace = self._process.owner.terms()
            self._deadline = asyncio.get_running_loop().time() + grace
        self._remains = Remains(
            self._left_over, self._signum, self._deadline, self._tell, self._restless, asked=self._asked
        )
        self._remains.gone.add_done_callback(self._finish)

    def _left_over(self) -> dict[int, int]:
        """The descendants that live, with their start times.

        Of a process that died by itself only its group is looked at, in constant time: it may be one of thousands.
        """
        process = self._process
        grouped = tree.group_lives(process.pid)
        if not grouped and not process.requested and self._remains is None:
            return {}
        found = set(tree.identify(list(self._kin)).items() & self._kin.items())
        pids = {pid for pid, _ in found}
        pids |= process.reaper.strangers().kin(process.pid, process.mark)
        pids.update(tree.descendants(*pids))
        return tree.identify(sorted(pids))

    def _restless(self, killing: bool) -> bool:
        """Whether the group has somebody who is not found: one who forks and ends is never where one looks.

        When all are to be killed the group is killed as a whole, which nobody can outrun. Those that are dead and only
        wait to be reaped do not count where that is init's business, who may take its time.
        """
        pid, reaper = self._process.pid, self._process.reaper
        if not tree.group_lives(pid):
            return False
        if killing:
            self._send(signal.SIGKILL, True)
        if reaper.inherits:
            return True
        strangers = reaper.strangers()
        members = strangers.group(pid, dead=False)
        before, self._seen = self._seen, members
        return not members or members != before or members != strangers.group(pid, dead=True)

    def _finish(self, _done: asyncio.Future[None] | None) -> None:
        self._remains = None
        self.disarm()
        self._process.left()
        if not self.gone.done():
            self.gone.set_result(None)


def noticed(done: asyncio.Future[None]) -> asyncio.Future[None]:
    """A failure of it counts as noticed: not everybody who asks for an end waits for it."""
    done.add_done_callback(lambda done: None if done.cancelled() else done.exception())
    return done
