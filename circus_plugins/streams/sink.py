"""What a sink is: the base class that streams share and that others subclass. It opens and writes nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable


@frozen
class Source:
    """Whose output it is: `channel` is stdout or stderr."""

    watcher: str
    wid: int
    pid: int
    channel: str


class PartlyWritten(OSError):
    """The first `taken` bytes of what was to be written are, and the others are lost."""

    def __init__(self, number: int | None, words: str | None, taken: int) -> None:
        super().__init__(number, words)
        self.taken = taken


@frozen
class NoOptions:
    """The options of a sink that has none."""


class Sink:
    """Where the output of one or several processes goes.

    A subclass declares its options as a plugin does, by an attrs class `Options` whose fields are made by `option()`;
    `options` is an instance of it, in which `$(circus.wid)` and the like have been expanded. Processes whose options
    are the same, once expanded, share one sink.
    """

    Options: ClassVar[type] = NoOptions
    own: ClassVar[bool] = False
    """Whether each channel of a watcher has one for itself instead, as long as the watcher is there."""

    def __init__(self, options: Any) -> None:
        self.options = options
        self.ready: Callable[[], None] = _nobody
        self.lose: Callable[[int, Source, OSError], None] = _unnoticed

    @property
    def waiting(self) -> int:
        """Bytes that were taken and are not written yet; the sink is not closed before there are none."""
        return 0

    @property
    def failing(self) -> bool:
        """Whether what is taken now may well be lost, which `lose` will tell of: with bytes, whose, and why."""
        return False

    def open(self) -> None:
        """Get ready to write; raises OSError. Called before the first process that uses the sink is spawned."""

    def write(self, data: memoryview, source: Source) -> int:
        """Write what one process said, and answer how many bytes were taken; raises OSError, and they are lost.

        `data` are whole lines, each with its end; only the last of a process may lack one, and so does a line that is
        too long to be kept. It is valid during the call alone. Whoever takes less than all is called again, with the
        rest, after it has called `ready`. Nothing more is read from the process until then.
        """
        raise NotImplementedError

    def reopen(self) -> None:
        """Open anew what may have been moved away; raises OSError."""

    def close(self) -> None:
        """Let go of everything. Called once, after the last process that used the sink."""


def _nobody() -> None:
    """Nobody waits for this sink."""


def _unnoticed(amount: int, source: Source, error: OSError) -> None:
    """Nobody counts what this sink loses."""
