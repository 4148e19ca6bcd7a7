"""What a start takes besides: plugins are asked before the first watcher, and watchers start one after another."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from circus_core.errors import SupersededError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from circus_core.bus import Bus
    from circus_core.queue import Outcomes
    from circus_core.watcher import Watcher

log = logging.getLogger("circus")


async def ask_before_watchers(bus: Bus) -> None:
    """Wait for whatever plugins do before the watchers start; what fails is logged and keeps nothing from starting."""
    answers = [(plugin, asyncio.ensure_future(answer)) for plugin, answer in bus.ask("circus_before_watchers")]
    try:
        for plugin, answer in answers:
            try:
                await answer
            except Exception:
                log.exception("plugin %s: circus_before_watchers failed", plugin)
    finally:
        for _plugin, answer in answers:
            answer.cancel()


def in_turn(
    watchers: Sequence[Watcher], order: Callable[[Watcher], asyncio.Future[Any] | None], pause: float = 0
) -> Coroutine[Any, Any, Outcomes]:
    """Order one after another, `pause` seconds apart. Who is stopped or removed from now on is left out, and so is one
    for whom `order` answers None."""
    asked = [(watcher, watcher.stops) for watcher in watchers]

    async def work() -> Outcomes:
        outcomes = []
        for number, (watcher, stops) in enumerate(asked):
            if number and pause:
                await asyncio.sleep(pause)
            done = order(watcher) if watcher.stops == stops else None
            if done is not None:
                await asyncio.wait([done])
                if not done.cancelled() and not isinstance(done.exception(), SupersededError):
                    outcomes.append(done)
        return outcomes

    return work()
