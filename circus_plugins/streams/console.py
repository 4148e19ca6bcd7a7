"""Sinks that are circusd's own standard output: as it is, or with a time and a colour for each process."""

from __future__ import annotations

import random
from typing import Any, ClassVar

from attrs import frozen

from circus_core.kinds import TEXT, choice
from circus_core.options import option
from circus_plugins.streams.descriptor import Descriptor
from circus_plugins.streams.sink import Sink, Source
from circus_plugins.streams.stamps import Stamps

COLORS = ("red", "green", "yellow", "blue", "magenta", "cyan", "white")
STDOUT = 1


class StdoutStream(Sink):
    """Writes to circusd's standard output, lines as they are."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._out: Descriptor | None = None
        self._left = b""
        self._unended: Source | None = None

    @property
    def waiting(self) -> int:
        """What whoever reads circusd's output has no room for yet."""
        return len(self._left)

    def open(self) -> None:
        """Get a descriptor of it that never blocks."""
        self._out = Descriptor.same_as(STDOUT, self._go_on)

    def write(self, data: memoryview, source: Source) -> int:
        """Write; while whoever reads circusd's output is slow, so is what it shows."""
        if self._left:
            return 0
        shown = self.shown(data, source)
        if self._unended is not None and self._unended != source:
            shown = b"\n" + shown
        self._unended = None if shown.endswith(b"\n") else source
        assert self._out is not None
        # What is left of it is ours to write: nobody else's lines may come between.
        self._left = shown[self._out.write(shown) :]
        return len(data)

    def shown(self, data: memoryview, source: Source) -> bytes:
        """The lines as they are to be written."""
        return bytes(data)

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._out is not None:
            self._out.close()
            self._out = None

    def _go_on(self) -> None:
        assert self._out is not None
        self._left = self._left[self._out.write(self._left) :]
        if not self._left:
            self.ready()


@frozen(kw_only=True)
class FancyOptions:
    """The options of FancyStdoutStream."""

    color: str | None = option(choice(*COLORS, what="color"), None, help=f"{', '.join(COLORS)}; unset, one by chance.")
    time_format: str = option(TEXT, "%Y-%m-%d %H:%M:%S", help="The time before each line, as in strftime(3).")


class FancyStdoutStream(StdoutStream):
    """Writes to circusd's standard output, each line in colour and with `TIME [PID] | ` before it; no empty ones."""

    Options: ClassVar[type] = FancyOptions

    def __init__(self, options: FancyOptions) -> None:
        super().__init__(options)
        color = options.color or random.choice(COLORS)
        self._color = f"\x1b[0;3{COLORS.index(color) + 1}m"
        self._stamps = Stamps(options.time_format)

    def shown(self, data: memoryview, source: Source) -> bytes:
        """Each line that is not empty, coloured."""
        before = f"{self._color}{self._stamps.time()} [{source.pid}] | ".encode()
        return b"".join(before + line + b"\x1b[0m\n" for line in bytes(data).split(b"\n") if line)
