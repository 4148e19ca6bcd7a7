"""A plugin on the bus, what it may ask of the bus, and how it fares; what becomes of its failures the bus decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from circus_core.held import Held
from circus_core.memory import Memory
from circus_core.periodic import Periodic

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from circus_core.events import Event
    from circus_core.periodic import Callback


@define(eq=False)
class Loaded:
    """A plugin on the bus and how it fares. `publish` is as `CircusPlugin.publish`; `failed` is told what it raised.

    `entered`: its `circus_startup` was called, and perhaps has not ended. `started`: it has ended, and
    `circus_shutdown` was not called. `held` are the events that wait for that. `memory` outlives it.
    """

    name: str
    plugin: object
    publish: Callable[[Event], None] = field(repr=False)
    failed: Callable[[Loaded, str, Exception], None] = field(repr=False)
    use: str = ""
    hooks: tuple[str, ...] = ()
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
        made = Periodic(seconds, callback, lambda error: self.failed(self, f"every {seconds:g} s", error))
        self.periodic.append(made)
        return made

    def end_periodic(self) -> list[asyncio.Task[object]]:
        """Call back no more; answers what is under way still, and cancelled."""
        periodic, self.periodic = self.periodic, []
        return [task for each in periodic if (task := each.cancel()) is not None]
