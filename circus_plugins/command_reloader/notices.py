"""Has the kernel tell when something may have changed on the way to some files (inotify(7)); it does not say what."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from typing import TYPE_CHECKING

from inotify_simple import INotify, flags

from circus_plugins.command_reloader.files import look, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NAMES = flags.CREATE | flags.MOVED_TO | flags.ONLYDIR
"""In folders: that a name appeared, whatever had it before."""
CONTENT = flags.CLOSE_WRITE | flags.ATTRIB
"""Of files: that they were written to or touched."""
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
TRIES = 5


class Notices:
    """Calls `changed` when something happened that may concern the files that are followed. Owns one descriptor."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._inotify = INotify(nonblocking=True)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._inotify.fileno(), self._arrived)
        # By watch: the names that count in a folder; for a file, the empty name.
        self._names: dict[int, set[str]] = {}

    def close(self) -> None:
        """Let go of the descriptor, and so of all watches."""
        self._loop.remove_reader(self._inotify.fileno())
        self._inotify.close()

    def include(self, paths: Iterable[str]) -> None:
        """Follow these files too; raises OSError if the kernel has no room for it, or forbids it."""
        for watch, names in self._watch_all(tuple(paths)).items():
            self._names.setdefault(watch, set()).update(names)

    def follow(self, paths: Iterable[str]) -> None:
        """Follow these files, as they are to be found now, and no others; raises OSError as `include`."""
        names = self._watch_all(tuple(paths))
        for watch in self._names.keys() - names.keys():
            # The kernel has dropped it already, if what was watched is gone.
            with contextlib.suppress(OSError):
                self._inotify.rm_watch(watch)
        self._names = names

    def _watch_all(self, paths: tuple[str, ...]) -> dict[int, set[str]]:
        wanted = self._wanted(paths)
        for _try in range(TRIES):
            names = self._watch(wanted)
            # What changed before it was watched was not told.
            before, wanted = wanted, self._wanted(paths)
            if wanted == before:
                break
        return names

    @staticmethod
    def _wanted(paths: Iterable[str]) -> dict[str, set[str]]:
        """What has to be watched: in which folders which names, and which files."""
        wanted: dict[str, set[str]] = {}
        for path in paths:
            for folder, name in steps(path):
                wanted.setdefault(folder, set()).add(name)
            seen = look(path)
            if seen is not None:
                wanted.setdefault(seen.path, set()).add("")
        return wanted

    def _watch(self, wanted: dict[str, set[str]]) -> dict[int, set[str]]:
        names: dict[int, set[str]] = {}
        for path, chosen in wanted.items():
            try:
                watch = self._inotify.add_watch(path, CONTENT if "" in chosen else NAMES)
            except OSError as error:
                if error.errno not in GONE:
                    error.filename = path
                    raise
            else:
                names.setdefault(watch, set()).update(chosen)
        return names

    def _arrived(self) -> None:
        # All of them are read, or the loop would be woken again.
        events = list(self._inotify.read(timeout=0))
        if any(event.mask & flags.Q_OVERFLOW or event.name in self._names.get(event.wd, ()) for event in events):
            self._changed()
