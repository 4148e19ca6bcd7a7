"""Runs a small program beside circusd, for what would take too long in its loop; nobody waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from circus_core.model import Launch
from circus_core.spawn import DEVNULL, spawn

if TYPE_CHECKING:
    from collections.abc import Callable


class Aside:
    """A program in Python with some arguments; `done` is called once it has ended. Raises OSError or SpawnError."""

    def __init__(
        self, code: str, *words: str, done: Callable[[], None], stdin: int = DEVNULL, stdout: int = DEVNULL
    ) -> None:
        argv = (sys.executable, "-I", "-S", "-c", code, *words)
        self._pid = spawn(Launch("streams", 0, argv, {}, stdin=stdin, stdout=stdout, stderr=DEVNULL))
        self._pidfd: int | None = os.pidfd_open(self._pid)
        self._done = done
        asyncio.get_running_loop().add_reader(self._pidfd, self._ended)

    def stop(self) -> None:
        """Kill it if it still runs; `done` is not called then."""
        if self._pidfd is None:
            return
        signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._let_go()
        with suppress(ChildProcessError):
            # It has been killed, so this takes no longer than the kernel needs.
            os.waitpid(self._pid, 0)

    def _ended(self) -> None:
        self._let_go()
        with suppress(ChildProcessError):  # the daemon's reaper may have been first
            os.waitpid(self._pid, os.WNOHANG)
        self._done()

    def _let_go(self) -> None:
        assert self._pidfd is not None
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = None
