"""Circusd's events in order, each once, a batch at a time, whatever happens to circusd; it hands them to nobody."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from circus_core.errors import CircusError, UnknownCommandError
from circus_plugins.client.follow import Follower

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from circus_plugins.client import AsyncClient
    from circus_plugins.client.subscription import Subscription

T = TypeVar("T")
log = logging.getLogger("circus.plugin.host")

RETRY = 0.5
"""Seconds until circusd, which did not answer or could not, is asked again."""
FLOOD = 1000
"""So many events are fewer than libzmq holds for a subscriber before it drops any (zmq_setsockopt(3), ZMQ_RCVHWM)."""
LAST_TIME = 1.0
"""Seconds that the last question of all may take."""


class Stream:
    """Events after `since`, or, if that is None, from now on."""

    def __init__(self, client: AsyncClient, endpoint: str, since: int | None) -> None:
        self._client = client
        self._endpoint = endpoint
        self._follower = Follower(since)
        self._subscription: Subscription | None = None
        self._ask = True
        self._unasked = 0
        self._replayed: list[dict[str, Any]] = []

    async def open(self) -> None:
        """Subscribe; done once nothing that happens from now on can be missed."""
        self._subscription = await self._persist(
            lambda: self._client.subscribe(self._follower.topics, self._endpoint or None)
        )
        self._replayed = await self._replay()

    def close(self) -> None:
        """Have `batch` answer nothing from now on."""
        if self._subscription is not None:
            self._subscription.close()

    async def batch(self) -> list[dict[str, Any]]:
        """The next events, at least one; none only once it was closed."""
        if self._replayed:
            replayed, self._replayed = self._replayed, []
            return replayed
        assert self._subscription is not None
        while not self._subscription.closed:
            if self._unasked >= FLOOD and not self._subscription.pending():
                # The newest may have been dropped for us, and while nothing else happens no gap shows it. Where that
                # was so, all that libzmq holds for a subscriber came after it: more than FLOOD since the last question.
                self._ask = True
            found = await self._replay() if self._ask else self._sort(await self._subscription.batch())
            if found:
                return found
        return []

    def _sort(self, payloads: list[bytes]) -> list[dict[str, Any]]:
        """Those that are next. What comes after a gap is asked for with the gap."""
        assert self._subscription is not None
        self._unasked += len(payloads)
        found: list[dict[str, Any]] = []
        for payload in payloads:
            new, self._ask = self._follower.arrived(payload)
            found += new
            if self._ask:
                break
        self._ask = self._subscription.renewed() or self._ask
        return found

    async def _replay(self) -> list[dict[str, Any]]:
        """What was missed, as much of it as one answer has."""
        self._unasked = 0
        answer = await self._persist(lambda: self._client.call("events", **self._follower.question()))
        found, self._ask = self._follower.replayed(answer)
        return found

    async def _persist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until circusd answers: it may be about to start, or to start again."""
        quiet = False
        while True:
            try:
                return await ask()
            except UnknownCommandError:
                raise
            except CircusError as error:
                if not quiet:
                    log.warning("still trying: %s", error)
                quiet = True
                await asyncio.sleep(RETRY)

    async def rest(self) -> list[dict[str, Any]]:
        """What has happened up to now and no batch had yet, as far as circusd tells it at once."""
        if self._follower.since is None:
            return []
        try:
            answer = await self._client.call("events", since=self._follower.since, timeout=LAST_TIME)
        except CircusError:
            return []
        return self._follower.replayed(answer)[0]
