"""A sink of one JSON object for each line, for programs that collect logs; in a file, or on standard output."""

from __future__ import annotations

import json
import time
from typing import Any, ClassVar

from attrs import frozen

from circus_plugins.streams.console import StdoutStream
from circus_plugins.streams.files import FileStream, Located, Sized
from circus_plugins.streams.sink import Sink, Source

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@frozen(kw_only=True)
class JsonOptions(Located, Sized):
    """The options of JsonStream."""


class JsonStream(Sink):
    """Writes `{"at":..., "watcher":..., "wid":..., "pid":..., "channel":..., "line":...}` for each line.

    `at` is epoch seconds. Without `filename` they go to circusd's standard output. A line that came in pieces because
    it is too long has `"more":true` in all objects but the last.
    """

    Options: ClassVar[type] = JsonOptions

    def __init__(self, options: JsonOptions) -> None:
        super().__init__(options)
        self._to: Sink = FileStream(options) if options.filename else StdoutStream(options)

    @property
    def waiting(self) -> int:
        """What its file or standard output has not taken yet."""
        return self._to.waiting

    def open(self) -> None:
        """Open the file or standard output."""
        self._to.ready = lambda: self.ready()
        self._to.open()

    def write(self, data: memoryview, source: Source) -> int:
        """Each line as an object."""
        common: dict[str, Any] = {
            "at": round(time.time(), 6), "watcher": source.watcher, "wid": source.wid, "pid": source.pid,
            "channel": source.channel,
        }  # fmt: skip
        head = _encode(common)[:-1]
        lines = bytes(data).decode("utf-8", errors="replace").split("\n")
        last = lines.pop()
        parts = [f'{head},"line":{_encode(line)}}}\n' for line in lines]
        if last:
            parts.append(f'{head},"line":{_encode(last)},"more":true}}\n')
        text = "".join(parts).encode()
        return len(data) if self._to.write(memoryview(text), source) else 0

    def reopen(self) -> None:
        """Open the file anew."""
        self._to.reopen()

    def close(self) -> None:
        """Close it."""
        self._to.close()
