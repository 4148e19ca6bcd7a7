"""A file that is exchanged at certain times: every so many hours, each midnight, each Monday (PROTOCOL.md 4.7).

When that is, and what the earlier files are called, is `logging.handlers.TimedRotatingFileHandler`'s to say.
"""

from __future__ import annotations

import logging
import os
import time
from logging.handlers import TimedRotatingFileHandler
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from circus_core.kinds import BOOLEAN, INTEGER, choice
from circus_core.options import option
from circus_plugins.streams.files import File, Kept, Located, Stamped
from circus_plugins.streams.packing import FINISHED, PACKED, UNFINISHED, Packing

if TYPE_CHECKING:
    from circus_plugins.streams.sink import Source

log = logging.getLogger("circus.streams")

UNITS = ("S", "M", "H", "D", "MIDNIGHT", *(f"W{day}" for day in range(7)))


@frozen(kw_only=True)
class TimedOptions(Located, Stamped, Kept):
    """The options of TimedRotatingFileStream."""

    rotate_when: str = option(
        choice(*UNITS), "H",
        help="S, M, H or D: every so many seconds, minutes, hours or days. MIDNIGHT: each midnight. "
        "W0 to W6: each midnight that begins a Monday, Tuesday and so on.",
    )  # fmt: skip
    rotate_interval: int = option(INTEGER, 1, minimum=1, help="Every so many of them, for S, M, H and D.")
    utc: bool = option(BOOLEAN, False, help="Midnight, and the times in names and before lines, are UTC's.")


class TimedRotatingFileStream(File):
    """Appends to a file; when its time has come the file gets the time it was begun as a suffix, and a new one begins.

    That is done by the first line after that time. Nothing wakes up for it.
    """

    Options: ClassVar[type] = TimedOptions

    def __init__(self, options: TimedOptions) -> None:
        super().__init__(options)
        self._calendar = TimedRotatingFileHandler(
            self.path or os.devnull,
            when=options.rotate_when,
            interval=options.rotate_interval,
            utc=options.utc,
            delay=True,
        )
        self._due = 0
        self._packing: Packing | None = None

    def open(self) -> None:
        """Open the file; a period began when it was last written to."""
        super().open()
        if self.options.compress and self._packing is None:
            self._packing = Packing(self.path)
            self._packing.tidy()
        found = os.stat(self.path)
        begun = found.st_mtime if found.st_size else time.time()
        self._due = self._calendar.computeRollover(int(begun))

    def write(self, data: memoryview, source: Source) -> int:
        """Exchange the file if it is time and no line is unfinished, and append."""
        if self._file is not None and time.time() >= self._due and self._unended is None:
            self._roll_over()
        return super().write(data, source)

    def _roll_over(self) -> None:
        if self._file is not None and self._file.regular and self._file.size:
            try:
                earlier = self._name()
                os.rename(self.path, earlier)
                self.reopen()
                self._drop_old()
                if self._packing and os.path.exists(earlier):
                    self._packing.start(earlier, lambda _inode: earlier if os.path.exists(earlier) else None)
            except OSError as error:
                log.error("%s cannot be rotated, and grows on: %s", self.path, error.strerror)
        self._due = self._calendar.computeRollover(int(time.time()))

    def _name(self) -> str:
        """The first free name for the period that ends now."""
        options = self.options
        begun = self._due - self._calendar.interval
        parts = time.gmtime(begun) if options.utc else time.localtime(begun)
        name = f"{self.path}.{time.strftime(_suffix(options.rotate_when), parts)}"
        number = 1
        free = name
        while os.path.lexists(free) or os.path.lexists(free + PACKED):
            free = f"{name}.{number}"
            number += 1
        return free

    def _drop_old(self) -> None:
        options = self.options
        folder, base = os.path.split(self.path)
        earlier = []
        for entry in os.scandir(folder):
            dated = entry.name.startswith(base + ".") and entry.name[len(base) + 1 :][:8].isdigit()
            if dated and not entry.name.endswith((UNFINISHED, FINISHED)):
                earlier.append((entry.stat().st_mtime, entry.path))
        earlier.sort()
        kept = earlier[-options.backup_count :] if options.backup_count else earlier
        too_old = time.time() - options.max_age if options.max_age else 0.0
        for written, path in earlier:
            if (written, path) not in kept or written < too_old:
                os.unlink(path)


def _suffix(unit: str) -> str:
    """Circus' names of earlier files."""
    return {"S": "%Y%m%d%H%M%S", "M": "%Y%m%d%H%M", "H": "%Y%m%d%H"}.get(unit, "%Y%m%d")
