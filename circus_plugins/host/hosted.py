"""From `[plugin:...]` sections to the watchers that run the plugins: everything is checked here, nothing is started."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from circus_core.finding import UNKNOWN, plugin_options
from circus_core.lacking import lacking
from circus_core.options import declared
from circus_core.plan import masked
from circus_core.structure import Problem, Setting, structure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.config import PluginSections
    from circus_core.document import Document
    from circus_core.model import WatcherOptions
    from circus_core.options import Section
    from circus_core.structure import Place

DEFAULTS: dict[str, Any] = {"priority": 1, "singleton": True, "copy_env": True}
"""Of the watchers that run plugins, where they differ from others (PROTOCOL.md 4.6); copy_path is as copy_env."""
AFTERWARDS = -1
"""The priority of those for which nobody waits: they take time to start, and others come first."""
NEVER = frozenset({"cmd", "args", "shell", "shell_args", "plugins"})
"""Options of watchers that say what runs: here the plugin is what runs."""


@frozen
class Hosted:
    """A plugin as its process is told of it. Two are equal if nothing changed that takes another process."""

    name: str
    use: str
    values: Mapping[str, object]
    settings: Mapping[str, Setting] = field(eq=False)
    hooks: tuple[str, ...] = field(eq=False)
    awaited: bool = field(default=True, eq=False)

    def __str__(self) -> str:
        shown = masked({key: str(value) for key, value in self.values.items()})
        return f"{self.name} ({', '.join([self.use, *(f'{key} = {value}' for key, value in shown.items())])})"

    __repr__ = __str__


@define
class _Group:
    """The plugins of one process, and the options of its watcher."""

    members: list[Hosted] = field(factory=list)
    settings: dict[str, Setting] = field(factory=dict)
    owners: dict[str, str] = field(factory=dict)
    place: Place | None = None
    watcher: str = ""


def watchers_of(
    document: Document, sections: Mapping[str, Section], chosen: PluginSections
) -> tuple[dict[str, WatcherOptions], list[Problem]]:
    """The watchers that run a configuration's plugins, by key, and every mistake."""
    groups: dict[str, _Group] = {}
    problems: list[Problem] = []
    for name, options in chosen.options.items():
        raw = document.find("plugin", name)
        found = chosen.found.get(name)
        if options.inside or found is None or raw is None:
            continue
        plugin = found.plugin
        shared = str(options.extra.get("group") or "")
        called = "" if shared else str(getattr(plugin, "watcher", ""))
        key = shared or name
        group = groups.setdefault(key, _Group(place=raw.place, watcher=called or f"plugin:{key}"))
        given = chosen.settings[name]
        own: Mapping[str, Setting] = _share_out(name, plugin, given, sections["watcher"], group, problems)
        values = {key: setting.value for key, setting in own.items()}
        if getattr(plugin, "Options", None) is None:
            # A plugin that declares nothing is told everything, as those of Circus are.
            own = given
        problems += [_near(problem, sections["watcher"]) for problem in plugin_options(name, plugin, own, raw.place)[1]]
        awaited = bool(getattr(plugin, "awaited", True))
        group.members.append(Hosted(name, options.use, values, own, found.hooks, awaited))
    watchers = {}
    for group in groups.values():
        made = _watcher(group.watcher, group, document, sections["watcher"], problems)
        if made is not None:
            watchers[made.name.lower()] = made
    return watchers, problems


def _near(problem: Problem, watcher: Section) -> Problem:
    """What is no option of a plugin may be meant as one of its watcher."""
    near = watcher.nearest(problem.key)
    unknown = problem.message == UNKNOWN and "did you mean" not in problem.hint
    return evolve(problem, hint=f"did you mean {near}?") if unknown and near and near not in NEVER else problem


def _share_out(
    name: str,
    plugin: object,
    settings: Mapping[str, Setting],
    watcher: Section,
    group: _Group,
    problems: list[Problem],
) -> dict[str, Setting]:
    """Give the group the settings that are options of watchers; the answer is what is left for the plugin.

    What the plugin declares is the plugin's, even if watchers have an option of that name.
    """
    declaration: type | None = getattr(plugin, "Options", None)
    mine = set(declared(declaration)) if declaration is not None else set()
    own = {}
    for key, setting in settings.items():
        if key in mine or key in NEVER or watcher.find(key) is None:
            if key in mine or not setting.common:
                own[key] = setting
        else:
            before = group.settings.setdefault(key, setting)
            owner = group.owners.setdefault(key, name)
            if before.value != setting.value:
                hint = f"plugins of one group share a process; it is {before.value!r} in [plugin:{owner}]"
                problems.append(Problem(f"plugin:{name}", key, f"is {setting.value!r}", hint, setting.place))
    return own


def _watcher(
    name: str, group: _Group, document: Document, section: Section, problems: list[Problem]
) -> WatcherOptions | None:
    first = group.members[0].name
    title = f"plugin:{first}"
    # That of a plugin that is alone in its process is told already.
    if name != title and any(raw.name.lower() == name.lower() for raw in document.of("watcher")):
        problems.append(Problem(title, "", f"its watcher has the name of [watcher:{name}]", "rename one", group.place))
    words = [sys.executable, "-m", "circus_plugins.host.main", "--hosted", *(one.name for one in group.members)]
    given = {**DEFAULTS, "name": name, "cmd": shlex.join(words)}
    if not any(one.awaited for one in group.members):
        given["priority"] = AFTERWARDS
    made, found = structure(section, group.settings, title=title, place=group.place, **given)
    problems += found
    if made is None:
        return None
    if not made.singleton:
        place = group.settings["singleton"].place
        problems.append(Problem(title, "singleton", "is False", "a plugin never has more than one process", place))
    for key, message, hint in lacking(made, os.environ):
        place = group.settings[key].place
        problems.append(Problem(title, key, message, hint, place, warning=True))
    copy_path = made.copy_path if "copy_path" in group.settings else made.copy_env
    extra = {**made.extra, "plugins": tuple(group.members)}
    watcher: WatcherOptions = evolve(made, copy_path=copy_path, extra=extra)
    return watcher
