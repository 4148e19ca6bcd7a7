"""Events from the wire as instances of their classes; of classes made for them where nobody here knows theirs."""

from __future__ import annotations

from typing import Any

import attrs

from circus_core.events import Event
from circus_core.wire import from_wire

ENVELOPE = frozenset({"event", "time", "host", "run"})
"""What every event on the wire has beside its fields."""

_made: dict[tuple[str, frozenset[str]], type[Event]] = {}


def typed(wire: dict[str, Any]) -> Event:
    """The event, whoever declared it: a plugin that runs elsewhere, or a circusd of another version."""
    try:
        return from_wire(wire)
    except (KeyError, TypeError):
        return _foreign(wire)


def _foreign(wire: dict[str, Any]) -> Event:
    values = {key: value for key, value in wire.items() if key not in ENVELOPE}
    key = wire["event"], frozenset(values)
    if key not in _made:
        title = "".join(word.capitalize() for word in wire["event"].split("_"))
        own = {name: attrs.field(default=None) for name in values if name not in ("seq", "at")}
        cls = attrs.make_class(title, own, bases=(Event,), frozen=True, kw_only=True, eq=False, repr=False)
        cls.name = wire["event"]  # type: ignore[attr-defined]
        _made[key] = cls
    return _made[key](**values)
