"""Spawn the processes of a watcher, and replace them while it goes on working, all at the pace its options ask for."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

from circus_core.errors import SpawnError

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.process import Process
    from circus_core.slots import Slot, Slots

TURN = 0.01
"""Seconds of spawning after which others get their turn on the loop."""


async def fill(slots: Slots, say: Callable[[str], None] | None) -> list[Process]:
    """Open and fill the missing slots, with the pause between spawns that the options ask for."""
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
    return filled


async def retire_all(slots: Slots, leaving: list[Slot]) -> None:
    """Close slots, and wait until the processes in them are gone."""
    ends = [slots.retire(slot) for slot in leaving]
    await asyncio.gather(*(end for end in ends if end is not None))


async def reload(slots: Slots, sequential: bool, say: Callable[[str], None] | None) -> dict[str, list[int]]:
    """Replace every process in the manner that the options and `sequential` ask for; answers the pids."""
    old = slots.oldest_first()
    pids = sorted(process.pid for process in slots.processes())
    if slots.options.send_hup:
        for process in slots.processes():
            process.signal(signal.SIGHUP)
        return {"stopped": [], "started": [], "kept": pids}
    replace = replace_each if sequential or slots.options.singleton else replace_all
    return {"stopped": pids, "started": sorted(await replace(slots, old, say)), "kept": []}


async def replace_each(slots: Slots, old: list[Slot], say: Callable[[str], None] | None) -> list[int]:
    """End the process of one slot, spawn its successor, and go on once that is ready; answers the new pids."""
    started = []
    for number, slot in enumerate(old):
        if say is not None:
            say(f"{slots.options.name}: {number} of {len(old)} replaced")
        if number and slots.options.warmup_delay:
            await asyncio.sleep(slots.options.warmup_delay)
        end = slots.retire(slot)
        if end is not None:
            await end
        if not slots.missing():
            continue
        process = slots.fill(slots.open())
        if process is None or not await slots.readiness.wait(process):
            raise SpawnError(f"{slots.options.name} was reloaded only in part: {slots.last_error}")
        started.append(process.pid)
    return started


async def replace_all(slots: Slots, old: list[Slot], say: Callable[[str], None] | None) -> list[int]:
    """Spawn as many as there are to be, and end the old ones once all are ready; answers the new pids.

    If one of them does not come up, the new ones end and the old ones go on.
    """
    fresh: list[Slot] = []
    try:
        for number in range(slots.options.numprocesses):
            if say is not None:
                say(f"{slots.options.name}: {number} of {slots.options.numprocesses} started")
            if number and slots.options.warmup_delay:
                await asyncio.sleep(slots.options.warmup_delay)
            fresh.append(slots.open())
            process = slots.fill(fresh[-1])
            if process is None or not await slots.readiness.wait(process):
                raise SpawnError(
                    f"{slots.options.name} was not reloaded: {slots.last_error}", hint="the old processes go on"
                )
    except asyncio.CancelledError:
        # Whatever overtook this waits for those on their way out.
        for slot in fresh:
            slots.retire(slot)
        raise
    except SpawnError:
        await retire_all(slots, fresh)
        raise
    await retire_all(slots, old)
    return [slot.process.pid for slot in fresh if slot.process]
