"""One class for each thing that can have happened; its docstring is its reference entry, and it does nothing.

What they have in common is `circus_core.happening`'s, and found here too, for those who declare events of their own.
"""

from __future__ import annotations

from typing import ClassVar

from circus_core.happening import EVENTS as EVENTS
from circus_core.happening import Event as Event
from circus_core.happening import circus as circus
from circus_core.happening import event as event


@event
class SupervisorStarted(Event):
    """circusd has started every watcher that starts by itself."""

    pid: int


@event
class SupervisorStopping(Event):
    """circusd begins to stop everything; `reason` says who asked."""

    reason: str


@event
class SupervisorReloaded(Event):
    """A new configuration is in force; `actions` says in words what was done for it."""

    actions: tuple[str, ...] = ()


@event
class LogsReopened(Event):
    """circusd opened its log anew, by SIGHUP or the command `reopenlogs`; whoever else writes files does so too."""


@event
class WatcherAdded(Event):
    """A watcher became known; it is stopped."""

    action: ClassVar[str | None] = "add"
    watcher: str


@event
class WatcherRemoved(Event):
    """A watcher is being forgotten; unless `nostop` was asked for, its processes are stopped next."""

    action: ClassVar[str | None] = "remove"
    watcher: str


@event
class WatcherStarted(Event):
    """A watcher became active: each of its processes was spawned."""

    action: ClassVar[str | None] = "start"
    watcher: str


@event
class WatcherStopped(Event):
    """Nothing of a watcher is left: no process, and no descendant of one."""

    action: ClassVar[str | None] = "stop"
    watcher: str


@event
class StartCalledOff(Event):
    """Somebody ordered the end or the removal of a watcher whose start a plugin had postponed: it is not to come."""

    watcher: str


@event
class WatcherUpdated(Event):
    """An option of a watcher changed while circusd ran; `option` is its key."""

    action: ClassVar[str | None] = "updated"
    watcher: str
    option: str


@event
class WatcherReloaded(Event):
    """A graceful reload of a watcher is complete."""

    action: ClassVar[str | None] = "reload"
    watcher: str


@event
class WatcherGaveUp(Event):
    """A slot of a watcher stays empty from now on: it failed too often in a row, or a plugin said so.

    `last` is set if no slot of the watcher is left: it is stopped. `exit_code` is of the last process there, if any;
    `last_words` are the last lines of its standard error, where that has a stream.
    """

    watcher: str
    wid: int
    reason: str
    last: bool
    exit_code: int | None = None
    last_words: tuple[str, ...] = ()


@event
class ProcessSpawned(Event):
    """A process was started and its program is running."""

    action: ClassVar[str | None] = "spawn"
    watcher: str
    wid: int
    pid: int = circus("process_pid")


@event
class ProcessReady(Event):
    """A process whose readiness a plugin was asked about is ready, `after` seconds from its spawn."""

    watcher: str
    wid: int
    pid: int
    after: float


@event
class ProcessUnready(Event):
    """A process did not become ready, or ended before it was, `after` seconds from its spawn; `reason` says why.

    If it still lives it is ended, and replaced as one that died young.
    """

    watcher: str
    wid: int
    pid: int
    after: float
    reason: str


@event
class ProcessSignaled(Event):
    """circusd sent a signal to end a process, or SIGKILL because it did not end, or to a descendant of it.

    Descendants have no other events. For one, `descendant_of` is the pid of the watcher's process from which it comes.
    """

    action: ClassVar[str | None] = "kill"
    watcher: str
    wid: int
    pid: int = circus("process_pid")
    signum: int
    descendant_of: int | None = None


@event
class SignalSent(Event):
    """A signal that nobody means as an end was sent to a process or a descendant: by the command `signal`, or SIGHUP by
    a reload with `send_hup`. Those of stops and kills are in `process_signaled`, where `descendant_of` is explained."""

    watcher: str
    wid: int
    pid: int
    signum: int
    descendant_of: int | None = None


@event
class ProcessExited(Event):
    """A process ended and was reaped.

    `exit_code` is the status, or minus the signal's number, or None if somebody else reaped it. `age` is seconds
    lived, `cpu` user and system seconds (wait4). `peak_memory` is the most memory, in bytes, that it had, or a child
    that it waited for; None where that was not a tenth more than circusd had itself, for the kernel counts that too.
    `requested` is set when circusd ended it on somebody's order, and `ready` if it had become ready; a process that
    nobody asks about is ready once it is spawned.
    """

    action: ClassVar[str | None] = "reap"
    watcher: str
    wid: int
    pid: int = circus("process_pid")
    exit_code: int | None
    age: float
    requested: bool
    ready: bool = True
    cpu: float = 0.0
    peak_memory: int | None = None


@event
class SpawnFailed(Event):
    """A process could not be started; `reason` says why, and `retry_in` when the next attempt is (None: never)."""

    watcher: str
    wid: int
    reason: str
    retry_in: float | None = None


@event
class RestartDelayed(Event):
    """A process that keeps dying young is spawned again only after `delay` seconds."""

    watcher: str
    wid: int
    delay: float
    failures: int


@event
class ActionVetoed(Event):
    """A plugin refused what was about to happen, or had just happened: `intent` is start, spawn or signal."""

    watcher: str
    intent: str
    reason: str
    plugin: str


@event
class PluginStarted(Event):
    """A plugin inside circusd is at work."""

    plugin: str


@event
class PluginFailed(Event):
    """A plugin raised in `hook`. After several failures in a row it is `disabled` and not called again."""

    plugin: str
    hook: str
    error: str
    disabled: bool = False


@event
class EventsLost(Event):
    """A subscriber missed the events from `first` to `last` and they are no longer kept."""

    first: int
    last: int
