"""The ROUTER socket: takes requests, has them run, sends the replies; it knows no command.

A client that does not read its replies loses them (ROUTER drops at its high-water mark); nothing here waits for one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

import zmq

from circus_core.errors import CircusError, ForbiddenError
from circus_core.requests import Role
from circus_plugins.control import envelope as envelopes
from circus_plugins.doors.edge import Edge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from circus_core.requests import Guard
    from circus_plugins.control.envelope import Envelope
    from circus_plugins.doors.door import Door

    Check = Callable[[str, Mapping[str, Any]], Guard | None]

log = logging.getLogger("circus.control")

FIRST, LAST = int(zmq.NOBLOCK | zmq.SNDMORE), int(zmq.NOBLOCK)
"""Flags of a reply's two frames."""
UNDER_WAY = 10_000
"""Requests that may be unfinished at one time; more are refused, so that no client can fill the memory with them."""
LAST_WORDS = 1.0
"""Seconds that unfinished requests have at the end, and seconds that replies have to reach their clients."""


class Dispatch(Protocol):
    """What runs a command: the supervisor."""

    def __call__(
        self,
        command: str,
        properties: Mapping[str, Any],
        *,
        role: Role = ...,
        progress: Callable[[str], None] | None = ...,
        guard: Guard | None = ...,
    ) -> dict[str, Any] | Awaitable[dict[str, Any]]:
        """A dict answer is complete; an awaitable one still lasts. Raises CircusError."""
        ...


class Endpoint:
    """Serves one open door. `check` may refuse a request before it is run, by raising CircusError, or give a guard."""

    def __init__(self, door: Door, dispatch: Dispatch, check: Check | None) -> None:
        self.door = door
        self._dispatch = dispatch
        self._check = check
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        # Only a frame that is not copied can tell whose key it came with.
        self._edge = Edge(self._loop, door.socket, self._receive, copy=door.keyring is None)

    def _receive(self, frames: list[Any]) -> None:
        if len(frames) != 2:
            log.warning("a message of %d frames was dropped; a request is one frame, without a delimiter", len(frames))
            return
        client, raw = frames
        role: Role | None = Role.ADMIN
        if self.door.keyring is not None:
            role = self.door.keyring.role(raw.get("User-Id"))
            client, raw = client.bytes, raw.bytes
        self._serve(client, envelopes.read(raw), role)

    def _serve(self, client: bytes, request: Envelope, role: Role | None) -> None:
        try:
            if request.problem is not None:
                raise request.problem
            if role is None:
                raise ForbiddenError("this key was revoked", hint="ask for a new one")
            guard = self._check(request.command, request.properties) if self._check is not None else None
            told = self._teller(client, request) if request.progress and not request.cast else None
            answer = self._dispatch(request.command, request.properties, role=role, progress=told, guard=guard)
            if isinstance(answer, dict):
                if not request.cast:
                    self._send(client, envelopes.success(request, answer))
                return
            if len(self._tasks) >= UNDER_WAY:
                _drop(answer)
                raise CircusError("too many requests are under way", hint="try again when some are done")
            task = self._loop.create_task(self._finish(client, request, answer), name=f"request {request.command}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        except Exception as error:
            self._refuse(client, request, error)

    async def _finish(self, client: bytes, request: Envelope, answer: Awaitable[dict[str, Any]]) -> None:
        try:
            fields = await answer
            if not request.cast:
                self._send(client, envelopes.success(request, fields))
        except asyncio.CancelledError:
            self._refuse(client, request, CircusError("circusd is ending", hint="the request was not completed"))
            raise
        except Exception as error:
            self._refuse(client, request, error)

    def _refuse(self, client: bytes, request: Envelope, error: BaseException) -> None:
        if not isinstance(error, CircusError | OSError):
            log.error("the command %r failed", request.command, exc_info=error)
        elif request.cast:
            log.warning("the command %r, for which nobody awaits a reply, failed: %s", request.command, error)
        if not request.cast:
            self._send(client, envelopes.failure(request, error))

    def _teller(self, client: bytes, request: Envelope) -> Callable[[str], None]:
        def tell(text: str) -> None:
            self._send(client, envelopes.progress(request, text))

        return tell

    def _send(self, client: bytes, reply: bytes) -> None:
        socket = self.door.socket
        if socket.closed:
            return
        try:
            socket.send(client, FIRST)
            socket.send(reply, LAST)
        except zmq.ZMQError as error:
            log.info("a reply could not be sent: %s", error)
        self._edge.sent()

    async def close(self) -> None:
        """Take no more requests, let those under way end for a short time, then refuse them and close the door."""
        self._edge.close()
        own = asyncio.current_task()
        pending = [task for task in self._tasks if task is not own]
        if pending:
            _, late = await asyncio.wait(pending, timeout=LAST_WORDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self.door.close(LAST_WORDS)


def _drop(answer: Awaitable[dict[str, Any]]) -> None:
    if asyncio.iscoroutine(answer):
        answer.close()
    elif isinstance(answer, asyncio.Future):
        answer.cancel()
