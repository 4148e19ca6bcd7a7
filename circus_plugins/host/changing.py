"""Adds, removes, restarts, changes and shows the plugins of a running circusd, wherever they run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import evolve

from circus_core import applying, installed
from circus_core.document import RawSection
from circus_core.errors import ConflictError, RequestError
from circus_core.finding import plugin_options
from circus_core.nearest import did_you_mean
from circus_core.options import Section
from circus_core.plan import MASK, masked
from circus_core.structure import Place, Setting
from circus_core.values import keys, read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from importlib.metadata import EntryPoints

    from circus_core.assembly import Reading
    from circus_core.requests import Reply, Request
    from circus_core.supervisor import Supervisor
    from circus_plugins.host import Host

BY_COMMAND = Place("", 0)


def add(host: Host, supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    """`plugins_add`."""
    name, use = request["name"], request["use"]
    _refuse_what_is_not_installed(use)

    def added(section: RawSection | None) -> RawSection:
        if section is not None or name in supervisor.bus.loaded:
            raise ConflictError(f"there is a plugin {name} already", hint=f"`circusctl plugins show {name}` shows it")
        return RawSection("plugin", name, _settings({"use": use, **(request["options"] or {})}), BY_COMMAND)

    return _apply(host, supervisor, request, supervisor.assembly.change_plugin(name, added))


def remove(host: Host, supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    """`plugins_rm`."""
    name = _configured(supervisor, request["name"])

    def removed(section: RawSection | None) -> None:
        _expect(section, name)

    return _apply(host, supervisor, request, supervisor.assembly.change_plugin(name, removed))


def change(host: Host, supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    """`plugins_set`."""
    name = _configured(supervisor, request["name"])
    if "use" in request["options"]:
        raise RequestError("'use' of a plugin cannot be set", hint="remove it and add another")

    def changed(section: RawSection | None) -> RawSection:
        section = _expect(section, name)
        settings = {**section.settings, **_settings(request["options"])}
        gone = {key for key, value in request["options"].items() if value in (None, "")}
        return evolve(section, settings={key: value for key, value in settings.items() if key not in gone})

    return _apply(host, supervisor, request, supervisor.assembly.change_plugin(name, changed))


def restart(host: Host, supervisor: Supervisor, request: Request) -> Reply | Awaitable[Reply]:
    """`plugins_restart`."""
    row = _row(supervisor, request["name"])
    if "watcher" in row:
        return _done(host, request, supervisor.watcher(row["watcher"]).restart(request.progress))
    name = _configured(supervisor, request["name"])
    return _done(host, request, supervisor.background(applying.restart_plugin(supervisor, name)))


def show(_host: Host, supervisor: Supervisor, request: Request) -> Reply:
    """`plugins_show`."""
    row = _row(supervisor, request["name"])
    name, assembly = row["name"], supervisor.assembly
    sections = assembly.sections.values()
    source = next((each for each in installed.rows([row]) if each["loaded"]), None)
    return {
        "plugin": {
            **row,
            "installed": f"{source['name']} by {source['distribution']} {source['version']}" if source else "",
            "options": _options(supervisor, name),
            "adds_commands": sorted(key for key, (command, _) in assembly.commands.items() if command.plugin == name),
            "adds_options": [f"[{each.name}] {key}" for each in sections for key in _added(each.added, name)],
            "adds_sections": [f"[{each.name}]" for each in sections if each.plugin == name],
        }
    }


def _added(options: Mapping[str, Any], plugin: str) -> list[str]:
    return [key + ("NAME" if entry.prefix else "") for key, entry in options.items() if entry.plugin == plugin]


def _options(supervisor: Supervisor, name: str) -> dict[str, Any]:
    """Its options with their values; what looks secret is masked."""
    loaded = supervisor.bus.loaded.get(name)
    plugin = loaded.plugin if loaded else supervisor.assembly.found(name)
    settings = supervisor.config.raw_plugins.get(name, {})
    declaration: type | None = getattr(plugin, "Options", None)
    if declaration is None:
        return dict(masked({key: str(setting.value) for key, setting in settings.items()}))
    section = Section(name, declaration)
    made, _problems = plugin_options(name, plugin, {key: each for key, each in settings.items() if section.find(key)})
    found = {key: (section.find(key), read(section, made, key)) for key in keys(section, made)} if made else {}
    values = {key: entry.shown(value) for key, (entry, value) in found.items() if entry}
    hidden = masked(dict.fromkeys(values, ""))
    return {key: MASK if hidden[key] == MASK and value else value for key, value in values.items()}


def _apply(host: Host, supervisor: Supervisor, request: Request, new: Reading) -> Reply | Awaitable[Reply]:
    """Have it in force."""
    if supervisor.stopping:
        raise ConflictError("circusd is stopping")

    async def work() -> None:
        _actions, outcomes = await applying.reload(supervisor, new, request.progress)
        for outcome in outcomes:
            if not outcome.cancelled() and (error := outcome.exception()) is not None:
                raise error

    return _done(host, request, supervisor.background(work()))


def _done(host: Host, request: Request, work: asyncio.Future[Any]) -> Reply | Awaitable[Reply]:
    """At once, or, for a client that waits, when the plugin is at work, or gone."""

    async def wait() -> Reply:
        await asyncio.shield(work)
        await host.come_up(request["name"])
        return {}

    return wait() if request.waiting else {}


def _configured(supervisor: Supervisor, name: str) -> str:
    """The name of a plugin that has a section; raises RequestError."""
    plugins = supervisor.config.plugins
    if name in plugins:
        return name
    if name in supervisor.bus.loaded:
        raise ConflictError(f"the plugin {name} is circusd's own", hint="only plugins with a section can be changed")
    raise RequestError(f"there is no plugin {name}", hint=did_you_mean(name, plugins, "`circusctl plugins` lists them"))


def _row(supervisor: Supervisor, name: str) -> dict[str, Any]:
    answer: Any = supervisor.dispatch("plugins", {})
    rows: dict[str, dict[str, Any]] = {row["name"]: row for row in answer["plugins"]}
    if name not in rows:
        raise RequestError(
            f"there is no plugin {name}", hint=did_you_mean(name, rows, "`circusctl plugins` lists them")
        )
    return rows[name]


def _expect(section: RawSection | None, name: str) -> RawSection:
    if section is None:
        raise RequestError(f"there is no plugin {name} any more")
    return section


def _settings(values: Mapping[str, Any]) -> dict[str, Setting]:
    return {key: Setting(value, BY_COMMAND, text=isinstance(value, str)) for key, value in values.items()}


def _refuse_what_is_not_installed(use: str) -> None:
    """Raise RequestError for anything but a registered plugin."""
    registered = installed.entries(installed.PLUGINS)
    if use in registered.names or use in installed.entries(installed.ALIASES).names:
        return
    raise RequestError(f"no plugin {use} is installed", hint=_installed_instead(use, registered))


def _installed_instead(use: str, registered: EntryPoints) -> str:
    known = {entry.value: entry.name for entry in registered}
    if use in known:
        return f"it is installed as {known[use]}"
    return did_you_mean(
        use,
        registered.names,
        f"installed are: {', '.join(sorted(registered.names))}; a command cannot name code to import: for anything "
        "else write a section [plugin:NAME] into the configuration, and `circusctl reloadconfig`",
    )
