"""The earlier files of a log: NAME.1 is the latest, NAME.2 the one before. It moves and deletes, and writes none."""

from __future__ import annotations

import os
import time
from contextlib import suppress

PACKED = ".gz"


class Backups:
    """At most `count` earlier files, none older than `max_age` seconds unless that is 0."""

    def __init__(self, count: int, compress: bool, max_age: float) -> None:
        self.count = count
        self.compress = compress
        self._max_age = max_age

    def shift(self, path: str) -> None:
        """Make the file at `path` the latest of them; raises OSError. There is none at `path` then."""
        for number in range(self.count, 0, -1):
            for packed in ("", PACKED):
                old = f"{path}.{number}{packed}"
                with suppress(FileNotFoundError):
                    if number == self.count:
                        os.unlink(old)
                    else:
                        os.rename(old, f"{path}.{number + 1}{packed}")
        with suppress(FileNotFoundError):
            os.rename(path, f"{path}.1")
        self._drop_old(path)

    def _drop_old(self, path: str) -> None:
        if not self._max_age:
            return
        too_old = time.time() - self._max_age
        for number in range(1, self.count + 1):
            for packed in ("", PACKED):
                with suppress(FileNotFoundError):
                    old = f"{path}.{number}{packed}"
                    if os.stat(old).st_mtime < too_old:
                        os.unlink(old)
