"""Bring a supervisor from the configuration in force to another one: a plan first, then what it says and no more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import attrs

from circus_core.errors import ConflictError
from circus_core.events import SupervisorReloaded
from circus_core.options import diff
from circus_core.plan import Action, in_start_order, plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.model import Config, WatcherOptions
    from circus_core.options import Section
    from circus_core.queue import Outcomes
    from circus_core.requests import Progress
    from circus_core.supervisor import Supervisor

log = logging.getLogger("circus")


def reread(supervisor: Supervisor) -> tuple[Config, tuple[Action, ...]]:
    """The configuration as its files are now and the plan to get there; raises ConfigError, and nothing changed."""
    new = supervisor.assembly.reread()
    return new, plan(supervisor.assembly.sections, supervisor.config, new)


async def apply(
    supervisor: Supervisor, new: Config, actions: tuple[Action, ...], say: Callable[[str], None] | None = None
) -> Outcomes:
    """Do what the plan says, and have the new configuration in force; answers what became of each operation."""
    supervisor.assembly.adopt(new)
    waiting: list[asyncio.Future[Any]] = []
    for action in actions:
        log.info("reloadconfig: %s", action)
        if say is not None:
            say(str(action))
        await _apply(supervisor, action, new, waiting)
    if waiting:
        await asyncio.wait(waiting)
    supervisor.bus.publish(SupervisorReloaded(actions=tuple(str(action) for action in actions)))
    return waiting


async def _apply(supervisor: Supervisor, action: Action, new: Config, waiting: list[asyncio.Future[Any]]) -> None:
    key = action.target.lower()
    watcher = supervisor.watchers.get(key)
    section = supervisor.assembly.sections["watcher"]
    match action.what:
        case "start" | "add" if watcher is None:
            watcher = supervisor.take_up(new.watchers[key])
            if action.what == "start":
                waiting.append(watcher.start())
        case "start" | "add" if watcher is not None:
            # A command added it before its section was written: now the section counts, running or not.
            wanted = new.watchers[key]
            waiting.append(watcher.update(lambda options: (wanted, diff(section, options, wanted))))
        case "remove" if watcher is not None:
            waiting.append(supervisor.remove(watcher))
        case "reload" | "adjust" | "update" if action.target != "circus" and watcher is not None:
            wanted = new.watchers[key]
            waiting.append(watcher.update(lambda options: (overlay(section, options, wanted, action), action.changes)))
        case "plugin-unload" | "plugin-reload" | "plugin-load":
            await _apply_plugin(supervisor, action)


async def _apply_plugin(supervisor: Supervisor, action: Action) -> None:
    name = action.target
    if action.what != "plugin-load" and name in supervisor.bus.loaded:
        await supervisor.bus.shutdown(supervisor.bus.loaded[name])
        supervisor.assembly.unload(name)
    if action.what != "plugin-unload":
        loaded = supervisor.assembly.load_configured(name, supervisor.config.plugins[name])
        if loaded is not None:
            supervisor.assembly.equip(loaded, supervisor.client)
            await supervisor.bus.startup(loaded, supervisor=supervisor)


async def restart(supervisor: Supervisor, say: Progress | None = None) -> Outcomes:
    """Stop everything, read the configuration again, and start everything; raises ConfigError before stopping.

    Without a file the watchers stay as commands have made them. Who is told to stop while all stop stays stopped.
    """
    new, actions = reread(supervisor) if supervisor.assembly.path else (None, ())
    stopping = supervisor.stop_watchers()
    stops = {watcher: watcher.stops for watcher in supervisor.watchers.values()}
    await stopping
    if supervisor.stopping:
        raise ConflictError("nothing was started again: circusd is stopping")
    if new is not None:
        await _take_up(supervisor, new, actions, say)
    wanted = [watcher for watcher in supervisor.in_order() if watcher.options.autostart]
    return await supervisor.start_group([each for each in wanted if each.stops == stops.get(each, each.stops)], say)


async def _take_up(supervisor: Supervisor, new: Config, actions: tuple[Action, ...], say: Progress | None) -> None:
    """Have exactly the watchers of a configuration, while none runs, and its plugins."""
    for name, watcher in tuple(supervisor.watchers.items()):
        if name not in new.watchers:
            await supervisor.remove(watcher)
    for options in in_start_order(new.watchers):
        known = supervisor.watchers.get(options.name.lower())
        if known is None:
            supervisor.take_up(options)
        else:
            known.adopt(options)
    await apply(supervisor, new, tuple(action for action in actions if action.what.startswith("plugin")), say)


def overlay(section: Section, current: WatcherOptions, new: WatcherOptions, action: Action) -> WatcherOptions:
    """`current` with the options that the plan changes: what `set` changed meanwhile and the files did not stays."""
    values: dict[str, Any] = {}
    extra = dict(current.extra)
    for change in action.changes:
        entry = section.find(change.key)
        if entry is not None and not entry.plugin:
            values[entry.attribute] = getattr(new, entry.attribute)
        elif change.key in new.extra:
            extra[change.key] = new.extra[change.key]
        else:
            extra.pop(change.key, None)
    return attrs.evolve(current, extra=extra, **values)
