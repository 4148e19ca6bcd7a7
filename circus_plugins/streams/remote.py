"""What sinks have in common that send a message for each line to a server: how much at once, and who waits."""

from __future__ import annotations

from logging.handlers import SysLogHandler
from typing import TYPE_CHECKING, Any

from attrs import frozen

from circus_core.kinds import choice
from circus_core.options import option
from circus_plugins.amounts import SPAN
from circus_plugins.streams.link import Link
from circus_plugins.streams.sink import PartlyWritten, Sink
from circus_plugins.streams.target import target
from circus_plugins.streams.wires import Datagrams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circus_plugins.streams.sink import Source

PIECE = 1 << 14
"""Bytes of lines that are made messages at once. The message of an empty line has a hundred bytes and more."""
SEVERITIES = SysLogHandler.priority_names
FACILITIES = SysLogHandler.facility_names
USUAL = {"stdout": "info", "stderr": "err"}


@frozen(kw_only=True, slots=False)
class Sent:
    """What all sinks have that send messages."""

    severity: str | None = option(
        choice(*SEVERITIES, what="severity"), None,
        help="How grave the lines are. Unset, `info` on standard output and `err` on standard error.",
    )  # fmt: skip
    max_wait: float = option(
        SPAN, 10.0, minimum=0, unit="s",
        help="So long a process waits for a server that is absent or takes nothing. What it says then is lost, and"
        " counted, until the server takes some. 0: nobody waits.",
    )  # fmt: skip


class Remote(Sink):
    """Sends lines to a server as messages. While some could not be sent yet, whoever has more waits."""

    datagrams: type[Datagrams] = Datagrams

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._target = target(options.address)
        self._link = Link(
            self._target,
            options.max_wait,
            lambda: self.ready(),
            lambda amount, source, error: self.lose(amount, source, error),
            self.datagrams,
        )

    def messages(self, lines: Sequence[bytes], source: Source, more: bool) -> tuple[list[bytes], list[int]]:
        """Messages for some lines, and of how many bytes of output each is; `more`: the last line has no end yet."""
        raise NotImplementedError

    @property
    def waiting(self) -> int:
        """What the server has not taken yet."""
        return self._link.waiting

    @property
    def failing(self) -> bool:
        """Whether the server cannot be reached or takes nothing."""
        return self._link.failing

    def write(self, data: memoryview, source: Source) -> int:
        """Send each line, or hold some for a while if the server takes none now."""
        link = self._link
        done = 0
        try:
            while done < len(data) and not link.waiting:
                text = _some_lines(data, done)
                lines = text.split(b"\n")
                more = bool(lines[-1])
                if not more:
                    lines.pop()
                link.put(*self.messages(lines, source, more), source)
                done += len(text)
        except OSError as error:
            raise PartlyWritten(error.errno, error.strerror, done) from error
        if not done and link.given_up and link.trouble is not None:
            raise link.trouble
        return done

    def reopen(self) -> None:
        """Connect anew, and look the host's name up anew, for what comes next."""
        self._link.renew()

    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()

    def severity(self, source: Source) -> int:
        """The number of the severity of what a process says."""
        number: int = SEVERITIES[self.options.severity or USUAL[source.channel]]
        return number


def _some_lines(data: memoryview, start: int) -> bytes:
    """Whole lines, about a piece of them; a longer one as it is."""
    text = bytes(data[start : start + PIECE])
    if start + len(text) == len(data):
        return text
    end = text.rfind(b"\n") + 1
    if end:
        return text[:end]
    text = bytes(data[start:])
    return text[: text.find(b"\n") + 1] or text
