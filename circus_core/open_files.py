"""How many files circusd may open: as many as its hard limit allows. What it starts gets the soft limit it was given.

The soft limit exists for programs that use select(2), which cannot do with descriptors above 1,023 (getrlimit(2)).
circusd is none of them, and needs some for each process whose output it reads; but its children may be.
"""

from __future__ import annotations

import logging
import os
import resource
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("circus")

FOR_A_SPAWN = 2
"""Descriptors that `subprocess.Popen` opens itself: a pipe on which it is told what failed."""

SHARE, MOST = 4, 4096
"""Each of the two endpoints may have one part in so many of all, and not more than so many."""
OTHERS = 16
"""Kept for what is opened for a moment."""

_given: int | None = None
"""The soft limit before it was raised: a limit is of a whole process."""
_kept_free: list[int] = []
"""Low numbers for those, as no others may be left below the soft limit that was given."""


def raise_limit() -> None:
    """Raise the soft limit of this process to its hard limit, once."""
    global _given
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _given is not None or soft == hard:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        log.warning("circusd may open %d files and no more: %s", soft, error)
        return
    _given = soft
    _keep_free()
    log.debug("circusd may open %d files, and what it starts %d", hard, soft)


def for_connections() -> int:
    """How many connections each of the two endpoints may have; none is kept from having one."""
    return min(max(_soft() // SHARE, 1), MOST)


def may_stay_open(descriptor: int) -> bool:
    """Whether a file that is for a process leaves enough for those who connect. The lowest free number is given to a
    file, so that a number tells how many are open."""
    return descriptor < _soft() - 2 * for_connections() - OTHERS


def advice() -> str:
    """What to do where there are too few."""
    return f"circusd may open {_soft()} files, half of them for clients: raise the hard limit that it starts with"


def _soft() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@contextmanager
def as_given() -> Iterator[None]:
    """Within it, a child that is started gets the soft limit that this process was given."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _given is None or _given >= soft:
        yield
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (_given, hard))
    while _kept_free:
        os.close(_kept_free.pop())
    try:
        yield
    finally:
        # While the limit is low, they are low again.
        _keep_free()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _keep_free() -> None:
    with suppress(OSError):
        while len(_kept_free) < FOR_A_SPAWN:
            _kept_free.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
