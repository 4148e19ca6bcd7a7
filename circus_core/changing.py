"""Options of a watcher from what a client sends: checked against the declarations, as PROTOCOL.md 1.6 words it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve

from circus_core.errors import CircusError, OptionError, RequestError
from circus_core.kinds import COMMAND
from circus_core.launch import identity
from circus_core.options import Effect
from circus_core.plan import MASK
from circus_core.values import Change, read, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.model import WatcherOptions
    from circus_core.options import Option, Section


def changed(
    section: Section, current: WatcherOptions, asked: Mapping[str, Any]
) -> tuple[WatcherOptions, tuple[Change, ...]]:
    """`current` with the options that were asked for, and one change for each of them, in order; raises OptionError.

    Raises SpawnError for a user or group that this machine does not have.
    None puts an option back to what it is without being set, if it need not be set. A text in the environment that is
    masked as `get` shows it stays as it is.
    """
    asked = members(section, asked)
    new = _written(section, current, asked)
    if new.singleton and new.numprocesses > 1:
        raise CircusError("Singleton watcher has a single process", hint="numprocesses can only be 0 or 1")
    _refuse_contradictions(new)
    if (new.uid, new.gid) != (current.uid, current.gid):
        # Said now and to whoever asked, rather than by the next spawn.
        identity(new)
    return new, tuple(_change(section, current, new, key) for key in asked)


def created(section: Section, name: str, cmd: str, args: object, asked: Mapping[str, Any] | None) -> WatcherOptions:
    """The options of a watcher that a client adds; raises RequestError."""
    from circus_core.model import WatcherOptions

    if not name.strip():
        raise RequestError("message invalid 'name' is empty", hint="a watcher needs a name")
    if not name.isprintable():
        raise RequestError(f"message invalid 'name' {name!r} has a control character", hint="no log could show it")
    try:
        words = COMMAND.check(cmd)
        further = COMMAND.check(args)
    except ValueError as error:
        raise RequestError(f"'cmd' or 'args' {COMMAND.complaint}", hint=str(error)) from None
    made = _written(section, WatcherOptions(name=name, cmd=words, args=further), members(section, asked or {}))
    _refuse_contradictions(made)
    return made


def members(section: Section, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for; an object that stands for a family, as Circus has `hooks`, is taken apart."""
    families = {entry.key.rstrip("._"): entry.key for entry in section if entry.prefix}
    members: dict[str, Any] = {}
    for key, raw in asked.items():
        if key in families and isinstance(raw, dict) and section.find(key) is None:
            members.update((families[key] + str(name), value) for name, value in raw.items())
        else:
            members[key] = raw
    return members


def _written(section: Section, current: WatcherOptions, asked: Mapping[str, Any]) -> WatcherOptions:
    values = {key: _typed(section, current, key, raw) for key, raw in asked.items()}
    return write(section, current, {key: new for key, new in values.items() if new != read(section, current, key)})


def _change(section: Section, old: WatcherOptions, new: WatcherOptions, key: str) -> Change:
    entry, before, after = section.find(key), read(section, old, key), read(section, new, key)
    return Change(key, before, after, entry.effect if entry and before != after else Effect.NOW)


def _typed(section: Section, current: WatcherOptions, key: str, raw: Any) -> Any:
    entry = section.find(key)
    if entry is None:
        return _free_form(section, current, key, raw)
    if not entry.settable:
        how = "set by a command" if entry.fixed else "changed while circusd runs"
        raise OptionError(f"{key!r} cannot be {how}", hint=entry.fixed or entry.effect.value)
    value = _checked(entry, key, _floored(key, raw))
    return _unmasked(current.env, value) if key == "env" else value


def _checked(entry: Option, key: str, raw: Any) -> Any:
    if entry.by_command is not None:
        entry = evolve(entry, kind=entry.by_command)
    text = isinstance(raw, str) and entry.kind.name != "integer"
    try:
        return entry.value(raw, text=text, key=key)
    except OptionError as error:
        # Circus names the key alone, whatever the value was sent as.
        raise OptionError(error.message.replace(f"{key} = {raw!r}", repr(key), 1), hint=error.hint) from None


def _free_form(section: Section, current: WatcherOptions, key: str, raw: Any) -> Any:
    """A key that nobody declares can be changed if the configuration had it (O-17)."""
    if key not in current.extra:
        near = section.nearest(key)
        raise OptionError(f"unknown key {key!r}", hint=f"did you mean {near}?" if near else "")
    if not isinstance(raw, str) and raw != current.extra[key]:
        raise OptionError(f"{key!r} isn't a string", hint="free-form options are texts")
    return raw


def _unmasked(current: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    return {name: current[name] if text == MASK and name in current else text for name, text in asked.items()}


def _floored(key: str, raw: Any) -> Any:
    """Circus takes a negative number of processes for none."""
    return 0 if key == "numprocesses" and isinstance(raw, int) and not isinstance(raw, bool) and raw < 0 else raw


def _refuse_contradictions(options: WatcherOptions) -> None:
    for key, message, hint, *_ in options.contradictions():
        raise OptionError(f"{key!r} {message}", hint=hint)
