"""Keeps the connections at a door fewer than this process can bear: who comes when it is full is turned away.

libzmq takes every connection, and ends the whole process when it has no descriptor left for one. Processes to be
spawned need descriptors too.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import zmq

from circus_core import open_files
from circus_plugins.doors.cut import cut

if TYPE_CHECKING:
    from circus_plugins.doors.monitor import Monitor

log = logging.getLogger("circus.doors")

AGAIN = 60.0
"""Seconds until it is said again that a door is full."""


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
        if len(self._within) < open_files.for_connections():
            self._within.add(descriptor)
            return
        cut(descriptor, self._address)
        now = time.monotonic()
        if now >= self._said:
            self._said = now + AGAIN
            log.error(
                "%s: %d clients are connected, and more are turned away; do they close their connections? "
                "no more than %d may be at one endpoint, as circusd has only so many open files (`ulimit -n`)",
                self._option, len(self._within), open_files.for_connections(),
            )  # fmt: skip
