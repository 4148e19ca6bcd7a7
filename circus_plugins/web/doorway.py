"""ASGI before socket.io: who may come in, how fast, and that a connection that ended is forgotten.

engineio ends neither a client that floods nor one that sends nonsense; it is done here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

from circus_plugins.web.access.attempts import Pace
from circus_plugins.web.answers import refusal

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Callable

    from circus_plugins.web.access.people import Person
    from circus_plugins.web.guard import App, Message, Receive, Scope, Send

PERSON = "circus.person"
PEER = "circus.peer"
"""Where a request's person and its real client are in its scope."""
RATE, BURST = 200.0, 1000.0
"""Frames, or requests of long polling, of one connection a second, and how many may come at once."""
KNOWN = 2000
"""Connections of long polling whose pace is remembered."""


class Doorway:
    """`person` says who asks, and `room` whether one more may connect; `gone` is called with the engine's id of a
    connection whose WebSocket ended."""

    def __init__(
        self,
        app: App,
        person: Callable[[HTTPConnection], Person | None],
        room: Callable[[], Awaitable[bool]],
        gone: Callable[[str], Awaitable[None]],
        log: logging.Logger,
    ) -> None:
        self._app = app
        self._person = person
        self._room = room
        self._gone = gone
        self._log = log
        self._paces: dict[str, Pace] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or refuse it."""
        request = HTTPConnection(scope)
        person = self._person(request)
        if person is None:
            await refusal(scope, receive, send, 401, "nobody is logged in")
            return
        sid = request.query_params.get("sid", "")
        if not sid and not await self._room():
            await refusal(scope, receive, send, 503, "there are too many browsers already")
            return
        scope[PERSON] = person
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send, sid)
        elif sid and not self._pace(sid).allowed():
            await refusal(scope, receive, send, 429, "too many requests")
        else:
            await self._app(scope, receive, send)

    def forget(self, engine_id: str) -> None:
        """There is no such connection any more."""
        self._paces.pop(engine_id, None)

    def _pace(self, engine_id: str) -> Pace:
        if engine_id not in self._paces:
            if len(self._paces) > KNOWN:
                self._paces.clear()
            self._paces[engine_id] = Pace(RATE, BURST)
        return self._paces[engine_id]

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, sid: str) -> None:
        pace = Pace(RATE, BURST)
        why = ""

        async def paced() -> Message:
            nonlocal why
            message = await receive()
            if message["type"] == "websocket.receive" and not pace.allowed():
                why = "it floods"
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        try:
            await self._app(scope, paced, send)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError, OSError) as error:
            # engineio takes what it gets for packets of its own; what is none breaks it somewhere.
            why = f"it sends what is no packet ({type(error).__name__})"
        finally:
            peer = scope.get(PEER)
            if why:
                self._log.warning("a browser of %s at %s is sent away: %s", scope[PERSON], peer, why)
            engine: Any = scope.get("circus.engine") or sid
            if engine:
                await self._gone(engine)
