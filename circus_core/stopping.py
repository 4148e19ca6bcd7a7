"""What a stop takes, step by step: plugins are asked, processes end, and strays and orphans last."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING

from circus_core import tree
from circus_core.errors import SystemCallError
from circus_core.remains import STUCK, Remains

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circus_core.bus import Bus
    from circus_core.kinship import Released
    from circus_core.model import WatcherOptions
    from circus_core.reaper import Reaper
    from circus_core.slots import Slots

log = logging.getLogger("circus.watcher")

ORPHANS_GRACE = 5.0
"""Seconds that processes of no known watcher get to end when the daemon ends."""


async def ask_before_stop(bus: Bus, options: WatcherOptions) -> None:
    """Wait for whatever plugins do before the processes are asked to stop, for `graceful_timeout` at most."""
    answers = {
        asyncio.ensure_future(answer): plugin for plugin, answer in bus.ask("circus_before_stop", watcher=options)
    }
    if not answers:
        return
    done, late = await asyncio.wait(answers, timeout=options.graceful_timeout)
    for task in late:
        task.cancel()
        log.error("%s: circus_before_stop of plugin %s took longer than graceful_timeout", options.name, answers[task])
    for task in done:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("%s: circus_before_stop of plugin %s failed", options.name, answers[task], exc_info=error)


async def end_all(slots: Slots, say: Callable[[str], None] | None) -> SystemCallError | None:
    """End every process of a watcher, all at the same time; once that is done, answers why it could not be done."""
    ends = [slots.end(process) for process in slots.everyone()]
    ends += [process.gone() for process in slots.leaving if not process.alive]
    failure: SystemCallError | None = None
    for number, end in enumerate(ends):
        if say is not None:
            say(f"{slots.options.name}: {number} of {len(ends)} stopped")
        try:
            await end
        except SystemCallError as error:
            failure = failure or error
            slots.last_error = str(failure)
    return failure


async def end_strays(reaper: Reaper, family: str, options: WatcherOptions) -> None:
    """End descendants of processes that died earlier: those that called setsid and outlived their parents."""

    def strays() -> dict[int, int]:
        found = reaper.strangers().family(family)
        return tree.identify([*found, *tree.descendants(*found)])

    if strays():
        deadline = asyncio.get_running_loop().time() + options.graceful_timeout
        await Remains(strays, options.stop_signal, deadline, lambda _pid, _signum: None).gone


async def end_orphans(reaper: Reaper, released: Sequence[Released] = ()) -> None:
    """End whatever is left below the daemon, of whichever watcher, but for what was `released`.

    Those that cannot be caught do not keep it.
    """
    session = os.getsid(0)

    def orphans() -> dict[int, int]:
        strangers = reaper.strangers()
        spared = set().union(*(each.tree(strangers) for each in released))
        found = [pid for pid, seen in strangers.stats.items() if seen.session != session and pid not in spared]
        return tree.identify([*found, *tree.descendants(*found)])

    def tell(pid: int, signum: int) -> None:
        log.info("signal %d to orphan %d", signum, pid)

    if orphans():
        deadline = asyncio.get_running_loop().time() + ORPHANS_GRACE
        remains = Remains(orphans, signal.SIGTERM, deadline, tell)
        done, _late = await asyncio.wait([remains.gone], timeout=ORPHANS_GRACE + STUCK)
        if not done:
            log.error("orphans are left that cannot be caught: pids %s", sorted(orphans()))
