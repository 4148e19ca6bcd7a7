"""The latest output of the processes of one slot, in memory; it is bounded, and knows no sink and no listener.

Where something is in it is told by how many bytes had been said before, so whoever has heard a part of it knows what
he has missed.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENTRY = 120
"""What an entry costs beside its text, roughly, so that many short lines take no more memory than a few long ones."""
MERGED, MOMENT = 4096, 0.1
"""Texts of the same moment, in seconds, are joined as long as they come to no more bytes than this."""

Slot = tuple[str, int]
"""A watcher's name and a wid."""


class Said(NamedTuple):
    """A part of what one process said: when it came (epoch seconds), its pid, stdout or stderr, where it begins.

    `start` is how many bytes had been said in this slot before.
    """

    at: float
    pid: int
    channel: str
    start: int
    text: bytes

    @property
    def end(self) -> int:
        """How many bytes had been said with it."""
        return self.start + len(self.text)

    def after(self, position: int) -> Said:
        """What of it comes after a position that is within it."""
        return (
            self if position <= self.start else self._replace(start=position, text=self.text[position - self.start :])
        )


class Recent:
    """The last `limit` bytes, oldest first. They stay when a process ends, for whoever asks why it did.

    `end` is how many bytes were said in all, and `name` is this ring's own, unlike that of any before. `news` is called
    with each further part.
    """

    __slots__ = ("_entries", "_size", "end", "limit", "name", "news")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: deque[Said] = deque()
        self._size = 0
        self.end = 0
        self.name = os.urandom(6).hex()
        self.news: Callable[[], None] | None = None

    def resize(self, limit: int) -> None:
        """Keep so much from now on."""
        self.limit = limit
        self._shrink()

    def add(self, data: memoryview | bytes, pid: int, channel: str) -> None:
        """Keep what was said just now, or the end of it."""
        start = self.end
        self.end += len(data)
        if self.limit:
            self._keep(data, pid, channel, start)
            if self.news is not None:
                self.news()

    def _keep(self, data: memoryview | bytes, pid: int, channel: str, start: int) -> None:
        room = max(self.limit - ENTRY, 0)
        entries = self._entries
        if len(data) <= room:
            text = bytes(data)
        else:
            # What is older belongs before a part that is not kept.
            text = bytes(data[len(data) - room :])
            start = self.end - len(text)
            entries.clear()
            self._size = 0
        at = time.time()
        if entries and len(text) < MERGED:
            last = entries[-1]
            same = last.pid == pid and last.channel == channel and at - last.at < MOMENT
            if same and len(last.text) + len(text) <= MERGED and self._size + len(text) <= self.limit:
                entries[-1] = last._replace(text=last.text + text)
                self._size += len(text)
                return
        entries.append(Said(at, pid, channel, start, text))
        self._size += len(text) + ENTRY
        self._shrink()

    def _shrink(self) -> None:
        while self._size > self.limit and self._entries:
            self._size -= len(self._entries.popleft().text) + ENTRY

    def __iter__(self) -> Iterator[Said]:
        return iter(self._entries)

    def after(self, position: int) -> list[Said]:
        """What was said after a position, as far as it is kept."""
        found: list[Said] = []
        for said in reversed(self._entries):
            if said.end <= position:
                break
            found.append(said.after(position))
        return found[::-1]

    def whole(self, channel: str | None = None) -> list[Said]:
        """All that is kept, of one channel if it is given, but for lines whose beginning is gone.

        Where nothing else is kept, the end of such a line is better than nothing.
        """
        wanted = [said for said in self._entries if channel in (None, said.channel)]
        if not self._entries or self._entries[0].start == 0:
            return wanted
        begun: set[tuple[int, str]] = set()
        found = []
        for said in wanted:
            whole = said
            if (said.pid, said.channel) not in begun:
                whole = said.after(said.start + said.text.find(b"\n") + 1)
            begun.add((said.pid, said.channel))
            if whole.text:
                found.append(whole)
        return found or wanted

    def last(self, number: int, channel: str | None = None) -> list[Said]:
        """At least the last `number` lines, of one channel if it is given, and little more."""
        found: list[Said] = []
        left = number + 1  # one is the end of the line before
        for said in reversed(self.whole(channel)):
            ends = said.text.count(b"\n")
            if ends >= left:
                before = said.text.rsplit(b"\n", left)[0]
                found.append(said.after(said.start + len(before) + 1))
                break
            left -= ends
            found.append(said)
        return found[::-1]

    def last_lines(self, number: int, channel: str, pid: int | None = None) -> list[str]:
        """The last lines of one channel, of one process if its pid is given."""
        wanted = (said for said in self.whole(channel) if pid in (None, said.pid))
        lines = b"".join(said.text for said in wanted).splitlines()
        return [line.decode(errors="replace") for line in lines[-number:]] if number else []


def message(slot: Slot, ring: Recent, said: Said) -> dict[str, Any]:
    """A part of some output as it travels. Bytes that are no UTF-8 are lone surrogates in `text` (PEP 383)."""
    return {
        "watcher": slot[0], "wid": slot[1], "pid": said.pid, "channel": said.channel, "at": round(said.at, 3),
        "ring": ring.name, "start": said.start, "text": said.text.decode("utf-8", "surrogateescape"),
    }  # fmt: skip
