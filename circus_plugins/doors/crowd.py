"""Keeps the connections at a door fewer than this process can bear: who comes when it is full is turned away.

libzmq takes every connection, and ends the whole process when it has no descriptor left for one. Processes to be
spawned need descriptors too.
"""

from __future__ import annotations

import logging
import resource
import time
from typing import TYPE_CHECKING

import zmq

from circus_plugins.doors.cut import cut

if TYPE_CHECKING:
    from circus_plugins.doors.monitor import Monitor

log = logging.getLogger("circus.doors")

SHARE = 4
"""Each door gets one part in so many of the descriptors that this process may have: there are two doors."""
AGAIN = 60.0
"""Seconds until it is said again that a door is full."""


def capacity() -> int:
    """How many connections a door may have."""
    return max(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE, 1)


class Crowd:
    """Those who are connected at the door `option`, whose address is as `cut` wants it."""

    def __init__(self, monitor: Monitor, option: str, address: int | str) -> None:
        self._option = option
        self._address = address
        self._within: set[int] = set()
        self._said = 0.0
        monitor.on(zmq.Event.ACCEPTED, self._came)
        monitor.on(zmq.Event.DISCONNECTED, self._within.discard)

    def _came(self, descriptor: int) -> None:
        # A number that is used again has been let go of, whether or not that was told.
        self._within.discard(descriptor)
        if len(self._within) < capacity():
            self._within.add(descriptor)
            return
        cut(descriptor, self._address)
        now = time.monotonic()
        if now >= self._said:
            self._said = now + AGAIN
            log.error(
                "%s: %d clients are connected, and more are turned away; do they close their connections? "
                "`ulimit -n` allows %d descriptors, and a door takes no more than 1/%d of them",
                self._option, len(self._within), resource.getrlimit(resource.RLIMIT_NOFILE)[0], SHARE,
            )  # fmt: skip
