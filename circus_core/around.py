"""What the watchers of one supervisor share; it is made once, and nothing in it is any one watcher's."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

from attrs import define, field

from circus_core.launch import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from circus_core.bus import Bus
    from circus_core.kinship import Released
    from circus_core.model import WatcherOptions
    from circus_core.reaper import Reaper


@define
class Around:
    """What the watchers of one supervisor share. `boot` tells this supervisor's processes from another's, and `ready`
    is set once its plugins are at work, which have a say in each start."""

    bus: Bus
    reaper: Reaper
    boot: str = field(factory=lambda: os.urandom(6).hex())
    environ: Mapping[str, str] = field(factory=lambda: dict(os.environ))
    variables: dict[str, object] = field(factory=dict)
    chance: Callable[[], float] = random.random
    stopping: bool = False
    ready: asyncio.Event = field(factory=asyncio.Event)
    released: list[Released] = field(factory=list)
    _recipe: Recipe | None = None

    def recipe(self, options: WatcherOptions) -> Recipe:
        """How to launch processes of a watcher. The latest is kept: a watcher spawns its many processes in a row."""
        if self._recipe is None or self._recipe.options is not options:
            self._recipe = Recipe(options, self.environ, self.variables)
        return self._recipe
