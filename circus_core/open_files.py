"""How many files circusd may have open, and who gets them: half are for clients, the others for processes.

Where that is too little circusd raises its soft limit to its hard limit. What it starts still gets the soft limit that
circusd was given: it exists for programs that use select(2), which cannot do with descriptors above 1,023. That cannot
be had by lowering circusd's own limit for the moment of a spawn: libzmq has a thread of its own, and ends the process
when it finds no descriptor for a client. So the child sets it, which takes a fork in place of a vfork.
"""

from __future__ import annotations

import logging
import resource

log = logging.getLogger("circus")

SHARE, MOST = 4, 4096
"""Each of the two endpoints may have one part in so many of all, and not more than so many."""
OTHERS = 16
"""Kept for what is opened for a moment."""


class _Limit:
    """The soft limit is one of the whole process, so there is one of these. `given` is what it was, once raised."""

    may_be_raised = False
    given: int | None = None


def allow_raising() -> None:
    """This process is circusd, and nobody else's that would wonder."""
    _Limit.may_be_raised = True


def for_connections() -> int:
    """How many connections each of the two endpoints may have; none is kept from having one."""
    return min(max(_soft() // SHARE, 1), MOST)


def may_stay_open(descriptor: int) -> bool:
    """Whether a file that is for a process leaves enough for those who connect; raises the limit if need be.

    The lowest free number is given to a file, so that a number tells how many are open.
    """
    return _leaves_enough(descriptor) or (_raised() and _leaves_enough(descriptor))


def for_children() -> tuple[int, int] | None:
    """The soft and the hard limit that a child has to be given, if they are not circusd's own."""
    if _Limit.given is None:
        return None
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return min(_Limit.given, hard), hard


def advice() -> str:
    """What to do where there are too few."""
    return f"circusd may open {_soft()} files, half of them for clients: raise the hard limit that it starts with"


def _leaves_enough(descriptor: int) -> bool:
    return descriptor < _soft() - 2 * for_connections() - OTHERS


def _raised() -> bool:
    """Raise the soft limit to the hard limit, if this process may and it is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not _Limit.may_be_raised or soft == hard:
        return False
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        log.warning("circusd may open %d files and no more: %s", soft, error)
        return False
    if _Limit.given is None:
        _Limit.given = soft
    log.info("circusd may open %d files now, and what it starts %d as before", hard, _Limit.given)
    return True


def _soft() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
