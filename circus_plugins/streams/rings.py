"""The latest output of every slot, by watcher and wid: what is kept, recalled and shown. It reads no pipe."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError, RequestError
from circus_plugins.client.output import parted
from circus_plugins.streams import FAMILIES, KEPT
from circus_plugins.streams.recent import Recent, message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circus_core.model import WatcherOptions
    from circus_core.supervisor import Supervisor
    from circus_plugins.streams.following import Following
    from circus_plugins.streams.recent import Slot

LINES = 10
"""So many lines of standard error tell why a process ended."""
PAGE = 1 << 18
"""Bytes of output after which a reply is long enough: encoding them keeps circusd busy for a millisecond or two."""


def kept(watcher: WatcherOptions) -> int:
    """How many bytes are kept of each process of a watcher."""
    size: Any = watcher.extra.get("recent_output", KEPT)
    return int(size)


class Rings:
    """A ring for each slot that ever had a process whose output is read."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._rings: dict[Slot, Recent] = {}
        self._ended: dict[Slot, int] = {}

    def of(self, slot: Slot, limit: int) -> Recent:
        """The ring of a slot; its next process goes on where the one before ended."""
        ring = self._rings.get(slot)
        if ring is None:
            ring = self._rings[slot] = Recent(limit)
            self._following.add(slot, ring)
        else:
            ring.resize(limit)
        return ring

    def resize(self, watcher: WatcherOptions) -> None:
        """Keep as much as its options say now."""
        for (name, _), ring in self._rings.items():
            if name == watcher.name:
                ring.resize(kept(watcher))

    def ended(self, slot: Slot, pid: int) -> None:
        """A process is gone, and somebody may ask for its last words."""
        if slot in self._rings:
            self._ended[slot] = pid

    def last_words(self, watcher: WatcherOptions, wid: int) -> list[str] | None:
        """The last lines of standard error of the process that ended last in a slot."""
        slot = watcher.name, wid
        if slot not in self._ended:
            return None
        channel = "stdout" if watcher.extra.get("redirect_stderr") else "stderr"
        return self._rings[slot].last_lines(LINES, channel, self._ended[slot])

    def removed(self, watcher: str) -> None:
        """Forget what was said by a watcher that is no more."""
        for slot in [slot for slot in self._rings if slot[0] == watcher]:
            self._following.remove(slot)
            del self._rings[slot]
            self._ended.pop(slot, None)

    def page(
        self, supervisor: Supervisor, names: Sequence[str], *, channel: str | None, lines: int | None, after: str | None
    ) -> dict[str, Any]:
        """The reply to `tail`: what the slots said that `names` mean, one after the other, until it is long enough.

        Raises CircusError for a name that means none.
        """
        slots = sorted(self._chosen(supervisor, names) if names else self._rings, key=_order)
        begin = _slot(after) if after is not None else None
        output: list[dict[str, Any]] = []
        size = 0
        for slot in slots:
            if begin is not None and _order(slot) <= _order(begin):
                continue
            ring = self._rings[slot]
            found = ring.whole(channel) if lines is None else ring.last(lines, channel)
            output += (message(slot, ring, said) for said in found)
            size += sum(len(said.text) for said in found)
            if size >= PAGE:
                return {"output": output, "next": f"{slot[0]}/{slot[1]}"}
        return {"output": output, "next": None}

    def _chosen(self, supervisor: Supervisor, names: Sequence[str]) -> set[Slot]:
        chosen: set[Slot] = set()
        for name in names:
            # A watcher may have a name that looks like NAME/WID.
            pattern, wid = (name.lower(), None) if name.lower() in supervisor.watchers else parted(name)
            found = {slot for slot in self._rings if _means(pattern, wid, slot)}
            if not found:
                self._explain(supervisor, name, pattern, wid)
            elif not any(self._rings[slot].limit for slot in found):
                raise CircusError(f"nothing is kept of the output of {name}", hint="its recent_output is 0")
            chosen |= found
        return chosen

    def _explain(self, supervisor: Supervisor, name: str, pattern: str, wid: int | None) -> None:
        """Raise the error of a name for which there is nothing."""
        watchers = [each for key, each in supervisor.watchers.items() if _like(pattern, key)]
        if not watchers:
            supervisor.watcher(pattern)  # which says what there is
        if any(True for watcher in watchers if not reads(watcher.options)):
            raise CircusError(
                f"the output of {name} is not read: it goes where circusd's own goes",
                hint="set stdout_stream.class = StdoutStream to have it go there through circusd, or give it a file",
            )
        if wid is not None and any(key == watcher.name for watcher in watchers for key, _ in self._rings):
            have = sorted(slot for slot in self._rings if _like(pattern, slot[0].lower()))
            known = ", ".join(f"{watcher}/{each}" for watcher, each in have)
            raise RequestError(f"there is no process {name}", hint=f"there is output of {known}")


def reads(watcher: WatcherOptions) -> bool:
    """Whether output of a watcher's processes comes through circusd."""
    return any(key.startswith(FAMILIES) for key in watcher.extra)


def _like(pattern: str, name: str) -> bool:
    return pattern == name or fnmatch.fnmatchcase(name, pattern)


def _means(pattern: str, wid: int | None, slot: Slot) -> bool:
    return _like(pattern, slot[0].lower()) and wid in (None, slot[1])


def _order(slot: Slot) -> tuple[str, int]:
    return slot[0].lower(), slot[1]


def _slot(text: str) -> Slot:
    watcher, _, wid = text.rpartition("/")
    if not wid.isdecimal():
        raise RequestError(f"after: {text!r} is no process", hint="it is NAME/WID, the `next` of a reply")
    return watcher, int(wid)
