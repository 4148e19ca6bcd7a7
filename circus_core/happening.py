"""What an event is, and how one is declared; which there are, `circus_core.events` and plugins say.

The bus stamps `seq` and `at` when an event is published. `action` is the last part of Circus' topic
`watcher.NAME.ACTION` (PROTOCOL.md 2) for events that Circus has too.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, TypeVar, dataclass_transform

import attrs
from attrs import field, frozen

from circus_core.errors import PluginError

E = TypeVar("E", bound="Event")
EVENTS: dict[str, type[Event]] = {}
"""All events by name, those of plugins too."""


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
    return made


def stamp(happened: Event, seq: int, at: float) -> None:
    """Number and date an event. The bus alone calls this, once, before anyone else has seen the event."""
    object.__setattr__(happened, "seq", seq)
    object.__setattr__(happened, "at", at)
