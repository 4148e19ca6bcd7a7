"""A clock for tests that is put forward by hand, so that nobody waits for delays; processes live in real time.

What goes by it is all that the loop times: `CircusPlugin.every`, delays of restarts, `max_age`, every `asyncio.sleep`.
What asks `time` itself, such as the age of a process, does not.
"""

from __future__ import annotations

import asyncio

STEP = 0.01
"""Seconds by which it goes forward at once: what is due within one step is not told apart."""


class Clock:
    """`await clock.advance(60)` puts the time of the running loop forward; whatever comes due is done on the way."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def advance(self, seconds: float, *, step: float = STEP) -> None:
        """Let so many seconds pass, in steps."""
        self._hold(asyncio.get_running_loop())
        left = seconds
        while left > 0:
            self._ahead += min(step, left)
            left -= step
            # One turn of the loop finds what is due, the next does it.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def _hold(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            return
        self._loop, self._ahead = loop, 0.0
        real = loop.time
        # asyncio asks the loop's own method for the time, so this is the one place to change.
        loop.time = lambda: real() + self._ahead  # type: ignore[method-assign]
