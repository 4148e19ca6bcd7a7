"""Sinks that are files: kept below a size, or opened anew when something else has moved them (PROTOCOL.md 4.7)."""

from __future__ import annotations

import logging
import os
import tempfile
from typing import Any, ClassVar

from attrs import frozen

from circus_core.kinds import BOOLEAN, INTEGER, TEXT
from circus_core.options import option
from circus_plugins.amounts import SIZE, SPAN
from circus_plugins.streams.backups import Backups
from circus_plugins.streams.descriptor import Descriptor
from circus_plugins.streams.sink import Sink, Source
from circus_plugins.streams.stamps import Stamps

log = logging.getLogger("circus.streams")

PIECE = 1 << 15
"""Bytes of lines that are stamped at once."""
NOBODY = Source("", 0, 0, "")
"""Who left a line without an end before the file was opened."""


@frozen(kw_only=True, slots=False)
class Located:
    """What all sinks that are files have."""

    filename: str | None = option(
        TEXT, None, help="The file, which is appended to. Unset, one in the folder for temporary files."
    )


@frozen(kw_only=True, slots=False)
class Stamped:
    """What comes before lines."""

    time_format: str | None = option(
        TEXT, None, help="As in strftime(3): before each line comes `TIME [PID] | `. Unset, lines stay as they are."
    )


@frozen(kw_only=True, slots=False)
class Kept:
    """What becomes of earlier files."""

    backup_count: int = option(INTEGER, 0, minimum=0, help="How many earlier files are kept.")
    compress: bool = option(BOOLEAN, False, help="Pack earlier files with gzip.")
    max_age: float = option(SPAN, 0.0, minimum=0, unit="s", help="Earlier files are deleted after so long; 0: never.")


@frozen(kw_only=True, slots=False)
class Sized(Kept):
    """When a file is full."""

    max_bytes: int = option(
        SIZE, 0, minimum=0, unit="bytes",
        help="Before the file gets larger it becomes NAME.1, and a new one is begun. 0: it grows without limit.",
    )  # fmt: skip

    @property
    def backups(self) -> int:
        """How many earlier files there are: one at least, since the limit could not hold without (oddity 39)."""
        return max(self.backup_count, 1)


@frozen(kw_only=True)
class FileOptions(Located, Stamped, Sized):
    """The options of FileStream."""


@frozen(kw_only=True)
class WatchedOptions(Located, Stamped):
    """The options of WatchedFileStream."""


class File(Sink):
    """Appends whole lines. A line whose end was lost is ended before another begins."""

    options: Any

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.path = os.path.abspath(options.filename) if options.filename else ""
        self._file: Descriptor | None = None
        self._stamps = self._stamps_of(options)
        self._unended: Source | None = None

    def _stamps_of(self, options: Any) -> Stamps | None:
        time_format = getattr(options, "time_format", None)
        return Stamps(time_format, utc=getattr(options, "utc", False)) if time_format else None

    def open(self) -> None:
        """Open the file, or make it."""
        if not self.path:
            number, self.path = tempfile.mkstemp(prefix="circus-", suffix=".log")
            os.close(number)
            log.info("output goes to %s, as no filename is set", self.path)
        self._take(Descriptor.append(self.path, self._go_on))

    def write(self, data: memoryview, source: Source) -> int:
        """Append; the file takes everything or fails, and what else there may be at its path may take less."""
        if self._file is None:
            self.open()
        return self._append(data, source) if self._stamps is None else self._stamp(self._stamps, data, source)

    def _stamp(self, stamps: Stamps, data: memoryview, source: Source) -> int:
        """Append lines with their stamps, some at a time: memory of larger pieces goes back to the system each time."""
        done = 0
        while done < len(data):
            piece = bytes(data[done : done + PIECE])
            if done + len(piece) < len(data):
                piece = piece[: piece.rfind(b"\n") + 1] or piece
            # Too long a line to come in one piece has had its stamp.
            begun = (piece.find(b"\n") + 1 or len(piece)) if self._unended == source else 0
            text = piece[:begun] + (stamps.stamped(piece[begun:], source.pid) if begun < len(piece) else b"")
            if self._append(memoryview(text), source) < len(text):
                # Only a pipe at the path takes a part; what is left of a line then comes again with its stamp.
                return done
            done += len(piece)
        return done

    def reopen(self) -> None:
        """Open what is at the path now."""
        opened = Descriptor.append(self.path, self._go_on)
        self._let_go()
        self._take(opened)

    def close(self) -> None:
        """Close it."""
        self._let_go()

    def _append(self, data: memoryview, source: Source) -> int:
        assert self._file is not None
        if self._unended is not None and self._unended != source:
            self._file.write(b"\n")
        self._unended = source
        taken = self._file.write(data)
        if taken and data[taken - 1] == 10:
            self._unended = None
        return taken

    def _take(self, opened: Descriptor) -> None:
        self._file = opened
        if opened.size and not _ends_with_a_line(self.path):
            self._unended = NOBODY

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._unended = None

    def _go_on(self) -> None:
        self.ready()


class FileStream(File):
    """Appends to a file; with `max_bytes` it is kept below a size, and earlier ones are NAME.1, NAME.2 and so on."""

    Options: ClassVar[type] = FileOptions

    def __init__(self, options: Located) -> None:
        super().__init__(options)
        self._backups: Backups | None = None

    def open(self) -> None:
        """Open the file, or make it."""
        super().open()
        options = self.options
        if options.max_bytes:
            self._backups = Backups(self.path, options.backups, options.compress, options.max_age)

    def _append(self, data: memoryview, source: Source) -> int:
        most: int = self.options.max_bytes
        assert self._file is not None
        if self._backups is None or not self._file.regular:
            return super()._append(data, source)
        done = 0
        while len(data) - done > most - self._file.size:
            room = most - self._file.size
            text = bytes(data[done : done + room]) if room > 0 else b""
            end = text.rfind(b"\n") + 1
            if not end and (self._unended == source or not self._file.size):
                # A file has one line at least, however long, and none is torn apart.
                end = bytes(data[done:]).find(b"\n") + 1 or len(data) - done
            if end:
                taken = super()._append(data[done : done + end], source)
                done += taken
                if taken < end or self._unended is not None:
                    return done
            if done == len(data):
                return done
            self._roll_over()
        return done + super()._append(data[done:], source)

    def _roll_over(self) -> None:
        assert self._backups is not None
        try:
            self._backups.shift()
            self.reopen()
        except OSError as error:
            # Rather too large a file than a line lost; it is tried again when as much has been written.
            log.error("%s cannot be rotated, and grows on: %s", self.path, error.strerror)
            assert self._file is not None
            self._file.size = 0


class WatchedFileStream(File):
    """Appends to a file, and opens it anew when another is at its path, as logrotate(8) leaves it."""

    Options: ClassVar[type] = WatchedOptions

    def write(self, data: memoryview, source: Source) -> int:
        """Look whether it still is the file at the path, and append."""
        if self._file is not None and not self._is_there():
            self.reopen()
        return super().write(data, source)

    def _is_there(self) -> bool:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return False
        assert self._file is not None
        return (found.st_dev, found.st_ino) == self._file.identity


def _ends_with_a_line(path: str) -> bool:
    """Whether the last line of a file has its end; as far as one may read it."""
    try:
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
    except OSError:
        return True
