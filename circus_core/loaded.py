"""A plugin on the bus, what it may ask of the bus, and how it fares; what becomes of its failures the bus decides."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field

from circus_core.held import Held
from circus_core.memory import Memory
from circus_core.periodic import Periodic

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from circus_core.events import Event
    from circus_core.periodic import Callback

log = logging.getLogger("circus.bus")

SLOW = 0.1
"""Seconds that a plugin may keep circusd from all else without being named in the log."""


@define(eq=False)
class Loaded:
    """A plugin on the bus and how it fares. `publish` is as `CircusPlugin.publish`; `failed` is told what it raised.

    `entered`: its `circus_startup` was called, and perhaps has not ended. `started`: it has ended, and
    `circus_shutdown` was not called. `patience` is how many seconds one call may take without a word in the log. `held`
    are the events that wait for its start. `memory` outlives it.
    """

    name: str
    plugin: object
    publish: Callable[[Event], None] = field(repr=False)
    failed: Callable[[Loaded, str, Exception], None] = field(repr=False)
    use: str = ""
    hooks: tuple[str, ...] = ()
    patience: float = SLOW
    entered: bool = False
    started: bool = False
    failures: int = 0
    in_a_row: int = 0
    last_error: str = ""
    disabled: bool = False
    held: Held = field(factory=Held, repr=False)
    memory: Memory = field(factory=Memory, repr=False)
    periodic: list[Periodic] = field(factory=list, repr=False)

    def every(self, seconds: float, callback: Callback) -> Periodic:
        """As `CircusPlugin.every`."""
        what = f"every {seconds:g} s"
        made = Periodic(seconds, partial(self._timed, what, callback), lambda error: self.failed(self, what, error))
        self.periodic.append(made)
        return made

    def _timed(self, what: str, callback: Callback) -> Any:
        began = time.monotonic()
        try:
            return callback()
        finally:
            self.took(what, time.monotonic() - began)

    def took(self, what: str, seconds: float) -> None:
        """Note how long one call took: while plugins run, their process does nothing else."""
        if seconds > self.patience:
            log.warning("plugin %s: %s took %.1f s, and circusd did nothing else meanwhile", self.name, what, seconds)

    def end_periodic(self) -> list[asyncio.Task[object]]:
        """Call back no more; answers what is under way still, and cancelled."""
        periodic, self.periodic = self.periodic, []
        return [task for each in periodic if (task := each.cancel()) is not None]
