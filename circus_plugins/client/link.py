"""The connection of somebody who follows with the asyncio client, over a circusd that goes and comes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from circus_core.errors import CircusError
from circus_plugins.client import wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from circus_plugins.client.subscription import Subscription

    Connection = Callable[[bool], object]

T = TypeVar("T")


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

    async def ask(self, ask: Callable[[], Awaitable[T]], again: Callable[[], None] = lambda: None) -> T:
        """Ask circusd, and after `again` once more when it is back, if it was away meanwhile."""
        while True:
            if self.subscription is not None:
                self.subscription.renew()
            try:
                return await ask()
            except CircusError as error:
                self.look()
                # What another one answers may be that it knows of no subscription yet.
                if not await self._returned(wire.ENDING if isinstance(error, wire.NoAnswerError) else 0):
                    raise
                again()
            finally:
                self.look()

    async def _returned(self, seconds: float) -> bool:
        subscription = self.subscription
        if subscription is None:
            return False
        renewed = False
        # What came before is asked for again.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (subscription.lost() or subscription.closed or (renewed := subscription.renewed())):
                    await subscription.messages()
        while subscription.lost() and not subscription.closed:
            self.look()
            await subscription.messages()
        return subscription.renewed() or renewed
