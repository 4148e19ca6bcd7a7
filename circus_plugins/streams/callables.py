"""Stream classes written for Circus: made with keywords, called with a dictionary (PROTOCOL.md 4.7)."""

from __future__ import annotations

from typing import Any

from circus_plugins.streams.sink import Sink, Source


class Called(Sink):
    """Calls an object with `{"data": bytes, "pid": int, "name": "stdout" or "stderr"}` for some lines each time."""

    def __init__(self, stream: Any) -> None:
        super().__init__(None)
        self._stream = stream

    def open(self) -> None:
        """Let it open what it has."""
        self._maybe("open")

    def write(self, data: memoryview, source: Source) -> int:
        """Call it; what it raises is told as any loss is."""
        self._stream({"data": bytes(data), "pid": source.pid, "name": source.channel})
        return len(data)

    def reopen(self) -> None:
        """Let it close and open what it has, if it can do both."""
        if hasattr(self._stream, "open") and hasattr(self._stream, "close"):
            self._stream.close()
            self._stream.open()

    def close(self) -> None:
        """Let it close what it has."""
        self._maybe("close")

    def _maybe(self, name: str) -> None:
        method = getattr(self._stream, name, None)
        if callable(method):
            method()
