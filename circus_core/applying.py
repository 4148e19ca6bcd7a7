"""Bring a supervisor from the configuration in force to another one: a plan first, then what it says and no more."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from attrs import evolve

from circus_core.errors import CircusError, ConflictError, SeveralError, SpawnError
from circus_core.events import SupervisorReloaded
from circus_core.plan import Action, Live, in_start_order, merged, plan
from circus_core.values import Change, diff

if TYPE_CHECKING:
    from circus_core.assembly import Reading
    from circus_core.model import Config, WatcherOptions
    from circus_core.queue import Outcomes
    from circus_core.requests import Progress
    from circus_core.supervisor import Supervisor
    from circus_core.watcher import Watcher

log = logging.getLogger("circus")


def planned(supervisor: Supervisor, new: Reading) -> tuple[Action, ...]:
    """What `reload` would do now."""
    live = {key: Live(watcher.options, watcher.running) for key, watcher in supervisor.watchers.items()}
    actions = plan(new.sections, supervisor.config, new.config, live, supervisor.bus.loaded, supervisor.started)
    for plugin, further in supervisor.bus.ask("circus_plan_config", config=new.config):
        actions += tuple(evolve(action, by=plugin) for action in further)
    if supervisor.assembly.touches_files(new):
        return actions
    # Nothing was read again, so what commands removed stays removed, and nothing new is to be said about [circus].
    done = {*(supervisor.config.watchers.keys() - live.keys()), "circus"}
    return tuple(action for action in actions if action.target.lower() not in done or action.what.startswith("plugin"))


async def reload(
    supervisor: Supervisor, new: Reading, say: Progress | None = None
) -> tuple[tuple[Action, ...], Outcomes]:
    """Have another configuration in force; answers, once all is done, the plan and what became of each operation.

    One reload after another orders what is to be done, and each plans when its turn comes; what was ordered is then
    done side by side.
    """
    async with supervisor.reloading:
        new = supervisor.assembly.current(new)
        actions, old = planned(supervisor, new), supervisor.config
        work = await _order(supervisor, old, new, actions, say)
    if work:
        await asyncio.wait(work)
    supervisor.bus.publish(SupervisorReloaded(actions=tuple(str(action) for action in actions)))
    return actions, work


async def _order(
    supervisor: Supervisor, old: Config, new: Reading, actions: tuple[Action, ...], say: Progress | None
) -> list[asyncio.Future[Any]]:
    """Order what a plan says, whatever of it fails; answers what is on its way, and what failed already."""
    supervisor.assembly.adopt(new)
    work: list[asyncio.Future[Any]] = await _tell_plugins(supervisor, old)
    for action in actions:
        log.info("reloadconfig: %s", action)
        if say is not None:
            say(str(action))
        if action.by:
            continue
        try:
            work += await _do(supervisor, action, old, new.config)
        except CircusError as error:
            log.error("reloadconfig: %s: %s", action.target, error)
            work.append(_failed(error))
    named = {action.target.lower() for action in actions if not action.by}
    for key, wanted in new.config.watchers.items():
        watcher = supervisor.watchers.get(key)
        if watcher is not None and key not in named and watcher.queue.current is not None:
            # It has what the file wants, but an earlier order that waits for its turn may change that.
            work.append(_follow(supervisor, watcher, old.watchers.get(key), wanted))
    return work


async def _tell_plugins(supervisor: Supervisor, old: Config) -> list[asyncio.Future[Any]]:
    """Have the plugins follow their options of [circus], and their sections.

    Answers what failed, whose old options stay in force, and what they ordered of watchers to that end.
    """
    failed = []
    before = {watcher: watcher.queue.latest for watcher in supervisor.watchers.values()}
    for loaded in tuple(supervisor.bus.loaded.values()):
        if not loaded.started:
            continue
        try:
            await supervisor.bus.finish(loaded, "circus_follow_config", config=supervisor.config)
        except CircusError as error:
            supervisor.assembly.keep_circus(loaded.name, old.supervisor)
            for each in error.errors if isinstance(error, SeveralError) else (error,):
                log.error("reloadconfig: %s", each)
                failed.append(_failed(each))
    latest = {watcher: watcher.queue.latest for watcher in supervisor.watchers.values()}
    return failed + [done for watcher, done in latest.items() if done is not None and done is not before.get(watcher)]


def _failed(error: CircusError) -> asyncio.Future[Any]:
    done = asyncio.get_running_loop().create_future()
    done.set_exception(error)
    # It is logged already, if nobody waits for it.
    done.exception()
    return done


async def _do(supervisor: Supervisor, action: Action, old: Config, new: Config) -> list[asyncio.Future[Any]]:
    """Do, or begin to do, what one action says; answers what is on its way."""
    key = action.target.lower()
    match action.what, supervisor.watchers.get(key):
        case "start", None:
            return [supervisor.take_up(new.watchers[key]).start()]
        case "add", None:
            supervisor.take_up(new.watchers[key])
        case "remove", watcher if watcher is not None:
            return [supervisor.remove(watcher)]
        case "plugin-unload" | "plugin-reload" | "plugin-load", _:
            await _do_plugin(supervisor, action)
        case "start" | "add" | "reload" | "adjust" | "update", watcher if watcher is not None and key in new.watchers:
            return [_follow(supervisor, watcher, old.watchers.get(key), new.watchers[key])]
    return []


def _follow(
    supervisor: Supervisor, watcher: Watcher, before: WatcherOptions | None, wanted: WatcherOptions
) -> asyncio.Future[None]:
    """Have a watcher follow its section; what that changes is found when its turn comes."""
    section = supervisor.assembly.sections["watcher"]

    def change(now: WatcherOptions) -> tuple[WatcherOptions, tuple[Change, ...]]:
        made = merged(section, now, before, wanted)
        return made, diff(section, now, made)

    done = watcher.update(change)
    done.add_done_callback(lambda done: _noted(supervisor, before, done))
    return done


def _noted(supervisor: Supervisor, before: WatcherOptions | None, done: asyncio.Future[None]) -> None:
    """What a watcher could not follow is not in force, so that the next reload tries again."""
    if before is not None and not done.cancelled() and isinstance(done.exception(), SpawnError):
        supervisor.assembly.keep(before)


async def restart_plugin(supervisor: Supervisor, name: str) -> None:
    """Load a plugin inside circusd anew, with its code as it is now where `use` is a file."""
    async with supervisor.reloading:
        supervisor.assembly.renew(name)
        await _do_plugin(supervisor, Action("plugin-reload", name, "somebody asked for it"))


async def _do_plugin(supervisor: Supervisor, action: Action) -> None:
    name, assembly, bus = action.target, supervisor.assembly, supervisor.bus
    if action.what != "plugin-load" and name in bus.loaded:
        await bus.shutdown(bus.loaded[name])
        assembly.unload(name)
    if action.what == "plugin-unload":
        bus.forget(name)
        return
    try:
        await _load(supervisor, name)
    except CircusError as error:
        assembly.failed[name] = str(error)
        raise
    assembly.failed.pop(name, None)


async def _load(supervisor: Supervisor, name: str) -> None:
    assembly, bus = supervisor.assembly, supervisor.bus
    loaded = assembly.load_configured(name, supervisor.config.plugins[name])
    if loaded is None:
        return
    try:
        assembly.equip(loaded, supervisor.client)
        await bus.startup(loaded, supervisor=supervisor)
    except BaseException:
        await bus.shutdown(loaded)
        assembly.unload(name)
        raise


async def restart(supervisor: Supervisor, new: Reading | None, say: Progress | None = None) -> Outcomes:
    """Stop everything, have a configuration in force that was read again, and start everything.

    Without one, as there is no file, the watchers stay as commands have made them. Who is told to stop while all stop
    stays stopped.
    """
    failed: Outcomes = ()
    async with supervisor.reloading:
        stopping = supervisor.stop_watchers()
        stops = {watcher: watcher.stops for watcher in supervisor.watchers.values()}
        await stopping
        if supervisor.stopping:
            raise ConflictError("nothing was started again: circusd is stopping")
        if new is not None:
            failed = await _take_up(supervisor, new, say)
    wanted = [watcher for watcher in supervisor.in_order() if watcher.options.autostart]
    again = [each for each in wanted if each.stops == stops.get(each, each.stops)]
    return [*failed, *await supervisor.start_group(again, say)]


async def _take_up(supervisor: Supervisor, new: Reading, say: Progress | None) -> Outcomes:
    """Have exactly the watchers of a configuration, while none runs, and its plugins; answers what failed."""
    new = supervisor.assembly.current(new)
    old, actions = supervisor.config, planned(supervisor, new)
    for name, watcher in tuple(supervisor.watchers.items()):
        if name not in new.config.watchers:
            await supervisor.remove(watcher)
    for options in in_start_order(new.config.watchers):
        known = supervisor.watchers.get(options.name.lower())
        if known is None:
            supervisor.take_up(options)
        else:
            known.adopt(options)
    plugins = tuple(action for action in actions if action.what.startswith("plugin"))
    failed = await _order(supervisor, old, new, plugins, say)
    supervisor.bus.publish(SupervisorReloaded(actions=tuple(str(action) for action in plugins)))
    return failed
