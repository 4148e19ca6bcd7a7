"""One process: its state, its signals, and the end of its whole tree. It does not know why it runs or what replaces it.

A process is over in two steps: it has *ended* when it is reaped, and is *gone* when none of its descendants is left.
Descendants are found by kinship (taken down before the stop signal), by process group and session, and by a mark in
their environment, so those that forked twice and called setsid are found as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import TYPE_CHECKING, Protocol

from attrs import evolve

from circus_core import tree
from circus_core.consent import objection
from circus_core.errors import SystemCallError
from circus_core.events import ProcessSignaled, SignalSent
from circus_core.kinship import Released
from circus_core.model import Exit, ProcessRef, ProcessState
from circus_core.remains import Remains

if TYPE_CHECKING:
    from circus_core.bus import Bus
    from circus_core.reaper import Reaper

log = logging.getLogger("circus.process")


class Owner(Protocol):
    """Who has a process, and hears of its end. `family` is what the marks of all its processes begin with."""

    @property
    def family(self) -> str: ...

    def ended(self, process: Process) -> None:
        """It was reaped; what it left behind is looked for next."""
        ...

    def gone(self, process: Process) -> None:
        """Nothing is left of it."""
        ...

    def terms(self) -> tuple[int, float]:
        """The stop signal and the grace (seconds) for descendants of a process that died by itself."""
        ...


class Process:
    """A spawned process."""

    __slots__ = (
        "_bus", "_deadline", "_gone", "_kin", "_number", "_owner", "_reaper", "_remains", "_seen", "_signum", "_timer",
        "exit", "expiry", "pid", "requested", "spawned_at", "started", "state", "watcher", "wid",
    )  # fmt: skip

    def __init__(
        self,
        watcher: str,
        wid: int,
        pid: int,
        number: int,
        bus: Bus,
        reaper: Reaper,
        owner: Owner,
    ) -> None:
        self.watcher = watcher
        self.wid = wid
        self.pid = pid
        self._number = number
        self.spawned_at = time.time()
        self.started = time.monotonic()
        self.state = ProcessState.STARTING
        self.exit: Exit | None = None
        self.requested = False
        self.expiry: asyncio.TimerHandle | None = None
        self._bus = bus
        self._reaper = reaper
        self._owner = owner
        # A process is one of thousands: what only its end needs is made when it ends.
        self._gone: asyncio.Future[None] | None = None
        self._kin: dict[int, int] | None = None
        self._seen: set[int] | None = None
        self._remains: Remains | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._signum = int(signal.SIGTERM)
        self._deadline = 0.0
        reaper.watch(pid, self._ended)

    @property
    def mark(self) -> str:
        """What tells its descendants from those of any other process; see `circus_core.kinship`."""
        return f"{self._owner.family}/{self._number}"

    @property
    def ref(self) -> ProcessRef:
        """The process by its values."""
        return ProcessRef(self.watcher, self.wid, self.pid, self.spawned_at)

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in (ProcessState.STARTING, ProcessState.READY, ProcessState.STOPPING)

    @property
    def age(self) -> float:
        """Seconds since the spawn."""
        return time.monotonic() - self.started

    def gone(self) -> asyncio.Future[None]:
        """Done when neither the process nor a descendant is left; a SystemCallError if circusd may not kill it.

        Each caller has a future of its own to cancel.
        """
        if self._gone is None:
            self._gone = asyncio.get_running_loop().create_future()
            if self.state is ProcessState.GONE:
                self._gone.set_result(None)
        done = asyncio.shield(self._gone)
        done.add_done_callback(_seen)
        return done

    def signal(self, signum: int) -> bool:
        """Send a signal to the process alone; False if a plugin held it back or the process has ended."""
        if not self.alive or self._vetoed(self.pid, signum):
            return False
        try:
            # The pid cannot be anybody else's: it is not reaped yet.
            os.kill(self.pid, signum)
        except ProcessLookupError:
            # But for a program around us that waits for any child; that this one has ended is told next.
            return False
        self._tell_sent(self.pid, signum)
        return True

    def signal_child(self, pid: int, signum: int) -> None:
        """Send a signal to a descendant; one that has just ended needs none, and its brothers get theirs."""
        if not self._vetoed(pid, signum):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)
                self._tell_sent(pid, signum)

    def children(self) -> list[int]:
        """The pids of the direct children."""
        return tree.children(self.pid) if self.alive else []

    def descendants(self) -> list[int]:
        """The pids of children, their children and so on."""
        return tree.descendants(self.pid) if self.alive else []

    def stop(self, signum: int, grace: float, *, group: bool = False) -> asyncio.Future[None]:
        """Ask the process (with `group`, its process group) to end, and SIGKILL all that is left after `grace` seconds.

        A second call with a shorter grace shortens the first, and another signal is sent too. The answer is `gone()`.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        if self.state is ProcessState.STOPPING or self.state is ProcessState.ENDED:
            if deadline < self._deadline:
                self._arm(deadline)
            if signum == signal.SIGKILL:
                self.kill()
            elif signum != self._signum and self.alive:
                self._signum = signum
                self._ask(signum, group)
        elif self.alive:
            self.state = ProcessState.STOPPING
            self.requested = True
            self._signum = signum
            self._kin = tree.identify(tree.descendants(self.pid))
            self._arm(deadline)
            self._ask(signum, group)
        return self.gone()

    def _arm(self, deadline: float) -> None:
        self._deadline = deadline
        if self._timer is not None:
            self._timer.cancel()
        kill = self.kill if self._remains is None else self._remains.kill
        self._timer = asyncio.get_running_loop().call_at(deadline, kill)

    def _ask(self, signum: int, group: bool) -> None:
        if not self._vetoed(self.pid, signum):
            self._send(signum, group)
        self._tell(self.pid, signum)
        if group and self._kin:
            for pid in self._kin:
                self._tell(pid, signum)

    def _send(self, signum: int, group: bool) -> bool:
        """False if circusd may not signal it."""
        try:
            (os.killpg if group else os.kill)(self.pid, signum)
        except ProcessLookupError:
            pass
        except PermissionError:
            log.error("%s/%d: pid %d may not be signalled by circusd's user", self.watcher, self.wid, self.pid)
            return False
        return True

    def kill(self) -> None:
        """SIGKILL to the process and to every descendant, at once."""
        if self._remains is not None:
            self._remains.kill()
        if self.state is ProcessState.GONE:
            return
        self.requested = True
        self._signum = signal.SIGKILL
        self._deadline = 0.0
        if self.state is ProcessState.ENDED:
            return
        self.state = ProcessState.STOPPING
        self._kin = {**(self._kin or {}), **tree.identify(tree.descendants(self.pid))}
        # The group as a whole, so that nobody in it can fork away from it; that may have reached others and not it.
        if self._send(signal.SIGKILL, True) and self._send(signal.SIGKILL, False):
            self._tell(self.pid, signal.SIGKILL)
        else:
            self._out_of_reach()

    def _out_of_reach(self) -> None:
        """Whoever waits for its end does so in vain. It is still watched, and its exit will be told."""
        error = SystemCallError(
            f"{self.watcher}/{self.wid}: pid {self.pid} may not be signalled by circusd's user, and goes on",
            hint="circusd has to run as the process's user, or with CAP_KILL",
        )
        self.gone()
        if self._gone is not None and not self._gone.done():
            self._gone.set_exception(error)
            _seen(self._gone)

    def release(self) -> Released:
        """Let the process go on by itself; it is not ours any more."""
        seen = tree.stat(self.pid)
        self._reaper.forget(self.pid)
        for timer in (self._timer, self.expiry):
            if timer is not None:
                timer.cancel()
        return Released(self.pid, seen.started if seen else 0, self.mark)

    def _vetoed(self, pid: int, signum: int) -> bool:
        """Whether a plugin holds back a signal to the process or to a descendant."""
        if signum == signal.SIGKILL:
            return False
        target = self.ref if pid == self.pid else evolve(self.ref, pid=pid)
        return (
            objection(self._bus, "circus_veto_signal", "signal", self.watcher, process=target, signum=signum)
            is not None
        )

    def _tell_sent(self, pid: int, signum: int) -> None:
        self._bus.publish(SignalSent(watcher=self.watcher, wid=self.wid, pid=pid, signum=signum))

    def _tell(self, pid: int, signum: int) -> None:
        self._bus.publish(ProcessSignaled(watcher=self.watcher, wid=self.wid, pid=pid, signum=signum))

    def _ended(self, status: Exit | None) -> None:
        self.exit = status
        self.state = ProcessState.ENDED
        for timer in (self._timer, self.expiry):
            if timer is not None:
                timer.cancel()
        self._timer = self.expiry = None
        self._owner.ended(self)
        self._reaper.afterwards(self._look_for_remains)

    def _look_for_remains(self) -> None:
        if not self._left_over() and not self._restless(False):
            self._finish(None)
            return
        if not self.requested:
            self._signum, grace = self._owner.terms()
            self._deadline = asyncio.get_running_loop().time() + grace
        self._remains = Remains(self._left_over, self._signum, self._deadline, self._tell, self._restless)
        self._remains.gone.add_done_callback(self._finish)

    def _finish(self, _done: asyncio.Future[None] | None) -> None:
        self.state = ProcessState.GONE
        self._remains = self._kin = self._seen = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._owner.gone(self)
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def _left_over(self) -> dict[int, int]:
        """The descendants that live, with their start times.

        Of a process that died by itself only its group is looked at, in constant time: it may be one of thousands.
        """
        grouped = tree.group_lives(self.pid)
        if not grouped and not self.requested and self._remains is None:
            return {}
        found = set(tree.identify(list(self._kin or ())).items() & (self._kin or {}).items())
        pids = {pid for pid, _ in found}
        pids |= self._reaper.strangers().kin(self.pid, self.mark)
        pids.update(tree.descendants(*pids))
        return tree.identify(sorted(pids))

    def _restless(self, killing: bool) -> bool:
        """Whether the group has somebody who is not found: one who forks and ends is never where one looks.

        When all are to be killed the group is killed as a whole, which nobody can outrun. Those that are dead and only
        wait to be reaped do not count where that is init's business, who may take its time.
        """
        if not tree.group_lives(self.pid):
            return False
        if killing:
            self._send(signal.SIGKILL, True)
        if self._reaper.inherits:
            return True
        strangers = self._reaper.strangers()
        members = strangers.group(self.pid, dead=False)
        before, self._seen = self._seen, members
        return not members or members != before or members != strangers.group(self.pid, dead=True)


def _seen(done: asyncio.Future[None]) -> None:
    """Mark a failure as noticed: not everybody who asks for an end waits for it."""
    if not done.cancelled():
        done.exception()
