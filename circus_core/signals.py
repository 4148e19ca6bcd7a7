"""Signals as events of the loop, for a program that owns its process. None is lost, however many arrive at once.

asyncio's own `add_signal_handler` passes each signal on as one byte through a socket that thousands of SIGCHLD fill,
and a SIGTERM that comes then is lost. Here a set remembers which signals came, and the pipe only wakes the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

READ = 65536


class Signals:
    """Callbacks by signal. It must live in the main thread, and only one may be in use at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._afterwards: dict[int, Any] = {}
        self._came: set[int] = set()
        self._reading, self._writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wakeup_before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._loop.add_reader(self._reading, self._woken)

    def on(self, signum: int, callback: Callable[[], None], after: Any = None) -> None:
        """Call back, on the loop, after a signal came; once for many that came together.

        `after` is how the signal is handled once this is closed: as it was before, if None.
        """
        self._callbacks[signum] = callback
        previous = signal.signal(signum, self._arrived)
        self._afterwards.setdefault(signum, previous)
        if after is not None:
            self._afterwards[signum] = after
        # So that a system call of ours is restarted rather than interrupted, in code that is not Python.
        signal.siginterrupt(signum, False)

    def close(self) -> None:
        """Handle signals as before, or as was said."""
        for signum, handler in self._afterwards.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(self._wakeup_before)
        self._loop.remove_reader(self._reading)
        os.close(self._reading)
        os.close(self._writing)

    def _arrived(self, signum: int, _frame: object) -> None:
        self._came.add(signum)

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reading, READ)
        came, self._came = self._came, set()
        for signum in sorted(came):
            self._callbacks[signum]()
