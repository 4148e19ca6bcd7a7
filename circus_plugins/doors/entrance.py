"""One endpoint of `[circus]` that follows the configuration; what is served there, and how, is its owner's affair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from circus_core.errors import EndpointError
from circus_plugins.doors.house import House

if TYPE_CHECKING:
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
    """Keeps the endpoint called `option` open as `open_` opens it; `served` is what serves it now.

    After a change the new one is open beside the one that is served, until `settle`.
    """

    def __init__(
        self,
        supervisor: Any,
        option: str,
        open_: Callable[[House, Wanted], Awaitable[Served]],
    ) -> None:
        self.house = House.enter(supervisor)
        self._services: list[Served] = []
        self._supervisor = supervisor
        self._option = option
        self._open = open_
        self._opened: Wanted | None = None

    @property
    def served(self) -> Served | None:
        """What serves it now."""
        return self._services[0] if self._services else None

    async def open(self) -> None:
        """Open it where the configuration says; raises EndpointError."""
        wanted = self._wanted()
        self._services.append(await self._open(self.house, wanted))
        self._opened = wanted

    async def follow(self) -> None:
        """Open it where a new configuration says, if that is elsewhere; raises EndpointError, and all is as before."""
        if not self._services or self._wanted() == self._opened:
            return
        try:
            await self.open()
        except EndpointError as error:
            still = f"{self._services[-1].door.text} stays open"
            raise EndpointError(error.message, hint=f"{error.hint}; {still}" if error.hint else still) from error

    async def settle(self) -> None:
        """Serve the endpoint that was opened last, and close the former ones."""
        former, self._services = self._services[:-1], self._services[-1:]
        for service in former:
            await service.close()

    async def close(self) -> None:
        """Close what is open, and leave the house."""
        services, self._services = self._services, []
        for service in services:
            await service.close()
        self.house.leave()

    def _wanted(self) -> Wanted:
        extra = self._supervisor.config.supervisor.extra
        return Wanted(extra.get(self._option), extra.get("endpoint_owner"), extra.get("keys_dir"))
