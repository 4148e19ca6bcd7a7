"""circusctl as a process of its own: in a pipe, or on a pseudo-terminal of a given width."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

COMMAND = [sys.executable, "-m", "circus_plugins.ctl.main"]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PATIENCE = 20.0
"""Seconds after which a test fails that waits for output."""


def environment(**changes: str) -> dict[str, str]:
    """What circusctl is run with."""
    return {**os.environ, "PYTHONPATH": ROOT, "TERM": "xterm", "COLUMNS": "", **changes}


def circusctl(
    *words: str, endpoint: str = "", stdin: str | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, with its output in pipes."""
    if endpoint:
        changes["CIRCUSCTL_ENDPOINT"] = endpoint
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [*COMMAND, *words], env=environment(**changes), capture_output=True, text=True, timeout=PATIENCE, **given
    )


class Screen:
    """circusctl, or another `program`, on a pseudo-terminal; `seen` is all it wrote, with its escape sequences."""

    def __init__(
        self, *words: str, endpoint: str = "", columns: int = 80, program: Sequence[str] = COMMAND, **changes: str
    ) -> None:
        if endpoint:
            changes["CIRCUSCTL_ENDPOINT"] = endpoint
        self._fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("4H", 40, columns, 0, 0))
        self._process = subprocess.Popen(
            [*program, *words], stdin=child, stdout=child, stderr=child, env=environment(**changes),
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(child)
        self.seen = ""
        # A read may end within a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._fd)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._fd, text.encode())

    def until(self, text: str) -> str:
        """Read until something is on the screen; what was new."""
        start = len(self.seen)
        deadline = time.monotonic() + PATIENCE
        while text not in plain(self.seen[start:]):
            if not self._read(deadline):
                raise AssertionError(f"{text!r} did not come; there is {self.seen[start:]!r}")
        return self.seen[start:]

    def shows(self, text: str) -> None:
        """Read until something is among all that was written so far."""
        deadline = time.monotonic() + PATIENCE
        while text not in plain(self.seen):
            if not self._read(deadline):
                raise AssertionError(f"{text!r} did not come; there is {self.seen!r}")

    def finish(self) -> tuple[int, str]:
        """Read to the end: the exit status, and all that was written."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self._process.wait(PATIENCE), self.seen

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        try:
            new = os.read(self._fd, 65536) if ready else b""
        except OSError:  # a pseudo-terminal ends with EIO
            new = b""
        text = self._decoder.decode(new)
        if "\x1b[6n" in text:
            self.type("\x1b[1;1R")  # where the cursor is: prompt_toolkit asks
        self.seen += text
        return bool(new)


def on_terminal(*words: str, endpoint: str = "", columns: int = 80, **changes: str) -> tuple[int, str]:
    """Run a command line to its end on a terminal: the exit status and all that was written."""
    with Screen(*words, endpoint=endpoint, columns=columns, **changes) as screen:
        return screen.finish()


def plain(text: str) -> str:
    """The text without colours and other escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")


def rows(text: str) -> Sequence[str]:
    """The lines of what a terminal got, without escape sequences."""
    return plain(text).splitlines()
