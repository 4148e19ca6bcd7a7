"""The plugin `flapping`: a process that dies too often in too short a time is held back, and at last given up.

It decides for each process by itself and never about one that somebody stopped (PROTOCOL.md 7.1 tells how Circus does
it, for whole watchers). Where it is active the policy of the watcher's own options is not asked.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import define, evolve, field, frozen

from circus_core.events import Event, event
from circus_core.kinds import BOOLEAN, INTEGER, NUMBER
from circus_core.model import GiveUp, Restart
from circus_core.options import declared, option
from circus_core.plugin import CircusPlugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.events import ProcessExited
    from circus_core.model import WatcherOptions
    from circus_core.plugin import Registry


@event
class ProcessFlapping(Event):
    """A process died `deaths` times within `window` seconds; it is spawned again in `retry_in` seconds (None: never).

    `tries` counts how often it has been held back in a row, this time included.
    """

    watcher: str
    wid: int
    pid: int
    deaths: int
    window: float
    tries: int
    retry_in: float | None = None


@frozen
class Rules:
    """When a process flaps, and what then."""

    attempts: int = option(INTEGER, 2, minimum=1, help="So many deaths within `window` are flapping.")
    window: float = option(NUMBER, 1.0, minimum=0, unit="seconds", help="The time within which deaths are counted.")
    retry_in: float = option(NUMBER, 7.0, minimum=0, unit="seconds", help="How long a flapping process is held back.")
    max_retry: int = option(INTEGER, 5, minimum=-1, help="It is given up when it flaps once more; -1: never.")


@define
class History:
    """The deaths of one process that count, by the clock, and how often it was held back."""

    deaths: deque[float] = field(factory=deque)
    tries: int = 0

    def died(self, now: float, rules: Rules) -> bool:
        """Take note of a death; answers whether that is flapping."""
        self.deaths.append(now)
        while len(self.deaths) > rules.attempts:
            self.deaths.popleft()
        if len(self.deaths) < rules.attempts:
            return False
        if now - self.deaths[0] > rules.window:
            self.tries = 0
            return False
        self.deaths.clear()
        return True


class Flapping(CircusPlugin):
    """Holds back processes that die again and again."""

    name = "flapping"
    host = "core"
    Options: ClassVar[type | None] = Rules

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._histories: dict[str, dict[int, History]] = {}

    def circus_register_options(self, registry: Registry) -> None:
        """Each of its options for a single watcher too, as `flapping.attempts` and so on."""
        registry.option("watcher", "flapping.active", BOOLEAN, help="False: flapping leaves this watcher alone.")
        for entry in declared(Rules).values():
            registry.option(
                "watcher", f"flapping.{entry.key}", entry.kind, minimum=entry.minimum, unit=entry.unit,
                help=f"For this watcher, instead of {entry.key} of the plugin flapping. {entry.help}",
            )  # fmt: skip

    def circus_decide_restart(self, exited: ProcessExited, watcher: WatcherOptions) -> Restart | GiveUp | None:
        """At once, or for a process that flaps later, or never.

        It decides about every death: if the policy's growing delays held between those that it counts, none would
        follow another within the window, and nobody would ever be given up.
        """
        if watcher.extra.get("flapping.active") is False:
            return None
        rules = self._rules(watcher)
        history = self._histories.setdefault(exited.watcher, {}).setdefault(exited.wid, History())
        if not history.died(self._clock(), rules):
            return Restart()
        history.tries += 1
        last = 0 <= rules.max_retry < history.tries
        self.publish(
            ProcessFlapping(
                watcher=exited.watcher, wid=exited.wid, pid=exited.pid, deaths=rules.attempts, window=rules.window,
                tries=history.tries, retry_in=None if last else rules.retry_in,
            )
        )  # fmt: skip
        often = f"it died {rules.attempts} times within {rules.window:g} s"
        if last:
            return GiveUp(f"it flaps: {often}, after it was held back {rules.max_retry} times")
        self.log.warning("%s/%d flaps: %s (%d)", exited.watcher, exited.wid, often, history.tries)
        return Restart(rules.retry_in)

    def circus_watcher_stopped(self, event: Any) -> None:
        """Whoever starts it again starts anew."""
        self._histories.pop(event.watcher, None)

    def circus_watcher_removed(self, event: Any) -> None:
        """Nothing is left to know about it."""
        self._histories.pop(event.watcher, None)

    def _rules(self, watcher: WatcherOptions) -> Rules:
        rules: Rules = self.options
        own: dict[str, Any] = {key: watcher.extra.get(f"flapping.{key}") for key in declared(Rules)}
        return evolve(rules, **{key: value for key, value in own.items() if value is not None})
