"""What becomes of an empty slot: it is filled again at once, later, or given up. It carries out what policy says.

Why a slot is empty it is told: a process ended or could not be started, or a plugin did not want it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Protocol

from circus_core import policy
from circus_core.events import RestartDelayed, SpawnFailed, WatcherGaveUp
from circus_core.model import GiveUp, Postpone, Refuse, Restart, RetryLater, in_words

if TYPE_CHECKING:
    from circus_core.consent import Objection
    from circus_core.errors import VetoedError
    from circus_core.events import ProcessExited
    from circus_core.slots import Slot, Slots

log = logging.getLogger("circus.watcher")

RECENT = 20
"""Deaths of a slot that are remembered for `circus_decide_restart`."""
FLOOR = 0.05
"""The least seconds between two tries of a program that cannot be started, whatever restart_delay says."""


class Owner(Protocol):
    """Whose slots they are, and who hears of what is more than one slot's matter."""

    slots: Slots

    def filled(self) -> None:
        """A slot that waited was filled, or was given up, or its process became ready."""
        ...

    def dry(self, code: int | None) -> None:
        """No slot has a process or will have one; `code` is the exit code of the last, if that is why."""
        ...

    def refused(self, error: VetoedError) -> None:
        """A plugin wants the watcher stopped."""
        ...


class Upkeep:
    """Looks after the empty slots of one owner."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def objected(self, slot: Slot, found: Objection) -> None:
        """A plugin did not want a process in the slot."""
        if isinstance(found.verdict, RetryLater):
            self._owner.slots.last_error = found.reason
            self._later(slot, found.verdict.after)
            return
        self._give_up(slot, found.reason, None)
        if isinstance(found.verdict, Refuse):
            self._owner.refused(found.error(f"{self._owner.slots.options.name} was stopped", "a spawn"))

    def failed(self, slot: Slot, reason: str) -> None:
        """No process could be started."""
        slots = self._owner.slots
        name = slots.options.name
        slot.failures += 1
        slots.last_error = reason
        verdict = policy.after_failed_spawn(slots.options, slot.failures, reason, slots.around.chance())
        delay = max(verdict.delay, FLOOR) if isinstance(verdict, Restart) else None
        log.error("%s/%d: %s%s", name, slot.wid, reason, f"; next try in {delay:.1f} s" if delay else "")
        slots.around.bus.publish(SpawnFailed(watcher=name, wid=slot.wid, reason=reason, retry_in=delay))
        if isinstance(verdict, GiveUp):
            self._give_up(slot, verdict.reason, None)
        elif delay is not None:
            self._later(slot, delay)

    def emptied(self, slot: Slot, exited: ProcessExited) -> None:
        """The process in the slot ended."""
        slots = self._owner.slots
        options, code = slots.options, exited.exit_code
        if not exited.requested:
            slots.last_exit = exited
            slot.failures = 0 if exited.ready and exited.age >= options.min_uptime else slot.failures + 1
            log.info("%s/%d: pid %d %s after %.1f s", options.name, slot.wid, exited.pid, in_words(code), exited.age)
        if slot.tried:
            return
        if not options.respawn:
            self._close(slot, code)
            return
        verdict = Restart() if exited.requested else self._decide(slot, exited)
        if isinstance(verdict, Postpone):
            self._close(slot, None)
            return
        if isinstance(verdict, GiveUp):
            self._give_up(slot, f"{verdict.reason}; the last time it {in_words(code)}", code)
            return
        slot.restarts += 1
        slots.restarts += 1
        if verdict.delay > 0:
            log.warning("%s/%d: next start in %.1f s", options.name, slot.wid, verdict.delay)
            delayed = RestartDelayed(watcher=options.name, wid=slot.wid, delay=verdict.delay, failures=slot.failures)
            slots.around.bus.publish(delayed)
            self._later(slot, verdict.delay)
        else:
            self._retry(slot)

    def came_up(self) -> None:
        """A process that was waited for is ready."""
        self._owner.filled()

    def _close(self, slot: Slot, code: int | None) -> None:
        slots = self._owner.slots
        slots.retire(slot)
        if slots.dry:
            self._owner.dry(code)

    def _decide(self, slot: Slot, exited: ProcessExited) -> Restart | GiveUp | Postpone:
        """What a plugin says about a process that ended by itself, or else policy."""
        slots = self._owner.slots
        recent = slot.recent = slot.recent or deque(maxlen=RECENT)
        answer = slots.around.bus.first(
            "circus_decide_restart", exited=exited, recent=tuple(recent), watcher=slots.options
        )
        recent.append(exited)
        if answer is not None:
            verdict: Restart | GiveUp | Postpone = answer[1]
            return verdict
        return policy.after_exit(slots.options, slot.failures, slots.around.chance(), ready=exited.ready)

    def _later(self, slot: Slot, delay: float) -> None:
        slot.timer = asyncio.get_running_loop().call_later(delay, self._retry, slot)

    def _retry(self, slot: Slot) -> None:
        if self._owner.slots.fill(slot) is not None:
            self._owner.filled()

    def _give_up(self, slot: Slot, reason: str, code: int | None) -> None:
        slots = self._owner.slots
        name = slots.options.name
        slot.gave_up = slots.last_error = reason
        last = slots.dry and not slots.missing()
        log.error("%s/%d: given up: %s", name, slot.wid, reason)
        found = slots.around.bus.first("circus_recall_output", watcher=slots.options, wid=slot.wid)
        slots.around.bus.publish(
            WatcherGaveUp(
                watcher=name, wid=slot.wid, reason=reason, last=last, exit_code=code,
                last_words=tuple(found[1]) if found else (),
            )
        )  # fmt: skip
        if last:
            self._owner.dry(1 if code is None else code)
        else:
            self._owner.filled()
