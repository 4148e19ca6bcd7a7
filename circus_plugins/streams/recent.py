"""The latest output of the processes of one slot, in memory; it is bounded, and knows no sink."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = 65_536
"""Bytes of output that are kept of a slot, unless `recent_output` says otherwise."""
ENTRY = 120
"""What an entry costs beside its text, roughly, so that many short lines take no more memory than a few long ones."""
MERGED = 4096
"""Texts of the same second that are shorter are joined."""


class Said(NamedTuple):
    """Some lines of one process: when they came (epoch seconds), its pid, stdout or stderr, and what it said."""

    at: float
    pid: int
    channel: str
    text: bytes


class Recent:
    """The last `limit` bytes, oldest first. They stay when a process ends, for whoever asks why it did."""

    __slots__ = ("_entries", "_size", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: deque[Said] = deque()
        self._size = 0

    def add(self, data: memoryview, pid: int, channel: str) -> None:
        """Keep what was said just now, or the end of it."""
        if not self.limit:
            return
        room = max(self.limit - ENTRY, 0)
        entries = self._entries
        if len(data) <= room:
            text = bytes(data)
        else:
            # What is older belongs before a part that is not kept.
            text = _whole_lines(bytes(data[len(data) - room :]))
            entries.clear()
            self._size = 0
        at = time.time()
        if entries and len(text) < MERGED:
            last = entries[-1]
            same = last.pid == pid and last.channel == channel and at - last.at < 1
            if same and len(last.text) + len(text) <= MERGED:
                entries[-1] = last._replace(text=last.text + text)
                self._size += len(text)
                self._shrink()
                return
        entries.append(Said(at, pid, channel, text))
        self._size += len(text) + ENTRY
        self._shrink()

    def _shrink(self) -> None:
        while self._size > self.limit and self._entries:
            self._size -= len(self._entries.popleft().text) + ENTRY

    def __iter__(self) -> Iterator[Said]:
        return iter(self._entries)

    def last_lines(self, number: int, channel: str, pid: int | None = None) -> list[str]:
        """The last lines of one channel, of one process if its pid is given."""
        wanted = (said for said in self._entries if said.channel == channel and pid in (None, said.pid))
        lines = b"".join(said.text for said in wanted).splitlines()
        return [line.decode(errors="replace") for line in lines[-number:]] if number else []


def _whole_lines(text: bytes) -> bytes:
    """Without what is left of a line whose beginning is gone."""
    start = text.find(b"\n") + 1
    return text[start:] if start < len(text) else text
