"""The connection of somebody who follows with the asyncio client, over a circusd that goes and comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_plugins.client import wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from circus_plugins.client.subscription import Subscription

    Connection = Callable[[bool], object]
    Call = Callable[..., Awaitable[dict[str, Any]]]


class Link:
    """`told` is called with False once the connection is lost, and with True once there is another."""

    def __init__(self, told: Connection | None) -> None:
        self.subscription: Subscription | None = None
        self._told = told
        self._lost = False

    def look(self) -> None:
        """Tell it, if that has changed."""
        lost = self.subscription is not None and self.subscription.lost()
        if lost != self._lost:
            self._lost = lost
            if self._told is not None:
                self._told(not lost)

    async def ask(
        self, call: Callable[..., Awaitable[dict[str, Any]]], command: str, **question: Any
    ) -> dict[str, Any]:
        """Ask circusd, and again once it is back if it was away meanwhile."""
        while True:
            try:
                return await call(command, **question)
            except wire.NoAnswerError:
                self.look()
                if not await self._returned():
                    raise
            finally:
                self.look()

    async def _returned(self) -> bool:
        subscription = self.subscription
        while subscription is not None and subscription.lost() and not subscription.closed:
            # What came before is asked for again.
            await subscription.messages()
            self.look()
        return subscription is not None and subscription.renewed()
