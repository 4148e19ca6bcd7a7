"""Spawn the processes of a watcher, and replace them while it goes on working, all at the pace its options ask for."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, field

from circus_core.errors import RequestError, SpawnError

if TYPE_CHECKING:
    from circus_core.process import Process
    from circus_core.slots import Slot, Slots

log = logging.getLogger("circus.watcher")

Say = Callable[[str], None] | None
TURN = 0.01
"""Seconds of spawning after which others get their turn on the loop."""


async def fill(slots: Slots, say: Say) -> list[Process]:
    """Open and fill the missing slots, with the pause between spawns that the options ask for, and wait until the new
    processes are ready; answers those that are."""
    filled: list[Process] = []
    wanted = slots.missing()
    turn = time.monotonic()
    for number in range(wanted):
        if number and slots.options.warmup_delay:
            await asyncio.sleep(slots.options.warmup_delay)
        elif time.monotonic() - turn > TURN:
            await asyncio.sleep(0)
            turn = time.monotonic()
        if not (slots.missing() and slots.supervising):
            break
        process = slots.fill(slots.open())
        if process is not None:
            filled.append(process)
        if say is not None:
            say(f"{slots.options.name}: {number + 1} of {wanted} started")
    return await slots.readiness.wait_for_all(filled)


async def retire_all(slots: Slots, leaving: list[Slot]) -> None:
    """Close slots, and wait until the processes in them are gone."""
    ends = [slots.retire(slot) for slot in leaving]
    await asyncio.gather(*(end for end in ends if end is not None))


@define
class Manner:
    """How processes are replaced: `parallel` at a time, or, `sequential`, each ended before its successor starts.

    `fresh` are the slots whose processes have taken over.
    """

    parallel: int = 1
    sequential: bool = False
    fresh: list[Slot] = field(factory=list)


def check(*, graceful: bool, sequential: bool, parallel: int | None) -> None:
    """Raise RequestError where somebody asked for a reload that cannot be, or for two manners at a time."""
    if parallel is None:
        return
    if parallel < 1:
        raise RequestError(f"'parallel' is {parallel}", hint="the least possible is 1")
    other = "sequential" if sequential else "" if graceful else "terminate"
    if other:
        raise RequestError(f"'parallel' and '{other}' contradict each other", hint="choose one of them")


async def reload(slots: Slots, manner: Manner, say: Say) -> dict[str, list[int]]:
    """Replace every process in the manner asked for, or send SIGHUP if the options say so; answers the pids.

    Raises SpawnError if one of the new processes does not come up: those that it was to replace go on.
    """
    pids = sorted(process.pid for process in slots.processes())
    if slots.options.send_hup:
        for process in slots.processes():
            process.signal(signal.SIGHUP)
        return {"stopped": [], "started": [], "kept": pids}
    old = slots.oldest_first()
    if manner.sequential or slots.options.singleton:
        await _replace_each(slots, old, manner, say)
    else:
        await _replace(slots, old, slots.options.numprocesses, manner, say)
    started = sorted(slot.process.pid for slot in manner.fresh if slot.process is not None)
    return {"stopped": pids, "started": started, "kept": []}


async def take_back(slots: Slots, manner: Manner) -> None:
    """Replace those that took over in a reload that failed, by what the options are now."""
    try:
        await _replace(slots, manner.fresh, len(manner.fresh), Manner(manner.parallel), None)
    except SpawnError as error:
        log.error("%s: some processes go on with options that are not in force: %s", slots.options.name, error)


async def _replace(slots: Slots, old: list[Slot], wanted: int, manner: Manner, say: Say) -> None:
    """Spawn so many at a time, and end as many old ones once all of these are ready, until there are `wanted`.

    What is left of the old ones ends with the last of them.
    """
    left = list(old)
    while left or len(manner.fresh) < wanted:
        step = min(manner.parallel, wanted - len(manner.fresh))
        if say is not None:
            say(f"{slots.options.name}: {len(manner.fresh)} of {wanted} replaced")
        if manner.fresh and slots.options.warmup_delay:
            await asyncio.sleep(slots.options.warmup_delay)
        manner.fresh += await _bring_up(slots, step, manner)
        enough = len(manner.fresh) >= wanted
        leaving, left = (left, []) if enough else (left[:step], left[step:])
        await retire_all(slots, leaving)


async def _bring_up(slots: Slots, number: int, manner: Manner) -> list[Slot]:
    """Fill so many further slots, and wait until their processes are ready; if one never is, all of them end."""
    made: list[Slot] = []
    try:
        for each in range(number):
            if each and slots.options.warmup_delay:
                await asyncio.sleep(slots.options.warmup_delay)
            made.append(slots.open())
            made[-1].tried = True
            if slots.fill(made[-1]) is None:
                raise _failure(slots, manner)
        spawned = [slot.process for slot in made if slot.process is not None]
        if len(await slots.readiness.wait_for_all(spawned)) < number:
            raise _failure(slots, manner)
    except asyncio.CancelledError:
        # Whatever overtook this waits for those on their way out.
        for slot in made:
            slots.retire(slot)
        raise
    except SpawnError:
        await retire_all(slots, made)
        raise
    for slot in made:
        slot.tried = False
    return made


async def _replace_each(slots: Slots, old: list[Slot], manner: Manner, say: Say) -> None:
    """End the process of one slot, spawn its successor, and go on once that is ready."""
    for number, slot in enumerate(old):
        if say is not None:
            say(f"{slots.options.name}: {number} of {len(old)} replaced")
        if number and slots.options.warmup_delay:
            await asyncio.sleep(slots.options.warmup_delay)
        await retire_all(slots, [slot])
        if not slots.missing():
            continue
        fresh = slots.open()
        process = slots.fill(fresh)
        if process is None or not await slots.readiness.wait(process):
            raise _failure(slots, manner)
        manner.fresh.append(fresh)


def _failure(slots: Slots, manner: Manner) -> SpawnError:
    name, done = slots.options.name, len(manner.fresh)
    if done:
        message = f"{name} was reloaded only in part, {done} of {slots.options.numprocesses}: {slots.last_error}"
        return SpawnError(message, hint="the other old processes go on; mend it and reload again")
    if manner.sequential or slots.options.singleton:
        return SpawnError(f"{name} was not reloaded: {slots.last_error}", hint="it is tried again")
    return SpawnError(f"{name} was not reloaded: {slots.last_error}", hint="the old processes go on")
