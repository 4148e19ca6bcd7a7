"""The earlier files of a log: NAME.1 is the latest, NAME.2 the one before. It moves and deletes, and writes none."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from circus_plugins.streams.packing import PACKED, Packing


class Backups:
    """At most `count` earlier files of the one at `path`, none older than `max_age` seconds unless that is 0."""

    def __init__(self, path: str, count: int, compress: bool, max_age: float) -> None:
        self._path = path
        self._count = count
        self._max_age = max_age
        self._packing = Packing(path) if compress else None
        if self._packing:
            self._packing.tidy()

    def shift(self) -> None:
        """Make the file the latest of them; raises OSError. There is none at its path then."""
        for number in range(self._count, 0, -1):
            for packed in ("", PACKED):
                old = self._numbered(number) + packed
                with suppress(FileNotFoundError):
                    if number == self._count:
                        os.unlink(old)
                    else:
                        os.rename(old, self._numbered(number + 1) + packed)
        with suppress(FileNotFoundError):
            os.rename(self._path, self._numbered(1))
        self._drop_old()
        if self._packing:
            for number in range(1, self._count + 1):
                if os.path.exists(self._numbered(number)):
                    self._packing.start(self._numbered(number), self._named)

    def _numbered(self, number: int) -> str:
        return f"{self._path}.{number}"

    def _named(self, inode: int) -> str | None:
        """Which of them has this inode now."""
        for number in range(1, self._count + 1):
            with suppress(FileNotFoundError):
                if os.stat(self._numbered(number)).st_ino == inode:
                    return self._numbered(number)
        return None

    def _drop_old(self) -> None:
        if not self._max_age:
            return
        too_old = time.time() - self._max_age
        for number in range(1, self._count + 1):
            for packed in ("", PACKED):
                with suppress(FileNotFoundError):
                    old = self._numbered(number) + packed
                    if os.stat(old).st_mtime < too_old:
                        os.unlink(old)
