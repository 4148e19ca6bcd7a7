"""Watchers with `on_demand`: each sleeps until something comes to one of its sockets, and again when nobody wants it.

Their starts are postponed, and ordered when they are wanted. What runs, and what is to be done about a death while
somebody waits, is left to the watcher.
"""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING, Any

from circus_core import policy
from circus_core.errors import CircusError, SupersededError
from circus_core.model import GiveUp, Postpone, WatcherState
from circus_plugins.sockets.connected import connected
from circus_plugins.sockets.occasions import WatcherSlept, WatcherWoken
from circus_plugins.sockets.sleeper import Sleeper

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from circus_core.events import Event, ProcessExited
    from circus_core.model import WatcherOptions
    from circus_core.watcher import Watcher
    from circus_plugins.sockets.sleeper import Sockets


class Demand:
    """The watchers with `on_demand` that somebody started, asleep or not. `sockets` answers those of a watcher."""

    def __init__(
        self,
        supervisor: Any,
        log: logging.Logger,
        publish: Callable[[Event], None],
        sockets: Callable[[WatcherOptions], Sockets],
    ) -> None:
        self._supervisor = supervisor
        self._log = log
        self._publish = publish
        self._sockets = sockets
        self._sleepers: dict[str, Sleeper] = {}

    def close(self) -> None:
        """Wait for nobody any more."""
        while self._sleepers:
            self._sleepers.popitem()[1].close()

    # What is asked

    def postponed(self, options: WatcherOptions) -> Postpone:
        """A start that is not ordered because something came: the watcher sleeps instead."""
        sleeper = self._sleeper(options.name)
        sleeper.gave_up = False
        sleeper.stops = self._supervisor.watcher(options.name).stops
        if not sleeper.asleep:
            verdict = policy.after_exit(options, sleeper.failures, random.random())
            sleeper.sleep(self._sockets(options), getattr(verdict, "delay", options.restart_delay_max))
            where = tuple(sleeper.addresses)
            self._log.info("%s sleeps until something comes to %s", options.name, ", ".join(where))
            self._publish(WatcherSlept(watcher=options.name, addresses=where))
        return Postpone(f"something has to come to {', '.join(sleeper.addresses)}")

    def waking(self, name: str) -> bool:
        """Whether a start is ordered because something came."""
        return name in self._sleepers and self._sleepers[name].waking

    def after_death(self, exited: ProcessExited, options: WatcherOptions) -> Postpone | GiveUp | None:
        """What becomes of a watcher whose process ended: it sleeps, if that was the last and nobody waits."""
        sleeper = self._sleepers.get(options.name)
        if sleeper is None or not self._supervisor.watcher(options.name).slots.dry or sleeper.waits():
            return None
        self._count(sleeper, exited, options)
        verdict = policy.after_exit(options, sleeper.failures, random.random())
        return verdict if isinstance(verdict, GiveUp) else Postpone("nobody waits for it")

    def described(self, name: str) -> dict[str, str]:
        """A watcher that sleeps, in words."""
        sleeper = self._sleepers.get(name)
        if sleeper is None or not sleeper.asleep:
            return {}
        return {"asleep": f"until something comes to {', '.join(sleeper.addresses)}"}

    # What happened

    def started(self, name: str) -> None:
        """A watcher is active: when nothing comes to it for long enough it sleeps again."""
        watcher = self._watcher(name)
        if watcher is not None and watcher.options.extra.get("on_demand"):
            sleeper = self._sleeper(name)
            sleeper.stops = watcher.stops
            sleeper.wake(self._sockets(watcher.options), _interval(watcher.options))

    def died(self, exited: ProcessExited) -> None:
        """A process ended that nobody replaces."""
        sleeper, watcher = self._sleepers.get(exited.watcher), self._watcher(exited.watcher)
        if sleeper is not None and watcher is not None and not (watcher.options.respawn or exited.requested):
            self._count(sleeper, exited, watcher.options)

    def gave_up(self, name: str) -> None:
        """A watcher failed too often: it is stopped, until somebody starts it."""
        if name in self._sleepers:
            self._sleepers[name].gave_up = True

    def stopped(self, name: str) -> None:
        """A watcher is stopped: if nobody ordered that, it sleeps."""
        sleeper, watcher = self._sleepers.get(name), self._watcher(name)
        if sleeper is None or sleeper.asleep:
            return
        if watcher is None or watcher.stops != sleeper.stops or sleeper.gave_up:
            self.forget(name)
        else:
            sleeper.close()
            self._supervisor.client.cast("start", name=name)

    def forget(self, name: str) -> None:
        """Nobody wants a watcher any more."""
        sleeper = self._sleepers.pop(name, None)
        if sleeper is not None:
            sleeper.close()

    def updated(self, name: str) -> None:
        """An option of a watcher has another value."""
        watcher, sleeper = self._watcher(name), self._sleepers.get(name)
        if watcher is None:
            return
        if not watcher.options.extra.get("on_demand"):
            slept = sleeper is not None and sleeper.asleep
            self.forget(name)
            if slept:
                self._supervisor.client.cast("start", name=name)
        elif sleeper is not None and sleeper.asleep:
            sleeper.sleep(self._sockets(watcher.options))
        elif watcher.running:
            self.started(name)

    def refresh(self) -> None:
        """Other sockets are open than before."""
        for name in tuple(self._sleepers):
            self.updated(name)

    # Waking, and going to sleep

    def _sleeper(self, name: str) -> Sleeper:
        sleeper = self._sleepers.get(name)
        if sleeper is None:
            wanted, idle = functools.partial(self._wake, name), functools.partial(self._rest, name)
            sleeper = self._sleepers[name] = Sleeper(wanted, idle)
        return sleeper

    def _watcher(self, name: str) -> Watcher | None:
        found: Watcher | None = self._supervisor.watchers.get(name.lower())
        return found

    def _wake(self, name: str, address: str) -> None:
        self._log.info("%s is woken: something came to %s", name, address)
        self._sleepers[name].waking = True
        self._publish(WatcherWoken(watcher=name, address=address))
        self._supervisor.background(self._start(name, self._sleepers[name]))

    async def _start(self, name: str, sleeper: Sleeper) -> None:
        try:
            await self._supervisor.client.call("start", name=name, waiting=True)
        except SupersededError:
            return
        except CircusError as error:
            self._log.error("%s was woken and did not start: %s", name, error)
        finally:
            sleeper.waking = False
        watcher = self._watcher(name)
        if self._sleepers.get(name) is sleeper and watcher is not None and watcher.state is WatcherState.STOPPED:
            # It was refused: what came still waits.
            sleeper.failures += 1
            self._supervisor.client.cast("start", name=name)

    def _rest(self, name: str) -> None:
        watcher, sleeper = self._supervisor.watcher(name), self._sleepers[name]
        if watcher.queue.current is None and watcher.state is WatcherState.ACTIVE and not self._busy(watcher, sleeper):
            self._log.info("%s is idle, and goes to sleep", name)
            sleeper.failures = 0
            self._supervisor.client.cast("restart", name=name, running=True)
        else:
            sleeper.again()

    def _busy(self, watcher: Watcher, sleeper: Sleeper) -> bool:
        pids = [pid for process in watcher.slots.everyone() for pid in (process.pid, *process.descendants())]
        return sleeper.waits() or connected(pids, [one for _address, one in sleeper.sockets])

    def _count(self, sleeper: Sleeper, exited: ProcessExited, options: WatcherOptions) -> None:
        young = exited.age < options.min_uptime and (exited.exit_code != 0 or sleeper.waits())
        sleeper.failures = sleeper.failures + 1 if young else 0


def _interval(options: WatcherOptions) -> float:
    return float(options.extra.get("idle_timeout") or 0)  # type: ignore[arg-type]
