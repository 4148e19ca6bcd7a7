"""One class for each thing that can have happened; its docstring is its reference entry, and it does nothing.

`EVENTS` is the table of all of them by name. The bus stamps `seq` and `at` when an event is published. `action` is the
last part of Circus' topic `watcher.NAME.ACTION` (PROTOCOL.md 2) for events that Circus has too.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, TypeVar, dataclass_transform

import attrs
from attrs import field, frozen

from circus_core.errors import PluginError

E = TypeVar("E", bound="Event")
EVENTS: dict[str, type[Event]] = {}
_FIELDS: dict[str, tuple[type[Event], tuple[str, ...]]] = {}


def circus(name: str, **kwargs: Any) -> Any:
    """A field that Circus' payload calls `name`; it is sent under both names."""
    return field(metadata={"circus": name}, **kwargs)


@frozen(kw_only=True, eq=False, repr=False)
class Event:
    """Something that happened. `seq` counts up by one per supervisor; `at` is wall-clock seconds.

    Two events are equal if they say the same, whenever it happened.
    """

    name: ClassVar[str] = "event"
    action: ClassVar[str | None] = None

    seq: int = 0
    at: float = 0.0

    def fields(self) -> dict[str, Any]:
        """What the event says, by field, without `seq` and `at`."""
        names = (entry.name for entry in attrs.fields(type(self)))
        return {name: getattr(self, name) for name in names if name not in ("seq", "at")}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and type(other) is type(self) and other.fields() == self.fields()

    def __hash__(self) -> int:
        return hash((self.name, *self.fields().values()))

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.fields().items())
        return f"{type(self).__name__}({said}, seq={self.seq})"


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False, field_specifiers=(field, circus))
def event(cls: type[E]) -> type[E]:
    """Make a frozen class of keyword fields, and enter it into `EVENTS` under its name in snake case.

    Plugins declare theirs with this too; raises PluginError for a name that another module has. What all events can do
    is in `Event`, since code generated for each of them would cost every circusd half a megabyte.
    """
    made = frozen(kw_only=True, eq=False, repr=False)(cls)
    made.name = re.sub(r"(?<!^)(?=[A-Z])", "_", made.__name__).lower()
    owner = EVENTS.get(made.name)
    if owner is not None and owner.__module__ != made.__module__:
        raise PluginError(
            f"the event {made.name} of {made.__module__} is already one of {owner.__module__}", hint="rename the class"
        )
    EVENTS[made.name] = made
    _FIELDS.pop(made.name, None)
    return made


def stamp(happened: Event, seq: int, at: float) -> None:
    """Number and date an event. The bus alone calls this, once, before anyone else has seen the event."""
    object.__setattr__(happened, "seq", seq)
    object.__setattr__(happened, "at", at)


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

    `last` is set if no slot of the watcher is left: it is stopped. `exit_code` is of the last process there, if any.
    """

    watcher: str
    wid: int
    reason: str
    last: bool
    exit_code: int | None = None


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
class ProcessSignaled(Event):
    """circusd sent a signal to end a process, or SIGKILL because it did not end, or to a descendant left over."""

    action: ClassVar[str | None] = "kill"
    watcher: str
    wid: int
    pid: int = circus("process_pid")
    signum: int


@event
class SignalSent(Event):
    """A signal that nobody means as an end was sent to a process or a descendant: by the command `signal`, or SIGHUP by
    a reload with `send_hup`. Those of stops and kills are in `process_signaled`."""

    watcher: str
    wid: int
    pid: int
    signum: int


@event
class ProcessExited(Event):
    """A process ended and was reaped.

    `exit_code` is the status, or minus the signal's number, or None if somebody else reaped it. `age` is seconds
    lived, `cpu` user and system seconds and `peak_memory` bytes (wait4). `requested` is set when circusd ended it on
    somebody's order.
    """

    action: ClassVar[str | None] = "reap"
    watcher: str
    wid: int
    pid: int = circus("process_pid")
    exit_code: int | None
    age: float
    requested: bool
    cpu: float = 0.0
    peak_memory: int = 0


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


def topic_name(watcher: str) -> str:
    """A watcher's name as Circus writes it in topics (PROTOCOL.md 2)."""
    return watcher.lower().replace(" ", "_")


def topic(happened: Event) -> str:
    """Circus' topic if Circus has this event, else `event.NAME` or `event.NAME.WATCHER`."""
    watcher = getattr(happened, "watcher", None)
    if happened.action and watcher is not None:
        return f"watcher.{topic_name(watcher)}.{happened.action}"
    return f"event.{happened.name}" + (f".{topic_name(watcher)}" if watcher is not None else "")


def to_wire(happened: Event) -> dict[str, Any]:
    """The event as JSON-ready values: its name and fields, and Circus' keys beside them."""
    wire: dict[str, Any] = {"event": happened.name, "time": happened.at}
    for entry in attrs.fields(type(happened)):
        value = getattr(happened, entry.name)
        wire[entry.name] = value
        if "circus" in entry.metadata:
            wire[entry.metadata["circus"]] = value
    return wire


def from_wire(wire: dict[str, Any]) -> Event:
    """The event that `to_wire` made; fields a newer circusd added are passed over. Raises KeyError for a new event."""
    name = wire["event"]
    known = _FIELDS.get(name)
    if known is None:
        # Kept, since looking at a class takes longer than making an event.
        cls = EVENTS[name]
        known = _FIELDS[name] = cls, tuple(entry.name for entry in attrs.fields(cls))
    values = {key: wire[key] for key in known[1] if key in wire}
    for key, value in values.items():
        if type(value) is list:
            values[key] = tuple(value)
    return known[0](**values)
