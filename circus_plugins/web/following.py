"""One browser follows what processes say: lines are gathered, and cut where they are too long.

Those that come too fast for it are dropped; how many is told.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError
from circus_plugins.client.wire import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from circus_plugins.client import AsyncClient

GATHER = 0.05
"""Seconds in which lines are gathered."""
AGAIN = 1.0
"""Seconds until a circusd that does not answer is tried again."""
MOST = 1000
"""Lines that are gathered; more of them within that time are lost."""
LONGEST = 16_384
"""Letters of a line; what is more is cut off, and its number told as `cut`."""
ROOM = 1_000_000
"""Bytes that may wait for a browser before lines are dropped for it."""


class Following:
    """Follows `name` (a watcher, all if it is empty) for one browser.

    `tell` sends it a message, and `waiting` says how many bytes it has not taken yet.
    """

    def __init__(
        self,
        client: AsyncClient,
        asked: Mapping[str, Any],
        tell: Callable[[str, dict[str, Any]], Awaitable[None]],
        waiting: Callable[[], int],
    ) -> None:
        self._client = client
        self._name: str = asked["name"]
        self._wid: int | None = asked["wid"]
        self._stream: str | None = asked["stream"]
        self._before: int = asked["lines"]
        self._tell = tell
        self._waiting = waiting
        self._lines: list[dict[str, Any]] = []
        self._lost = 0
        self._some = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Follow no more."""
        self._task.cancel()

    async def _run(self) -> None:
        telling = asyncio.create_task(self._deliver())
        try:
            while True:
                try:
                    await self._gather()
                except CircusError as error:
                    await self._tell("output", {"name": self._name, "lines": [], "lost": 0, "problem": error.message})
                    if not isinstance(error, NoAnswerError):
                        # To ask again would not help.
                        return
                await asyncio.sleep(AGAIN)
        finally:
            telling.cancel()

    async def _gather(self) -> None:
        names = [] if not self._name else [self._name if self._wid is None else f"{self._name}/{self._wid}"]
        stream = self._stream
        wanted = (lambda line: line["channel"] == stream) if stream else None
        async for line in self._client.output(*names, lines=self._before, follow=True, wanted=wanted):
            if "skipped" in line or len(self._lines) >= max(MOST, self._before):
                self._lost += 1
            else:
                self._lines.append(_told(line))
            self._some.set()

    async def _deliver(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER)
            self._some.clear()
            lines, lost = self._lines, self._lost
            self._lines, self._lost = [], 0
            if self._waiting() > ROOM:
                self._lost = lost + len(lines)
                continue
            await self._tell("output", {"name": self._name, "lines": lines, "lost": lost})


def _told(line: Mapping[str, Any]) -> dict[str, Any]:
    text = line["line"]
    told = {
        "at": line["at"],
        "watcher": line["watcher"],
        "wid": line["wid"],
        "pid": line["pid"],
        "stream": line["channel"],
        "text": text[:LONGEST],
    }
    return told if len(text) <= LONGEST else {**told, "cut": len(text) - LONGEST}
