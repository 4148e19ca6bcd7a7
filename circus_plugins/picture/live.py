"""Keeps a picture of a circusd up to date, for as long as somebody looks at it, and over its restarts.

Events say which watcher has changed, and that one is asked for again; figures are published, or, where no streamer
runs, asked for at each interval.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError, EndpointError, ForbiddenError, UnknownWatcherError
from circus_plugins.client import AsyncClient
from circus_plugins.client.follow import TOPICS
from circus_plugins.client.wire import NoAnswerError, events_endpoint
from circus_plugins.doors.address import silence
from circus_plugins.picture.measures import TOPIC, Measures
from circus_plugins.picture.views import PAST, STATS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from circus_plugins.client.subscription import Subscription
    from circus_plugins.doors.keys import Pair
    from circus_plugins.picture.views import Picture

GATHER = 0.05
"""Seconds in which further changes are gathered, so that a watcher that does a lot is asked for once."""
ANSWER = 2.0
"""Seconds after which an endpoint that says nothing to a request may be one that only publishes."""
AGAIN = 1.0
"""Seconds until a circusd that does not answer is tried again."""
VALUES = 50_000
"""So many values of the past are asked for at once, at most."""
FEW = 8
"""So many values of a figure are hardly worth asking for."""
MANY = 20
"""Changed watchers from which on all are asked for in one request."""


class Live:
    """Where a picture comes from. `changed` is called after each change, `told` with each event, as circusd sent it.

    Without `endpoint` it is the default one of this user. If it turns out to be a stats endpoint, as Circus'
    circus-top is given one, only figures are heard, and nothing can be ordered. `interval` is how often figures are
    asked for where no streamer runs, and `timeout` after how long who is silent is gone where only figures tell who
    there is.
    """

    def __init__(
        self,
        picture: Picture,
        changed: Callable[[], object],
        *,
        endpoint: str | None = None,
        interval: float = 1.0,
        timeout: float = 3.0,
        key: str | Pair | None = None,
        ssh: str | None = None,
        ssh_keyfile: str | None = None,
        told: Callable[[dict[str, Any]], object] = lambda _event: None,
    ) -> None:
        self.picture = picture
        self.client: AsyncClient | None = None
        self._changed = changed
        self._told = told
        self.interval = interval
        self._given: dict[str, Any] = {"endpoint": endpoint, "key": key, "ssh": ssh, "ssh_keyfile": ssh_keyfile}
        self._measures = Measures(picture, timeout)
        self._dirty: set[str] = set()
        self._all = False
        self._anew = True
        self._wake = asyncio.Event()
        # Set once it is known who there is.
        self._there = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled; raises ForbiddenError where circusd refuses this client, and EndpointError for
        an endpoint, a key or a way through ssh that cannot be used."""
        while True:
            try:
                await self._connected()
            except (ForbiddenError, EndpointError):
                # To try again would not help.
                raise
            except CircusError as error:
                self._trouble(error.message)
            await asyncio.sleep(AGAIN)

    async def _connected(self) -> None:
        async with AsyncClient(**self._given) as client:
            tasks = [asyncio.create_task(each) for each in await self._work(client)]
            try:
                # The first that fails is why there is no picture.
                await asyncio.gather(*tasks)
            finally:
                self.client = None
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, client: AsyncClient) -> list[Coroutine[Any, Any, None]]:
        """What there is to be done while the client is connected."""
        if not await self._takes_orders(client):
            return [self._hear_figures(client, client.endpoint)]
        self.client = client
        self._anew = True
        options = (await client.call("globaloptions"))["options"]
        stats = events_endpoint(client.endpoint, options.get("stats_endpoint") or "")
        figures = [self._hear_figures(client, stats)] if stats else []
        self._there = asyncio.Event()
        asking = [self._ask(client), self._ask_figures(client), self._recall(client)]
        return [self._hear_events(client), *asking, *figures]

    def tidy(self) -> None:
        """Forget who is silent, where only figures tell who there is; to be called now and then."""
        self._measures.expire()

    async def _takes_orders(self, client: AsyncClient) -> bool:
        """Whether somebody answers at the endpoint. At a stats endpoint nobody does."""
        try:
            await client.call("commands", timeout=ANSWER)
        except NoAnswerError as error:
            if silence(client.endpoint) or not await self._publishes(client):
                raise error
            return False
        return True

    async def _publishes(self, client: AsyncClient) -> bool:
        """Whether one can subscribe at the endpoint."""
        subscription = await client.subscribe([TOPIC.encode()], client.endpoint)
        try:
            async with asyncio.timeout(ANSWER):
                await subscription.messages()
        except TimeoutError:
            return False
        finally:
            subscription.close()
        return True

    # What there is

    async def _hear_events(self, client: AsyncClient) -> None:
        subscription = await client.subscribe(TOPICS)
        try:
            self._ask_all()
            while True:
                for _topic, payload in await subscription.messages():
                    self._event(json.loads(payload))
                self._look_at(subscription)
        finally:
            subscription.close()

    def _look_at(self, subscription: Subscription) -> None:
        if subscription.renewed():
            # It may be another circusd.
            self._anew = True
            self._ask_all()
        elif subscription.lost():
            self._trouble("circusd has hung up")

    def _event(self, event: dict[str, Any]) -> None:
        self._told(event)
        watcher = event.get("watcher")
        if watcher is None:
            self._ask_all()
        elif event["event"] == "watcher_removed":
            self.picture.forget(watcher)
            self._dirty.discard(watcher.lower())
            self._changed()
        else:
            self._dirty.add(watcher.lower())
            self._wake.set()

    def _ask_all(self) -> None:
        self._all = True
        self._wake.set()

    async def _ask(self, client: AsyncClient) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            whole, self._all = self._all or len(self._dirty) > MANY, False
            names, self._dirty = self._dirty, set()
            if whole:
                await self._ask_whole(client)
            else:
                for name in sorted(names):
                    await self._ask_one(client, name)
            self.picture.problem = ""
            self._changed()
            await asyncio.sleep(GATHER)

    async def _ask_whole(self, client: AsyncClient) -> None:
        if self._anew:
            known = await client.call("commands")
            self.picture.pid, self.picture.version = known["pid"], known["version"]
            self._anew = False
        self.picture.take((await client.call("status", extended=True))["details"])
        self.picture.take_sockets((await client.call("listsockets"))["sockets"])
        self._measures.known = True
        self._there.set()

    async def _ask_one(self, client: AsyncClient, name: str) -> None:
        try:
            details: Mapping[str, Any] = (await client.call("status", name=name, extended=True))["details"]
        except UnknownWatcherError:
            self.picture.forget(name)
            return
        for spelled, told in details.items():
            self.picture.watcher(spelled).take(told)

    def _trouble(self, words: str) -> None:
        self.picture.problem = words
        self._changed()

    # What it costs

    async def _hear_figures(self, client: AsyncClient, endpoint: str) -> None:
        subscription = await client.subscribe([TOPIC.encode()], endpoint)
        try:
            while True:
                for topic, payload in await subscription.messages():
                    self._measures.arrived(topic.decode(), payload)
                    if self.client is None:
                        self.picture.problem = ""
                self._changed()
        finally:
            subscription.close()

    async def _ask_figures(self, client: AsyncClient) -> None:
        """Where no streamer runs, circusd itself is asked; it costs something only while somebody looks."""
        while True:
            await asyncio.sleep(self.interval)
            if self._measures.known and not self.picture.problem and STATS not in self.picture.watchers:
                self._measures.answered((await client.call("stats"))["infos"])
                self._measures.circusd((await client.call("dstats"))["info"])
                if self.picture.sockets:
                    self.picture.take_sockets((await client.call("listsockets"))["sockets"])
                self._changed()

    async def _recall(self, client: AsyncClient) -> None:
        """Begin with what was before, where that is kept."""
        await self._there.wait()
        last = VALUES // (3 * (1 + len(self.picture.watchers) + self.picture.processes))
        processes = last >= FEW
        try:
            past = await client.call(
                "history", last=min(last, PAST) if processes else PAST, step=0, processes=processes
            )
        except CircusError:  # it is not kept, or there is no such command: it begins with nothing
            return
        if past["step"] == past["interval"]:
            self._measures.recalled(past)
            self._changed()
