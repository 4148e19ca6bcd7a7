"""What the service manager handed to circusd when it started it: descriptors, and where to tell how circusd fares.

The words are systemd's: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3). They are taken out of the environment,
so that no process of a watcher takes them for its own. What becomes of them is for plugins; this module tells nobody.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import MutableMapping

log = logging.getLogger("circus")

FIRST = 3
"""SD_LISTEN_FDS_START."""
NAMES = (
    "LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
)  # fmt: skip
"""The variables that are meant for circusd alone."""
NAMELESS = "unknown"
"""What sd_listen_fds_with_names(3) calls a descriptor without a name."""


@define
class Inherited:
    """What there is for circusd. `descriptors` are those that no plugin has taken, with their names.

    `notify_socket` is an address as in sd_notify(3). Within `watchdog` seconds the manager wants to hear from circusd,
    again and again.
    """

    descriptors: dict[int, str] = field(factory=dict)
    notify_socket: str | None = None
    watchdog: float | None = None

    def close(self) -> None:
        """Close what nobody has taken, and say so."""
        while self.descriptors:
            number, name = self.descriptors.popitem()
            log.warning("circusd was handed descriptor %d (%s), and nobody wants it: closed", number, name)
            os.close(number)


def take(environ: MutableMapping[str, str]) -> Inherited:
    """What is there for this process, which is closed on exec from now on; the variables are gone after that."""
    given = {name: environ.pop(name) for name in NAMES if name in environ}
    if not given:
        return Inherited()
    watchdog = _number(given, "WATCHDOG_USEC") if _is_ours(given, "WATCHDOG_PID", unset=True) else 0
    return Inherited(_descriptors(given), given.get("NOTIFY_SOCKET"), watchdog / 1e6 if watchdog > 0 else None)


def _descriptors(given: MutableMapping[str, str]) -> dict[int, str]:
    if "LISTEN_FDS" not in given:
        return {}
    if not _is_ours(given, "LISTEN_PID"):
        log.info("LISTEN_FDS is for pid %s and not for circusd, so it is left alone", given.get("LISTEN_PID"))
        return {}
    names = given["LISTEN_FDNAMES"].split(":") if given.get("LISTEN_FDNAMES") else []
    found = {}
    for place in range(_number(given, "LISTEN_FDS")):
        try:
            os.set_inheritable(FIRST + place, False)
        except OSError as error:
            log.warning("LISTEN_FDS is %s, but descriptor %d: %s", given["LISTEN_FDS"], FIRST + place, error.strerror)
            break
        found[FIRST + place] = names[place] if place < len(names) else NAMELESS
    return found


def _is_ours(given: MutableMapping[str, str], name: str, *, unset: bool = False) -> bool:
    return given[name].strip() == str(os.getpid()) if name in given else unset


def _number(given: MutableMapping[str, str], name: str) -> int:
    text = given.get(name, "0").strip()
    if not text.isdecimal():
        log.warning("%s is %r in the environment, and no number", name, text)
        return 0
    return int(text)
