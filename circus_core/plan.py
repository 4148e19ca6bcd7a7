"""From an old and a new configuration to what has to be done, and why. It computes; the supervisor does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from circus_core.options import Change, Effect, Section, diff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.model import Config, PluginOptions, WatcherOptions

MASK = "********"
_SECRET = re.compile(r"pass|secret|token|key|credential|auth|dsn|private|cookie", re.IGNORECASE)


@frozen
class Action:
    """One thing to do. `what` is start, add, remove, adjust, reload, update, restart-circusd or plugin-..."""

    what: str
    target: str
    why: str
    changes: tuple[Change, ...] = field(factory=tuple)

    def __str__(self) -> str:
        return f"{self.what} {self.target}: {self.why}"

    def to_wire(self) -> dict[str, str]:
        """As JSON-ready values, without the changed values themselves."""
        return {"action": self.what, "target": self.target, "why": self.why}


def in_start_order(watchers: Mapping[str, WatcherOptions]) -> list[WatcherOptions]:
    """By priority, the highest first, and by name where that is equal (PROTOCOL.md 4.4)."""
    return sorted(watchers.values(), key=lambda options: (-options.priority, options.name))


def first_plan(config: Config) -> tuple[Action, ...]:
    """What starting with this configuration does, in order."""
    actions = [Action("load", f"plugin:{name}", options.use) for name, options in _inside(config).items()]
    for options in in_start_order(config.watchers):
        number = f"{options.numprocesses} process{'' if options.numprocesses == 1 else 'es'} of {options.cmd}"
        if options.autostart:
            actions.append(Action("start", options.name, f"{number} (priority {options.priority})"))
        else:
            actions.append(Action("add", options.name, f"{number}, not started: autostart is off"))
    return tuple(actions)


def plan(sections: Mapping[str, Section], old: Config, new: Config) -> tuple[Action, ...]:
    """What has to be done to go from `old` to `new`, in order: removals, changes, then what is new."""
    actions = _supervisor(sections, old, new)
    for name, options in old.watchers.items():
        if name not in new.watchers:
            actions.append(Action("remove", options.name, "its section is gone"))
    actions += _plugins(old, new)
    for options in in_start_order(new.watchers):
        before = old.watchers.get(options.name.lower())
        if before is None:
            why = "its section is new" if options.autostart else "its section is new; autostart is off"
            actions.append(Action("start" if options.autostart else "add", options.name, why))
        elif changes := diff(sections["watcher"], before, options):
            actions.append(Action(_heaviest(changes), options.name, _why(changes), changes))
    return tuple(actions)


def _supervisor(sections: Mapping[str, Section], old: Config, new: Config) -> list[Action]:
    changes = diff(sections["circus"], old.supervisor, new.supervisor)
    later = tuple(change for change in changes if change.effect is Effect.RESTART)
    now = tuple(change for change in changes if change.effect is not Effect.RESTART)
    actions = []
    if now:
        actions.append(Action("update", "circus", _why(now), now))
    if later:
        actions.append(
            Action("restart-circusd", "circus", f"{_why(later)}: in force after a restart of circusd", later)
        )
    return actions


def _plugins(old: Config, new: Config) -> list[Action]:
    actions = []
    before, after = _inside(old), _inside(new)
    for name, options in before.items():
        if name not in after:
            actions.append(Action("plugin-unload", name, "its section is gone"))
        elif options != after[name] or _texts(old, name) != _texts(new, name):
            actions.append(Action("plugin-reload", name, "its section changed"))
    actions += [Action("plugin-load", name, "its section is new") for name in after if name not in before]
    return actions


def _inside(config: Config) -> dict[str, PluginOptions]:
    """The plugins inside circusd; the others are watchers."""
    return {name: options for name, options in config.plugins.items() if options.inside}


def _texts(config: Config, name: str) -> dict[str, object]:
    return {key: setting.value for key, setting in config.raw_plugins.get(name, {}).items()}


def _heaviest(changes: tuple[Change, ...]) -> str:
    effects = {change.effect for change in changes}
    if Effect.RELOAD in effects:
        return "reload"
    return "adjust" if Effect.SCALE in effects else "update"


def _why(changes: tuple[Change, ...]) -> str:
    return ", ".join(
        f"{change.key} {_shown(change.key, change.old)} -> {_shown(change.key, change.new)}" for change in changes
    )


def _shown(key: str, value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, dict):
        return str(masked(value))
    return MASK if _SECRET.search(key) else repr(value)


def masked(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment whose secrets are hidden: those of variables that are named like one."""
    return {name: MASK if _SECRET.search(name) else value for name, value in environment.items()}
