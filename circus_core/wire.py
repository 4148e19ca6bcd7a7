"""Events as they travel: Circus' topics, and JSON-ready values there and back. It sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from circus_core.happening import EVENTS

if TYPE_CHECKING:
    from circus_core.happening import Event

_FIELDS: dict[type[Event], tuple[str, ...]] = {}


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
    cls = EVENTS[wire["event"]]
    values = {key: wire[key] for key in _fields(cls) if key in wire}
    for key, value in values.items():
        if type(value) is list:
            values[key] = tuple(value)
    return cls(**values)


def _fields(cls: type[Event]) -> tuple[str, ...]:
    """Kept, since looking at a class takes longer than making an event."""
    known = _FIELDS.get(cls)
    if known is None:
        known = _FIELDS[cls] = tuple(entry.name for entry in attrs.fields(cls))
    return known
