"""The asyncio client: many calls at one time over one socket, on its raw descriptor, without a thread."""

from __future__ import annotations

import asyncio
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import zmq

from circus_core.errors import CircusError
from circus_plugins.client import wire
from circus_plugins.client.connections import Connections
from circus_plugins.client.follow import Follower
from circus_plugins.client.link import Link
from circus_plugins.client.output import Output
from circus_plugins.client.refusals import Refusals
from circus_plugins.client.subscription import Subscription
from circus_plugins.doors.address import default_endpoint
from circus_plugins.doors.edge import Edge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from typing import Self

    from circus_plugins.doors.keys import Pair

    Progress = Callable[[str], None]
    Connection = Callable[[bool], object]


class _Call:
    """One call that waits for its reply; each sign of life gives it the whole time again."""

    __slots__ = ("alive", "done", "progress")

    def __init__(self, progress: Progress | None) -> None:
        self.done: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.alive = False
        self.progress = progress


class AsyncClient:
    """As `Client`, within a running loop; use it as `async with`, or `close` it."""

    def __init__(
        self,
        endpoint: str | None = None,
        timeout: float = wire.TIMEOUT,
        *,
        key: str | Pair | None = None,
        ssh: str | None = None,
        ssh_keyfile: str | None = None,
    ) -> None:
        self.endpoint = endpoint or (default_endpoint() if ssh is None else wire.FAR_ENDPOINT)
        self.timeout = timeout
        self._number = 0
        self._linger = 0
        self._closed = False
        self._calls: dict[int, _Call] = {}
        self._subscriptions: set[Subscription] = set()
        self._loop = asyncio.get_running_loop()
        self._connections = Connections(key, ssh, ssh_keyfile)
        try:
            # However many requests are made at once, they wait here; none is dropped.
            self._socket = self._connections.connect(zmq.DEALER, self.endpoint, told=Refusals.NEWS, unlimited=True)
        except BaseException:
            self._connections.close()
            raise
        self._refusal: CircusError | None = None
        self._edge = Edge(self._loop, self._socket, self._answered)
        self._refusals = Refusals(self._connections, self._socket, self.endpoint, self._refused)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; calls fail from now on, and what follows events ends. What was cast has a second to leave."""
        if self._closed:
            return
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()
        self._edge.close()
        self._refusals.close()
        self._socket.close(self._linger)
        self._connections.close()
        self._fail(_closed())

    async def call(
        self,
        command: str,
        /,
        *,
        progress: Progress | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
        **properties: Any,
    ) -> dict[str, Any]:
        """Run a command and answer its reply; raises CircusError as the reply says, NoAnswerError if there is none."""
        return wire.result(await self.request(command, properties, progress=progress, timeout=timeout))

    async def request(
        self,
        command: str,
        properties: Mapping[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> dict[str, Any]:
        """Run a command and answer the reply as it is, error or not; raises NoAnswerError. As `Client.request`."""
        self._number += 1
        number = self._number
        call = self._calls[number] = _Call(progress)
        try:
            self._send(wire.request(number, command, properties or {}, progress=progress is not None))
            allowed = self.timeout if timeout is None else timeout
            while True:
                call.alive = False
                await asyncio.wait([call.done], timeout=allowed)
                if call.done.done():
                    return call.done.result()
                if call.alive:
                    continue
                if not wire.is_patient(properties, timeout):
                    raise wire.no_answer(self.endpoint, allowed, self._connections.ssh)
                life, nothing = wire.SIGN_OF_LIFE
                await self.request(life, nothing, timeout=allowed)
        finally:
            del self._calls[number]

    def cast(self, command: str, /, **properties: Any) -> None:
        """Run a command without an answer."""
        self._linger = 1000
        self._number += 1
        self._send(wire.request(self._number, command, properties, cast=True))

    async def subscribe(self, topics: Iterable[bytes], endpoint: str | None = None) -> Subscription:
        """Subscribe to event topics; circusd is asked where, unless `endpoint` is given. It ends with the client."""
        if endpoint is None:
            told = (await self.call("globaloptions", option="pubsub_endpoint"))["options"]["pubsub_endpoint"]
            endpoint = wire.events_endpoint(self.endpoint, told)
        if self._closed:
            raise _closed()
        socket = self._connections.connect(zmq.SUB, endpoint, told=Refusals.NEWS)
        subscription = Subscription(self._connections, socket, endpoint, topics)
        self._subscriptions.add(subscription)
        return subscription

    async def events(
        self,
        since: int | None = None,
        watcher: str | None = None,
        *,
        run: str | None = None,
        endpoint: str | None = None,
        connection: Connection | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """As `Client.events`, but it ends when the client is closed, whatever it waits for, with no further event."""
        follower = Follower(since, watcher, run)
        link = Link(connection)
        subscription: Subscription | None = None
        try:
            subscription = link.subscription = await self.subscribe(follower.topics, endpoint)
            ask = True
            while not self._closed:
                while ask:
                    new, ask = follower.replayed(await link.ask(lambda: self.call("events", **follower.question())))
                    for event in takewhile(self._is_open, new):
                        yield event
                arrived = await subscription.messages()
                link.look()
                for _topic, payload in arrived:
                    new, ask = follower.arrived(payload)
                    for event in takewhile(self._is_open, new):
                        yield event
                    if ask:
                        break
                ask = subscription.renewed() or ask
        except CircusError:
            if not self._closed:  # else it is only that nobody answers a closed client
                raise
        finally:
            if subscription is not None:
                subscription.close()
                self._subscriptions.discard(subscription)

    async def output(
        self,
        *names: str,
        lines: int | None = None,
        follow: bool = False,
        wanted: Callable[[dict[str, Any]], bool] | None = None,
        endpoint: str | None = None,
        connection: Connection | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """As `Client.output`, but it ends when the client is closed."""
        output = Output(names, lines, wanted)
        link = Link(connection)
        subscription: Subscription | None = None
        try:
            if follow:
                subscription = link.subscription = await self.subscribe(output.topics, endpoint)
            ask = True
            while not self._closed:
                if ask:
                    said = await link.ask(lambda: self._said_before(output, follow=follow), output.ask_again)
                    for line in takewhile(self._is_open, said):
                        yield line
                if subscription is None:
                    return
                ask = False
                arrived = await subscription.messages()
                link.look()
                for _topic, payload in arrived:
                    new, missing = output.arrived(payload)
                    ask = ask or missing
                    for line in takewhile(self._is_open, new):
                        yield line
                if subscription.renewed():
                    output.ask_again()
                    ask = True
        except CircusError:
            if not self._closed:
                raise
        finally:
            if subscription is not None:
                subscription.close()
                self._subscriptions.discard(subscription)

    async def _said_before(self, output: Output, *, follow: bool) -> list[dict[str, Any]]:
        if follow:
            # What is said from now on arrives by itself.
            await self.call("events", sync=output.sync, limit=0)
        while (question := output.question()) is not None:
            output.replayed(await self.call("tail", **question))
        return output.latest(end=not follow)

    def _is_open(self, _: object) -> bool:
        return not self._closed

    def _send(self, message: bytes) -> None:
        if self._closed:
            raise _closed()
        self._check()
        try:
            self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:  # only where it was refused, for nothing else is too much for it
            self._refusals.read()
            self._check()
            raise wire.no_answer(self.endpoint, 0, self._connections.ssh) from None
        self._edge.sent()

    def _check(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    def _refused(self, error: CircusError) -> None:
        self._refusal = error
        self._fail(error)

    def _fail(self, error: CircusError) -> None:
        for pending in self._calls.values():
            if not pending.done.done():
                pending.done.set_exception(error)

    def _answered(self, frames: list[bytes]) -> None:
        answer = wire.reply(frames[-1])
        call = self._calls.get(answer.get("id") or 0)
        if call is None:
            return
        if answer.get("status") == "progress":
            call.alive = True
            if call.progress is not None:
                call.progress(answer["text"])
        elif not call.done.done():
            call.done.set_result(answer)


def _closed() -> CircusError:
    return CircusError("the client was closed")
