"""Packs earlier files with gzip, each in a process of its own at a low priority, so that nothing waits for it."""

from __future__ import annotations

import glob
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from circus_core.errors import SpawnError
from circus_plugins.streams.aside import Aside

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("circus.streams")

PACKED = ".gz"
UNFINISHED, FINISHED = ".packing", ".packed"
PACK = f"""
import gzip, os, shutil, sys
os.nice(10)
unfinished, finished = sys.argv[1] + {UNFINISHED!r}, sys.argv[1] + {FINISHED!r}
with open(0, "rb") as file, gzip.open(unfinished, "wb") as packed:
    shutil.copyfileobj(file, packed, 1 << 20)
    found = os.fstat(0)
os.chmod(unfinished, found.st_mode & 0o777)
os.utime(unfinished, ns=(found.st_atime_ns, found.st_mtime_ns))
os.rename(unfinished, finished)
"""

_under_way: set[str] = set()
"""What this process has packed just now. A sink may be closed and opened anew meanwhile, as its only process ends."""


class Packing:
    """The files of one log that are being packed. A file may be renamed meanwhile: it is known by its inode."""

    def __init__(self, base: str) -> None:
        self._base = base

    def tidy(self) -> None:
        """Remove what was left when a circusd ended while it packed."""
        for suffix in (UNFINISHED, FINISHED):
            for path in glob.glob(f"{glob.escape(self._base)}.*{suffix}"):
                if path.removesuffix(suffix) not in _under_way:
                    with suppress(OSError):
                        os.unlink(path)

    def start(self, path: str, where: Callable[[int], str | None]) -> None:
        """Pack a file; once that is done, `where` says by the inode what it is called now, or None if it is gone."""
        try:
            # By its descriptor, as its name may change before the other process has opened it.
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                inode = os.fstat(file).st_ino
                target = f"{self._base}.{inode}"
                if target in _under_way:
                    return
                Aside(PACK, target, done=lambda: self._ended(inode, target, where), stdin=file)
            finally:
                os.close(file)
        except (OSError, SpawnError) as error:
            log.error("%s cannot be packed: %s", path, error)
            return
        _under_way.add(target)

    def _ended(self, inode: int, target: str, where: Callable[[int], str | None]) -> None:
        _under_way.discard(target)
        path = where(inode)
        try:
            if path is None:
                os.unlink(target + FINISHED)
            else:
                os.rename(target + FINISHED, path + PACKED)
                os.unlink(path)
        except OSError as error:
            log.error("%s was not packed: %s", path or target, error.strerror)
            with suppress(OSError):
                os.unlink(target + UNFINISHED)
