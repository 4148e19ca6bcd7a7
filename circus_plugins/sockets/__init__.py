"""The plugin `sockets`: circusd opens sockets, and the processes of watchers share them (PROTOCOL.md 4.5).

So however many processes there are, and whichever of them is being replaced, connections wait for one that takes them.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError, SeveralError
from circus_core.model import Refuse
from circus_core.plugin import CircusPlugin, hookimpl
from circus_plugins.sockets.declared import LISTSOCKETS, register_options
from circus_plugins.sockets.exchange import Exchange
from circus_plugins.sockets.handing import handed
from circus_plugins.sockets.members import Members
from circus_plugins.sockets.occasions import WatcherSlept, WatcherWoken
from circus_plugins.sockets.places import clashes
from circus_plugins.sockets.uses import Uses, hint, mistakes, used

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from circus_core.model import Config, GiveUp, Launch, Postpone, ProcessRef, WatcherOptions
    from circus_core.plan import Action
    from circus_core.plugin import Registry
    from circus_core.requests import Reply, Request
    from circus_core.structure import Problem
    from circus_plugins.sockets.demand import Demand
    from circus_plugins.sockets.groups import Group
    from circus_plugins.sockets.held import Held
    from circus_plugins.sockets.held import Sockets as Opened
    from circus_plugins.sockets.options import SocketOptions

__all__ = ["Sockets", "WatcherSlept", "WatcherWoken"]


class Sockets(CircusPlugin):
    """Opens the sockets of `[socket:NAME]` sections and hands them to the processes that use them."""

    name = "sockets"

    def __init__(self) -> None:
        self._supervisor: Any = None
        # Made for the first socket.
        self._held: Opened | None = None
        self._members: Members | None = None
        self._demand: Demand | None = None
        self._exchange = Exchange(lambda name: self._opened().let_go(name))
        self._uses = Uses()

    def circus_register_options(self, registry: Registry) -> None:
        """`[socket:NAME]`, and what a watcher uses, and whether it starts on demand."""
        register_options(registry)

    def circus_register_commands(self, registry: Registry) -> None:
        """`listsockets`."""
        registry.command(LISTSOCKETS, self._list)

    def circus_check_config(self, config: Config) -> list[Problem]:
        """Whether there is each socket that a watcher uses, each account that one is for, and one at each address."""
        known = _sections(config)
        return [*mistakes(config.watchers.values(), known), *clashes(known)]

    def circus_startup(self, supervisor: Any) -> None:
        """Open every socket before the first watcher starts; one that cannot be opened is for those who use it."""
        self._supervisor = supervisor
        handed: dict[int, str] = supervisor.inherited.descriptors
        offered = self._opened().offer(handed) if handed else None
        for error in self._follow(supervisor.config):
            self.log.error("%s", error)
        if offered is not None:
            # They go back to whoever had them, to be closed.
            handed.update(offered.unwanted(_sections(supervisor.config)))

    def circus_plan_config(self, config: Config) -> list[Action]:
        """Which watchers are rolled for sockets that are exchanged, and what was refused and is tried again."""
        from circus_plugins.sockets import planning

        held, now = self._held.open() if self._held is not None else {}, _sections(config)
        again = planning.again(held, _sections(self._supervisor.config), now)
        return [*again, *planning.rolled(self._users(config), planning.exchanged(held, now), self._exchange.behind)]

    def circus_follow_config(self, config: Config) -> None:
        """Open what is new, exchange what changed, close what is gone, and replace the processes that used it."""
        before = self._numbers()
        refused = self._follow(config)
        after = self._numbers()
        changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
        self._exchange.renew(self._supervisor, changed, self._users(config))
        if refused:
            raise SeveralError(refused)

    def circus_shutdown(self) -> None:
        """Close every socket."""
        if self._demand is not None:
            self._demand.close()
        if self._held is not None:
            self._held.close()

    @hookimpl(tryfirst=True)
    def circus_veto_start(self, watcher: WatcherOptions) -> Refuse | Postpone | None:
        """Keep a watcher stopped whose socket cannot be had, or that nobody wants yet.

        It is asked first: what others have to say about a start, or do for it, is for when there is one.
        """
        try:
            for name in self._used(watcher):
                self._socket(name)
        except CircusError as error:
            return Refuse(error.message, error.hint)
        if not watcher.extra.get("on_demand") or self._demanded().waking(watcher.name):
            return None
        return self._demanded().postponed(watcher)

    def circus_decide_restart(self, exited: Any, watcher: WatcherOptions) -> Postpone | GiveUp | None:
        """Whether a watcher goes to sleep whose process ended."""
        return self._demand.after_death(exited, watcher) if self._demand is not None else None

    def circus_adjust_launch(self, launch: Launch, watcher: WatcherOptions) -> Launch | None:
        """Hand a process its sockets, under the numbers that they have here, or from 3 on."""
        # No watcher that needs a socket gets here where there is none, and this is part of every spawn.
        names = self._used(watcher) if _sections(self._supervisor.config) else ()
        if not names:
            return None
        numbers = {name: self._number(name, launch) for name in names}
        return handed(launch, watcher, numbers)

    def circus_describe_watcher(self, watcher: WatcherOptions) -> Mapping[str, str] | None:
        """Whether it sleeps, and what was turned away at its sockets."""
        if self._held is None:
            return None
        from circus_plugins.sockets.listing import trouble

        asleep = self._demand.described(watcher.name) if self._demand is not None else {}
        turned = trouble(self._held.open(), self._used(watcher))
        return {**asleep, **({"queue": turned} if turned else {})}

    # Processes come and go, which counts for groups

    def circus_confirm_spawn(self, process: ProcessRef) -> None:
        """The process has what its launch took."""
        if self._members is not None:
            self._members.spawned(process)

    def circus_spawn_failed(self, event: Any) -> None:
        """Nobody has what the launch took."""
        if self._members is not None:
            self._members.not_spawned(event)

    def circus_veto_signal(self, process: ProcessRef) -> None:
        """Nothing further is sent to whoever is told to end, before it hears of that: it may take what waits, and stop.

        It keeps no signal back.
        """
        if self._members is not None:
            self._members.about_to_signal(process)
            if self._exchange.concerns(process.pid) and self._members.leaves(process):
                self._exchange.ending(process.pid)

    def circus_process_signaled(self, event: Any) -> None:
        """Nor to whom a plugin spared the signal, or to one that is killed."""
        if self._members is not None:
            self._members.signaled(event)

    def circus_process_exited(self, event: Any) -> None:
        """What it had is for the next."""
        if self._members is not None:
            self._members.exited(event)
            self._exchange.ended(event.pid)
        if self._demand is not None:
            self._demand.died(event)

    # Watchers come and go

    def circus_watcher_started(self, event: Any) -> None:
        """One that is started on demand may go to sleep again."""
        if self._demand is not None:
            self._demand.started(event.watcher)

    def circus_watcher_gave_up(self, event: Any) -> None:
        """It is not to be woken."""
        if self._demand is not None and event.last:
            self._demand.gave_up(event.watcher)

    def circus_watcher_reloaded(self, event: Any) -> None:
        """Its processes have what is open now."""
        self._exchange.came_over(event.watcher)

    def circus_watcher_stopped(self, event: Any) -> None:
        """Unless somebody ordered that it goes to sleep; others that use its groups take over what comes."""
        self._exchange.came_over(event.watcher)
        if self._members is not None:
            self._members.fit()
        if self._demand is not None:
            self._demand.stopped(event.watcher)

    def circus_start_called_off(self, event: Any) -> None:
        """It is not to be woken."""
        if self._demand is not None:
            self._demand.forget(event.watcher)

    def circus_watcher_removed(self, event: Any) -> None:
        """Nothing is left to know about it."""
        self._uses.forget(event.watcher)
        if self._demand is not None:
            self._demand.forget(event.watcher)

    def circus_watcher_updated(self, event: Any) -> None:
        """It may be started on demand now, or no longer, or by other sockets."""
        if event.option == "on_demand":
            self._demanded()
        if self._demand is not None:
            self._demand.updated(event.watcher)

    # What is open

    def _follow(self, config: Config) -> list[CircusError]:
        wanted = _sections(config)
        if not wanted and self._held is None:
            return []
        held = self._opened()
        held.want(wanted)
        return held.settle()

    def _numbers(self) -> dict[str, int]:
        """The descriptors of the open sockets, by name; of a group, the first."""
        open_now = self._held.open() if self._held is not None else {}
        return {name: held.sockets[0].fileno() for name, held in open_now.items()}

    def _opened(self) -> Opened:
        if self._held is None:
            from circus_plugins.sockets.held import Sockets as Opened

            self._held = Opened(self._changed)
            self._members = Members(self._supervisor, self._held.groups, self._used)
        return self._held

    def _changed(self) -> None:
        if self._demand is not None:
            asyncio.get_running_loop().call_soon(self._demand.refresh)

    def _used(self, watcher: WatcherOptions) -> Sequence[str]:
        return self._uses.of(watcher, _sections(self._supervisor.config))

    def _users(self, config: Config) -> dict[str, list[str]]:
        """The sockets that running watchers use, and will with a configuration, by watcher."""
        sections, users = _sections(config), {}
        for key, watcher in self._supervisor.watchers.items():
            if watcher.running:
                now, then = watcher.options, config.watchers.get(key, watcher.options)
                users[watcher.name] = list(dict.fromkeys([*used(now, sections), *used(then, sections)]))
        return users

    def _socket(self, name: str) -> Held | Group:
        """An open socket, or a group of them; raises CircusError."""
        held = self._opened()
        held.want(_sections(self._supervisor.config))
        if name not in held.wanted:
            raise CircusError(f"there is no [socket:{name}]", hint=hint(name, held.wanted))
        before, found = held.open().get(name), held.get(name)
        if before is not None and found.sockets[0] is not before.sockets[0]:
            # It could not be exchanged when that was wanted.
            self._exchange.renew(self._supervisor, {name}, self._users(self._supervisor.config))
        return found

    def _number(self, name: str, launch: Launch) -> int:
        held = self._socket(name)
        assert self._members is not None
        return held.take((launch.watcher, launch.wid), partial(self._members.wanted, name)).fileno()

    def _demanded(self) -> Demand:
        if self._demand is None:
            from circus_plugins.sockets.demand import Demand
            from circus_plugins.sockets.listing import at

            def sockets(watcher: WatcherOptions) -> Any:
                return at(self._opened().open(), self._used(watcher))

            self._demand = Demand(self._supervisor, self.log, self.publish, sockets)
        return self._demand

    def _list(self, supervisor: Any, request: Request) -> Reply:
        if self._held is None:
            return {"sockets": []}
        from circus_plugins.sockets.listing import listed

        watchers: dict[str, list[str]] = {}
        for each in supervisor.watchers.values():
            for name in self._used(each.options):
                watchers.setdefault(name, []).append(each.name)
        return {"sockets": listed(self._held.open(), watchers)}


def _sections(config: Config) -> Mapping[str, SocketOptions]:
    found: Any = config.sections.get("socket", {})
    return found  # type: ignore[no-any-return]
