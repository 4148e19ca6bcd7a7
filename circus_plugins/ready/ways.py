"""What it means that a process is ready, and the two simple ways to tell: it has had some time, or it has said so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from circus_core import tree

if TYPE_CHECKING:
    import re
    from collections.abc import AsyncIterator, Callable

FIRST, LONGEST, GROWTH = 0.02, 0.5, 1.4
"""Seconds between two looks at a process that starts: few at first, and never many."""
LINE = 65_536
"""Bytes of a line that are looked at; the rest of a longer one is a line of its own."""


class Way(Protocol):
    """One way to tell that a process is ready."""

    async def wait(self, pid: int) -> None:
        """Done when it is ready; whoever does not want to wait that long cancels this."""
        ...

    def lacking(self) -> str:
        """Why it is not ready yet, in words that go on from `the process`."""
        ...


class Delay:
    """It has lived for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def wait(self, pid: int) -> None:
        """As in Way."""
        await asyncio.sleep(self._seconds)

    def lacking(self) -> str:
        """As in Way."""
        return f"has not lived for {self._seconds:g} s"


class Word:
    """It has said, on standard output or error, a line that a pattern is found in."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._said = asyncio.Event()
        self._rests: dict[str, bytes] = {}

    def hear(self, channel: str, data: bytes) -> bool:
        """Take what was just said; True once there is no need to hear more."""
        *lines, rest = (self._rests.pop(channel, b"") + data).split(b"\n")
        if len(rest) >= LINE:
            lines.append(rest)
            rest = b""
        self._rests[channel] = rest
        if any(self._pattern.search(line.decode(errors="replace")) for line in lines):
            self._said.set()
            self._rests.clear()
        return self._said.is_set()

    async def wait(self, pid: int) -> None:
        """As in Way."""
        await self._said.wait()

    def lacking(self) -> str:
        """As in Way."""
        return f"has not said a line like {self._pattern.pattern!r}"


def family(pid: int) -> list[int]:
    """A process and its descendants: servers have workers of their own."""
    return [pid, *tree.descendants(pid)]


async def looks(done: Callable[[], bool] = lambda: False) -> AsyncIterator[None]:
    """Once for each look at a process that starts, with a pause after each that grows."""
    pause = FIRST
    while not done():
        yield
        await asyncio.sleep(pause)
        pause = min(pause * GROWTH, LONGEST)
