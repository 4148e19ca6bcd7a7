"""What is put before each line: the time and the pid, as Circus' streams do (PROTOCOL.md 4.7); it reads no clock twice
in a second."""

from __future__ import annotations

import time


class Stamps:
    """Lines with `TIME [PID] | ` before each, in a format of strftime(3)."""

    __slots__ = ("_format", "_second", "_text", "_utc", "_whole_seconds")

    def __init__(self, time_format: str, *, utc: bool = False) -> None:
        self._format = time_format
        self._utc = utc
        self._second = -1
        self._text = ""
        # %f is datetime's, not strftime's: microseconds, which are never the same twice.
        self._whole_seconds = "%f" not in time_format

    def stamped(self, text: bytes, pid: int) -> bytes:
        """The lines, each with its stamp; all of one block came at the same time."""
        prefix = f"{self.time()} [{pid}] | ".encode()
        end = text[-1:] if text.endswith(b"\n") else b""
        body = text[:-1] if end else text
        return prefix + body.replace(b"\n", b"\n" + prefix) + end

    def time(self) -> str:
        """The time as it is now."""
        now = time.time()
        second = int(now)
        if second != self._second or not self._whole_seconds:
            self._second = second
            parts = time.gmtime(now) if self._utc else time.localtime(now)
            micro = f"{now % 1:.6f}"[2:]
            self._text = time.strftime(self._format.replace("%f", micro), parts)
        return self._text
