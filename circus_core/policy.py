"""When a slot is filled again: pure functions of a watcher's options and of what happened; no clock, no process.

A process that lived well comes back at once. One that dies young comes back at once a few times, then after delays
that double up to a cap. One that cannot be started waits from the first failure on. A budget ends in giving up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_core.model import GiveUp, Restart

if TYPE_CHECKING:
    from circus_core.model import WatcherOptions

SPAWN_TRIES = 5
"""Circus' default of max_retry, which it counts only for programs that cannot be started."""
JITTER = 0.1
"""Delays vary by this share up and down, so that what failed together does not come back together."""

_TIMES = {1: "once", 2: "twice"}


def after_exit(options: WatcherOptions, failures: int, chance: float, *, ready: bool = True) -> Restart | GiveUp:
    """What to do about a process that ended by itself; `failures` are its young deaths in a row, this one included.

    0 failures: it lived well. `chance` is a random number from 0 to 1. One that never was `ready` died young, however
    long it took.
    """
    delayed = failures - options.restart_burst
    if delayed <= 0:
        return Restart()
    if options.max_retry is not None and 0 <= options.max_retry < delayed:
        how = f"died within {options.min_uptime:g} s of its start" if ready else "did not become ready"
        return GiveUp(f"it {how} {failures} times in a row")
    return Restart(_delay(options, delayed, chance))


def after_failed_spawn(options: WatcherOptions, failures: int, reason: str, chance: float) -> Restart | GiveUp:
    """What to do about a process that could not be started; `failures` are the failed tries in a row, this one too."""
    tries = SPAWN_TRIES if options.max_retry is None else options.max_retry
    if tries != -1 and failures >= max(tries, 1):
        return GiveUp(f"{reason}; tried {_TIMES.get(failures, f'{failures} times')}")
    return Restart(_delay(options, failures, chance))


def _delay(options: WatcherOptions, step: int, chance: float) -> float:
    """The delay of step 1, 2, ...: the exponent is capped so that no float overflows."""
    plain = min(options.restart_delay * 2.0 ** min(step - 1, 60), options.restart_delay_max)
    return plain * (1 + JITTER * (2 * chance - 1))
