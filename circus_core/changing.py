"""Options of a watcher from what a client sends: checked against the declarations, as PROTOCOL.md 1.6 words it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from circus_core.errors import CircusError, OptionError, RequestError
from circus_core.kinds import COMMAND
from circus_core.options import Change, Effect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.model import WatcherOptions
    from circus_core.options import Option, Section


def changed(
    section: Section, current: WatcherOptions, asked: Mapping[str, Any]
) -> tuple[WatcherOptions, tuple[Change, ...]]:
    """`current` with the options that were asked for, and one change for each of them, in order; raises OptionError."""
    values, extra, changes = _values(section, current, asked)
    new = attrs.evolve(current, extra=extra, **values)
    if new.singleton and new.numprocesses > 1:
        raise CircusError("Singleton watcher has a single process", hint="numprocesses can only be 0 or 1")
    _refuse_contradictions(new)
    return new, tuple(changes)


def created(section: Section, name: str, cmd: str, args: object, asked: Mapping[str, Any] | None) -> WatcherOptions:
    """The options of a watcher that a client adds; raises RequestError."""
    from circus_core.model import WatcherOptions

    if not name.strip():
        raise RequestError("message invalid 'name' is empty", hint="a watcher needs a name")
    try:
        words = COMMAND.check(cmd)
        further = COMMAND.check(args)
    except ValueError as error:
        raise RequestError(f"'cmd' or 'args' {COMMAND.complaint}", hint=str(error)) from None
    bare = WatcherOptions(name=name, cmd=words, args=further)
    values, extra, _changes = _values(section, bare, asked or {})
    made = attrs.evolve(bare, extra=extra, **values)
    _refuse_contradictions(made)
    return made


def _values(
    section: Section, current: WatcherOptions, asked: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, object], list[Change]]:
    values: dict[str, Any] = {}
    extra = dict(current.extra)
    changes = []
    for key, raw in asked.items():
        entry = section.find(key)
        if entry is None:
            changes.append(_free_form(section, key, raw, extra))
            continue
        if not entry.settable:
            raise OptionError(f"{key!r} cannot be changed while circusd runs", hint=entry.effect.value)
        value = _typed(entry, key, raw)
        if entry.plugin:
            old, extra[key] = extra.get(key), value
        elif entry.prefix:
            family = values.setdefault(entry.attribute, dict(getattr(current, entry.attribute)))
            name = key.removeprefix(entry.key)
            old, family[name] = family.get(name), value
        else:
            old, values[entry.attribute] = getattr(current, entry.attribute), value
        changes.append(Change(key, old, value, entry.effect if old != value else Effect.NOW))
    return values, extra, changes


def _typed(entry: Option, key: str, raw: Any) -> Any:
    text = isinstance(raw, str) and entry.kind.name != "integer"
    try:
        return entry.value(_floored(key, raw), text=text, key=key)
    except OptionError as error:
        # Circus names the key alone, whatever the value was sent as.
        raise OptionError(error.message.replace(f"{key} = {raw!r}", repr(key), 1), hint=error.hint) from None


def _free_form(section: Section, key: str, raw: Any, extra: dict[str, object]) -> Change:
    """A key that nobody declares can be changed if the configuration had it (O-17)."""
    if key not in extra:
        near = section.nearest(key)
        raise OptionError(f"unknown key {key!r}", hint=f"did you mean {near}?" if near else "")
    if not isinstance(raw, str):
        raise OptionError(f"{key!r} isn't a string", hint="free-form options are texts")
    old, extra[key] = extra[key], raw
    return Change(key, old, raw, Effect.NOW)


def _floored(key: str, raw: Any) -> Any:
    """Circus takes a negative number of processes for none."""
    return 0 if key == "numprocesses" and isinstance(raw, int) and not isinstance(raw, bool) and raw < 0 else raw


def _refuse_contradictions(options: WatcherOptions) -> None:
    for key, message, hint in options.contradictions():
        raise OptionError(f"{key!r} {message}", hint=hint)
