"""From what the files said, what they say now and what runs to what has to be done, and why. It computes only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from circus_core.kinds import OCTAL
from circus_core.options import NOTHING_SET, Effect
from circus_core.values import Change, diff, read, write

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from circus_core.model import Config, PluginOptions, SupervisorOptions, WatcherOptions
    from circus_core.options import Section

MASK = "********"
_SECRET = re.compile(r"pass|secret|token|key|credential|auth|dsn|webhook|private|cookie", re.IGNORECASE)


@frozen
class Action:
    """One thing to do. `what` is start, add, remove, adjust, reload, update, restart-circusd or plugin-...

    `by` is the plugin that does it, if one does.
    """

    what: str
    target: str
    why: str
    changes: tuple[Change, ...] = field(factory=tuple)
    by: str = ""

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
        command = f"{options.cmd} {options.args}".strip()
        number = f"{options.numprocesses} process{'' if options.numprocesses == 1 else 'es'} of {command}"
        if options.autostart:
            actions.append(Action("start", options.name, f"{number} (priority {options.priority})"))
        else:
            actions.append(Action("add", options.name, f"{number}, not started: autostart is off"))
    return tuple(actions)


@frozen
class Live:
    """A watcher as it is now, after whatever commands did to it, and whether it is to have processes."""

    options: WatcherOptions
    running: bool


def lasting(section: Section, options: SupervisorOptions) -> dict[str, object]:
    """The values that circusd has until it is restarted, whatever its configuration says by then."""
    return {entry.key: read(section, options, entry.key) for entry in section if entry.effect is Effect.RESTART}


def plan(
    sections: Mapping[str, Section],
    old: Config,
    new: Config,
    live: Mapping[str, Live],
    loaded: Container[str],
    started: Mapping[str, object] = NOTHING_SET,
) -> tuple[Action, ...]:
    """What has to be done to go from `old` to `new`, in order: removals, changes, then what is new.

    `live` are the watchers there are, by key, and `loaded` the plugins inside circusd. Whatever a file says and `live`
    lacks is added; what only commands added stays; and of a watcher's options those are changed that `old` and `new`
    have differently, so that what commands changed and the files did not stays too. `started` is what was `lasting`
    when circusd started.
    """
    actions = _supervisor(sections["circus"], old, new, started)
    for name, watcher in live.items():
        if name in old.watchers and name not in new.watchers:
            actions.append(Action("remove", watcher.options.name, "its section is gone"))
    actions += _plugins(old, new, loaded)
    actions += _further(old, new)
    for options in in_start_order(new.watchers):
        key = options.name.lower()
        before, now = old.watchers.get(key), live.get(key)
        if now is None:
            actions.append(_addition(options, "its section is new" if before is None else "a command had removed it"))
        else:
            actions += _change(sections["watcher"], now, before, options)
    return tuple(actions)


def merged(
    section: Section, now: WatcherOptions, before: WatcherOptions | None, wanted: WatcherOptions
) -> WatcherOptions:
    """What a watcher is to have: what it has `now`, and over that what its section has `wanted` other than `before`.

    All that the section says, where it is new, and where some of it would contradict what commands have set. Where it
    names another user or group, what commands had the one before run is not for the new one: all that decides what is
    launched is as the section says.
    """
    if before is not None:
        changes = diff(section, before, wanted)
        if any(change.key in ("uid", "gid") for change in changes):
            changes += tuple(each for each in diff(section, now, wanted) if each.effect is Effect.RELOAD)
        made = write(section, now, {change.key: change.new for change in changes})
        if not made.contradictions():
            return made
    return evolve(wanted, name=now.name)


def _addition(options: WatcherOptions, why: str) -> Action:
    if options.autostart:
        return Action("start", options.name, why)
    return Action("add", options.name, f"{why}; autostart is off")


def _change(section: Section, now: Live, before: WatcherOptions | None, wanted: WatcherOptions) -> list[Action]:
    changes = diff(section, now.options, merged(section, now.options, before, wanted))
    if not changes:
        return []
    what, why = _heaviest(changes), _why(section, changes)
    if not now.running and what != "update":
        what, why = "update", f"{why}; it stays stopped"
    return [Action(what, now.options.name, why, changes)]


def _supervisor(section: Section, old: Config, new: Config, started: Mapping[str, object]) -> list[Action]:
    now = tuple(
        change for change in diff(section, old.supervisor, new.supervisor) if change.effect is not Effect.RESTART
    )
    before = {**lasting(section, old.supervisor), **started}
    after = lasting(section, new.supervisor)
    later = tuple(
        Change(key, before[key], value, Effect.RESTART) for key, value in after.items() if before[key] != value
    )
    actions = []
    if now:
        actions.append(Action("update", "circus", _why(section, now), now))
    if later:
        why = f"{_why(section, later)}: in force after a restart of circusd"
        actions.append(Action("restart-circusd", "circus", why, later))
    return actions


def _plugins(old: Config, new: Config, loaded: Container[str]) -> list[Action]:
    actions = []
    before, after = _inside(old), _inside(new)
    for name, options in before.items():
        if name not in loaded:
            if name in after:
                actions.append(Action("plugin-load", name, "it could not be loaded before"))
        elif name not in after:
            actions.append(Action("plugin-unload", name, "its section is gone"))
        elif options != after[name] or _texts(old, name) != _texts(new, name):
            actions.append(Action("plugin-reload", name, "its section changed"))
    actions += [Action("plugin-load", name, "its section is new") for name in after if name not in before]
    return actions


def _further(old: Config, new: Config) -> list[Action]:
    """What changed of the sections that plugins declared. The plugins look at them when all is in force."""
    actions = []
    for kind in dict.fromkeys((*old.sections, *new.sections)):
        before, after = old.sections.get(kind, {}), new.sections.get(kind, {})
        for name in dict.fromkeys((*before, *after)):
            if before.get(name) != after.get(name):
                why = "is new" if name not in before else "is gone" if name not in after else "changed"
                actions.append(Action("update", f"{kind}:{name}" if name else kind, f"its section {why}"))
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


def _why(section: Section, changes: tuple[Change, ...]) -> str:
    return ", ".join(
        f"{change.key} {_shown(section, change.key, change.old)} -> {_shown(section, change.key, change.new)}"
        for change in changes
    )


def _shown(section: Section, key: str, value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, dict):
        return str(masked(value))
    if _SECRET.search(key):
        return MASK
    entry = section.find(key)
    # As `get` shows it; a mode is no number to be read in tens.
    shown = entry.shown(value) if entry is not None else value
    return str(shown) if entry is not None and entry.kind is OCTAL else repr(shown)


def masked(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment whose secrets are hidden: those of variables that are named like one, and hashes of passwords."""
    return {name: MASK if is_secret(name, value) else value for name, value in environment.items()}


def is_secret(name: str, value: object) -> bool:
    """Whether something of this name, or this value of it, is shown to nobody."""
    return bool(_SECRET.search(name)) or (isinstance(value, str) and "$argon2" in value)
