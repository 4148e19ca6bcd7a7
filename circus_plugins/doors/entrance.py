"""One endpoint of `[circus]` that follows the configuration; what is served there, and how, is its owner's affair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from circus_core.errors import CircusError
from circus_plugins.doors.house import House

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Callable

    from circus_plugins.doors.door import Door


class Wanted(NamedTuple):
    """What the configuration says about an endpoint."""

    endpoint: str | None
    owner: str | None
    keys_dir: str | None


class Service(Protocol):
    """Whatever serves an open door, and closes it in the end."""

    door: Door

    async def close(self) -> None:
        """Serve no more, and close the door."""
        ...


Served = TypeVar("Served", bound=Service)


class Entrance(Generic[Served]):
    """Keeps the endpoint called `option` open as `open_` opens it; `served` is what serves it now."""

    def __init__(
        self,
        supervisor: Any,
        option: str,
        open_: Callable[[House, Wanted], Awaitable[Served]],
        log: logging.Logger,
    ) -> None:
        self.house = House.enter(supervisor)
        self.served: Served | None = None
        self._supervisor = supervisor
        self._option = option
        self._open = open_
        self._opened: Wanted | None = None
        self._log = log

    async def open(self) -> None:
        """Open it where the configuration says; raises EndpointError."""
        wanted = self._wanted()
        self.served = await self._open(self.house, wanted)
        self._opened = wanted

    async def follow(self) -> None:
        """After a reload: the new endpoint opens before the old one closes, and not at all if it cannot."""
        before = self.served
        if before is None or self._wanted() == self._opened:
            return
        try:
            await self.open()
        except CircusError as error:
            self._log.error("still at %s: %s", before.door.text, error)
            return
        await before.close()

    async def close(self) -> None:
        """Close what is open, and leave the house."""
        served, self.served = self.served, None
        if served is not None:
            await served.close()
        self.house.leave()

    def _wanted(self) -> Wanted:
        extra = self._supervisor.config.supervisor.extra
        return Wanted(extra.get(self._option), extra.get("endpoint_owner"), extra.get("keys_dir"))
