"""Changed options of a watcher, put in force by whatever they need, and taken back where that fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define

from circus_core import rolling
from circus_core.errors import SpawnError
from circus_core.options import Effect
from circus_core.rolling import Manner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circus_core.model import WatcherOptions
    from circus_core.slots import Slots
    from circus_core.values import Change

log = logging.getLogger("circus.watcher")


class Owner(Protocol):
    """Whose options they are."""

    options: WatcherOptions
    slots: Slots

    @property
    def running(self) -> bool:
        """Whether it is to have processes."""
        ...

    def adopt(self, options: WatcherOptions) -> None:
        """Take other options, and leave the processes as they are."""
        ...

    def tell_updated(self, key: str) -> None:
        """An option is another."""
        ...

    async def fit(self) -> Any:
        """Have as many processes as the options say."""
        ...

    async def renew(self, manner: Manner) -> Any:
        """Replace the processes by such as the options say."""
        ...


@define
class Update:
    """What a change of options replaces, and what it changes, once its turn has come."""

    owner: Owner
    change: Callable[[WatcherOptions], tuple[WatcherOptions, Sequence[Change]]]
    _before: WatcherOptions | None = None
    _changes: Sequence[Change] = ()

    def begin(self) -> None:
        """Have the options in force for whatever is spawned from now on."""
        owner = self.owner
        self._before = owner.options
        options, self._changes = self.change(owner.options)
        owner.adopt(options)
        self._tell()

    async def finish(self) -> None:
        """Do what they need; if that fails they are not in force, so that whoever dies comes back."""
        owner = self.owner
        effects = {each.effect for each in self._changes}
        manner = Manner(owner.options.reload_parallel)
        try:
            if Effect.SCALE in effects:
                await owner.fit()
            if Effect.RELOAD in effects and owner.running:
                await owner.renew(manner)
        except SpawnError:
            log.error("%s: its options are again what they were", owner.options.name)
            assert self._before is not None
            owner.adopt(self._before)
            self._tell()
            # Those that took over already run with options that are not in force.
            await rolling.take_back(owner.slots, manner)
            if Effect.SCALE in effects:
                await owner.fit()
            raise

    def _tell(self) -> None:
        for each in self._changes:
            self.owner.tell_updated(each.key)
