"""The blocking client; it imports neither asyncio nor attrs, so that command line tools start fast."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import zmq

from circus_core.errors import CircusError
from circus_plugins.client import wire
from circus_plugins.client.connections import Connections
from circus_plugins.doors.address import default_endpoint, silence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Self

    from circus_plugins.client.handshake import Handshake
    from circus_plugins.client.output import Output
    from circus_plugins.doors.keys import Pair

    Progress = Callable[[str], None]
    Connection = Callable[[bool], object]

T = TypeVar("T")


class Client:
    """A connection to circusd's control endpoint, the default one unless `endpoint` is given.

    `timeout` is how many seconds an answer, or the next line of progress, may take. `key` is a file made by
    `circusctl keys new`, or the keys in it. `ssh` is `[USER@]HOST[:PORT]` to go through, with `ssh_keyfile` if it
    needs one; `endpoint` is then what circusd is bound to there. With `patience`, a call without a timeout of its own
    ends after so many seconds if this machine knows that nobody listens there. Not for several threads at once.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        timeout: float = wire.TIMEOUT,
        *,
        key: str | Pair | None = None,
        ssh: str | None = None,
        ssh_keyfile: str | None = None,
        patience: float | None = None,
    ) -> None:
        self.endpoint = endpoint or (default_endpoint() if ssh is None else wire.FAR_ENDPOINT)
        self.timeout = timeout
        self._patience = patience
        self._number = 0
        self._linger = 0
        self._connections = Connections(key, ssh, ssh_keyfile)
        try:
            self._handshake = self._connections.handshake(zmq.DEALER, self.endpoint)
        except BaseException:
            self._connections.close()
            raise
        self._socket = self._handshake.socket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect, and end what follows events; what was cast has a second to leave."""
        self._handshake.close()
        self._socket.close(self._linger)
        self._connections.close()

    def call(
        self, command: str, /, *, progress: Progress | None = None, timeout: float | None = None, **properties: Any
    ) -> dict[str, Any]:
        """Run a command and answer its reply; raises CircusError as the reply says, NoAnswerError if there is none.

        ForbiddenError also means that circusd does not let this client in at all: it needs a key, or another one.
        With `progress` a waiting command tells how far it is.
        """
        return wire.result(self.request(command, properties, progress=progress, timeout=timeout))

    def request(
        self,
        command: str,
        properties: Mapping[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Run a command and answer the reply as it is, error or not; raises NoAnswerError.

        A request with `waiting` and no timeout of its own goes on for as long as circusd is alive: when it was silent
        for the client's timeout, it is asked for a sign of life, and has that time again to give one.
        """
        allowed = self.timeout if timeout is None else timeout
        number = self._send(allowed, command, properties or {}, progress=progress is not None)
        patient = wire.is_patient(properties, timeout)
        asked = False
        deadline = time.monotonic() + allowed
        while True:
            if not self._answered(deadline, self._patience if timeout is None else None):
                if not patient or asked:
                    doubt = self._handshake.doubt()
                    raise wire.no_answer(self.endpoint, allowed, self._connections.ssh, doubt)
                self._send(allowed, *wire.SIGN_OF_LIFE)
                asked = True
                deadline = time.monotonic() + allowed
                continue
            answer = wire.reply(self._socket.recv())
            mine = answer.get("id") in (number, None)
            if mine and answer.get("status") != "progress":
                return answer
            if mine and progress is not None:
                progress(answer["text"])
            if mine or patient:
                asked = False
                deadline = time.monotonic() + allowed

    def _answered(self, deadline: float, patience: float | None) -> bool:
        """Whether an answer is there by then; raises NoAnswerError after `patience` if nobody is."""
        if patience is not None and patience < deadline - time.monotonic():
            if self._handshake.wait(patience):
                return True
            absence = silence(self.endpoint) if self._connections.ssh is None else ""
            if absence:
                raise wire.nobody(self.endpoint, absence)
        return self._handshake.wait(deadline - time.monotonic())

    def _send(self, allowed: float, command: str, properties: Mapping[str, Any], **manner: bool) -> int:
        self._number += 1
        if not self._handshake.send(wire.request(self._number, command, properties, **manner), allowed):
            raise wire.no_answer(self.endpoint, allowed, self._connections.ssh, self._handshake.doubt())
        return self._number

    def cast(self, command: str, /, **properties: Any) -> None:
        """Run a command without an answer; raises NoAnswerError where so much waits to be sent that no more can be."""
        self._linger = 1000
        self._send(self.timeout, command, properties, cast=True)

    def output(
        self,
        *names: str,
        lines: int | None = None,
        follow: bool = False,
        wanted: Callable[[dict[str, Any]], bool] | None = None,
        endpoint: str | None = None,
        connection: Connection | None = None,
    ) -> Iterator[dict[str, Any]]:
        """What processes said, and with `follow` what they say: `{"at", "watcher", "wid", "pid", "channel", "line"}`.

        `names` are watchers, patterns for several, or NAME/WID for one process; none means all. `lines` is how many of
        each watcher come of what was said before, all that circusd keeps if it is None. Only lines that are `wanted`
        count. Bytes that are no UTF-8 are lone surrogates in `line` (PEP 383). Where more came than can be followed
        there is `{"at", "watcher", "wid", "skipped"}`, the number of bytes. `endpoint` is that of events. While circusd
        is away one who follows waits for it: `connection` is called with False then, and with True once it is back.
        """
        from circus_plugins.client.output import Output

        output = Output(names, lines, wanted)
        if not follow:
            yield from self._said_before(output)
            return
        with self._subscribed(output.topics, endpoint, connection) as (handshake, socket):
            ask = True
            while True:
                if ask:
                    said_before = partial(self._said_before, output, follow=True)
                    yield from _persist(handshake, said_before, output.ask_again)
                if handshake.wait():
                    new, ask = output.arrived(socket.recv_multipart()[1])
                    yield from new
                else:
                    output.ask_again()
                    ask = True

    def _said_before(self, output: Output, *, follow: bool = False) -> list[dict[str, Any]]:
        if follow:
            # What is said from now on arrives by itself.
            self.call("events", sync=output.sync, limit=0)
        while (question := output.question()) is not None:
            output.replayed(self.call("tail", **question))
        return output.latest(end=not follow)

    @contextmanager
    def _subscribed(
        self, topics: Iterable[bytes], endpoint: str | None, connection: Connection | None
    ) -> Iterator[tuple[Handshake, zmq.Socket[bytes]]]:
        if endpoint is None:
            told = self.call("globaloptions", option="pubsub_endpoint")["options"]["pubsub_endpoint"]
            endpoint = wire.events_endpoint(self.endpoint, told)
        handshake = self._connections.handshake(zmq.SUB, endpoint, connection)
        socket = handshake.socket
        try:
            for topic in topics:
                socket.subscribe(topic)
            yield handshake, socket
        finally:
            if not socket.closed:
                handshake.close()
            socket.close(0)

    def events(
        self,
        since: int | None = None,
        watcher: str | None = None,
        *,
        run: str | None = None,
        endpoint: str | None = None,
        connection: Connection | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Every event from now on, or after the one with seq `since`, in order, none twice; it never ends by itself.

        `run` is the one which that event was of, as events say: of another circusd, every event has come since.
        Events that circusd no longer keeps are told by one with the name `events_lost`, its `first` and its `last`.
        `endpoint` is the event endpoint, if circusd must not be asked for it. `connection` is as for `output`.
        """
        from circus_plugins.client.follow import Follower

        follower = Follower(since, watcher, run)
        with self._subscribed(follower.topics, endpoint, connection) as (handshake, socket):
            ask = True
            while True:
                while ask:
                    reply = _persist(handshake, lambda: self.call("events", **follower.question()))
                    new, ask = follower.replayed(reply)
                    yield from new
                if handshake.wait():
                    new, ask = follower.arrived(socket.recv_multipart()[1])
                    yield from new
                else:
                    ask = True


def _persist(handshake: Handshake, ask: Callable[[], T], again: Callable[[], None] = lambda: None) -> T:
    """Ask, and after `again` once more when circusd is back, if it was away meanwhile."""
    while True:
        handshake.renew()
        try:
            return ask()
        except CircusError as error:
            # What another one answers may be that it knows of no subscription yet.
            if not handshake.returned(answered=not isinstance(error, wire.NoAnswerError)):
                raise
            again()
