"""One process: who it is, what it is doing, its signals. It does not know why it runs or what replaces it.

How it ends, and its whole tree with it, is `circus_core.ending`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING, Protocol

from attrs import evolve

from circus_core import tree
from circus_core.consent import objection
from circus_core.ending import Ending, noticed
from circus_core.events import SignalSent
from circus_core.kinship import Released, mark
from circus_core.model import Exit, ProcessRef, ProcessState

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.bus import Bus
    from circus_core.reaper import Reaper


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
    """A spawned process. `requested`: it ends, or ended, on somebody's order. `came_up`: it was ready once."""

    __slots__ = (
        "_ending", "_number", "bus", "came_up", "exit", "expiry", "owner", "pid", "reaper", "requested", "spawned_at",
        "started", "state", "watcher", "wid",
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
        self.bus = bus
        self.reaper = reaper
        self.owner = owner
        self.spawned_at = time.time()
        self.started = time.monotonic()
        self.state = ProcessState.STARTING
        self.exit: Exit | None = None
        self.requested = False
        self.came_up = False
        self.expiry: asyncio.TimerHandle | None = None
        self._ending: Ending | None = None
        reaper.watch(pid, self._reaped)

    @property
    def mark(self) -> str:
        """What tells its descendants from those of any other process; see `circus_core.kinship`."""
        return mark(self.owner.family, self._number, self.wid)

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

    def children(self) -> list[int]:
        """The pids of the direct children."""
        return tree.children(self.pid) if self.alive else []

    def descendants(self) -> list[int]:
        """The pids of children, their children and so on."""
        return tree.descendants(self.pid) if self.alive else []

    # Signals that nobody means as an end

    def signal(self, signum: int) -> bool:
        """Send a signal to the process alone; False if a plugin held it back or the process has ended."""
        if not self.alive or self.vetoed(self.pid, signum):
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
        if not self.vetoed(pid, signum):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)
                self._tell_sent(pid, signum)

    def vetoed(self, pid: int, signum: int) -> bool:
        """Whether a plugin holds back a signal to the process or to a descendant."""
        if signum == signal.SIGKILL:
            return False
        target = self.ref if pid == self.pid else evolve(self.ref, pid=pid)
        return (
            objection(self.bus, "circus_veto_signal", "signal", self.watcher, process=target, signum=signum) is not None
        )

    def _tell_sent(self, pid: int, signum: int) -> None:
        descendant_of = None if pid == self.pid else self.pid
        self.bus.publish(
            SignalSent(watcher=self.watcher, wid=self.wid, pid=pid, signum=signum, descendant_of=descendant_of)
        )

    # Its end

    def expire(self, left: float | None, then: Callable[[Process], object] = lambda _process: None) -> None:
        """Call `then` in `left` seconds if it lives until then, and no more at any time that was set before."""
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None
        if left is not None:
            self.expiry = asyncio.get_running_loop().call_later(left, then, self)

    def stop(self, signum: int, grace: float, *, group: bool = False) -> asyncio.Future[None]:
        """Ask the process (with `group`, its process group) to end, and SIGKILL all that is left after `grace` seconds.

        A second call with a shorter grace shortens the first, and another signal is sent too. The answer is `gone()`.
        """
        if self.state is not ProcessState.GONE:
            self._end().ask(signum, grace, group)
        return self.gone()

    def kill(self) -> None:
        """SIGKILL to the process and to every descendant, at once."""
        if self.state is not ProcessState.GONE:
            self._end().kill()

    def gone(self) -> asyncio.Future[None]:
        """Done when neither the process nor a descendant is left; a SystemCallError if circusd may not kill it.

        Each caller has a future of its own to cancel.
        """
        if self.state is ProcessState.GONE:
            done = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        return noticed(asyncio.shield(self._end().gone))

    def release(self) -> Released:
        """Let the process go on by itself; it is not ours any more."""
        seen = tree.stat(self.pid)
        self.reaper.forget(self.pid)
        if self._ending is not None:
            self._ending.disarm()
        self.expire(None)
        return Released(self.pid, seen.started if seen else 0, self.mark)

    def _end(self) -> Ending:
        """A process is one of thousands: what only its end needs is made when it ends."""
        if self._ending is None:
            self._ending = Ending(self)
        return self._ending

    def _reaped(self, status: Exit | None) -> None:
        self.exit = status
        self.state = ProcessState.ENDED
        self.expire(None)
        ending = self._end()
        ending.disarm()
        self.owner.ended(self)
        self.reaper.afterwards(ending.look_for_remains)

    def left(self) -> None:
        """Its ending tells: nothing is left of it."""
        self.state = ProcessState.GONE
        self._ending = None
        self.owner.gone(self)
