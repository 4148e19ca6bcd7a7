"""socket.io: who comes and goes. What they are told is `showing`, and what they ask for `asking`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import socketio

from circus_plugins.web.asking import Asking
from circus_plugins.web.browsers import Browser, Browsers
from circus_plugins.web.doorway import PEER, PERSON, Doorway
from circus_plugins.web.outbox import Outbox
from circus_plugins.web.showing import Showing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import HTTPConnection

    from circus_plugins.picture import Live
    from circus_plugins.web.access.people import Person
    from circus_plugins.web.orders import Orders

LARGEST = 1_000_000
MOST = 500
"""Browsers at one time."""


class Push:
    """`about` is what `Showing` takes besides; `hang_up` ends a client's connection, whatever it has not read."""

    def __init__(
        self,
        orders: Orders,
        live: Callable[..., Live],
        hang_up: Callable[[tuple[str, int] | None], None],
        log: logging.Logger,
        **about: Any,
    ) -> None:
        self._log = log
        self._server = self._socketio()
        self._browsers = Browsers(self._server, hang_up, log)
        self._showing = Showing(self._browsers, orders, live, log, **about)
        for name, handler in Asking(self._browsers, orders, self._showing, log).handlers.items():
            self._server.on(name, handler)
        self._doorway: Doorway

    def app(self, path: str, person: Callable[[HTTPConnection], Person | None]) -> Doorway:
        """The ASGI application at a path."""
        inner = socketio.ASGIApp(self._server, socketio_path=path)
        self._doorway = Doorway(inner, person, self._room, self._ended, self._log)
        return self._doorway

    def _socketio(self) -> socketio.AsyncServer:
        logger = self._log.getChild("socket")
        # At `info` it would note whatever is sent, secrets too; and nonsense that a client sends, with a traceback.
        logger.setLevel(logging.CRITICAL)
        server = socketio.AsyncServer(
            async_mode="asgi",
            logger=logger,
            engineio_logger=logger,
            # The guard looks at each Origin.
            cors_allowed_origins=[],
            max_http_buffer_size=LARGEST,
            # Messages are handled in tasks of ours, which say what went wrong.
            async_handlers=False,
            # It would wake up for ever after the first browser. The signs of life of each connection remain.
            monitor_clients=False,
            http_compression=False,
        )
        server.eio.create_queue = Outbox
        self._take: Callable[[str, Any], Awaitable[None]] = server.eio.handlers["message"]
        server.eio.on("message", self._message)
        server.on("connect", self._connect)
        server.on("disconnect", self._disconnect)
        return server

    async def close(self) -> None:
        """Tell nobody anything any more."""
        self._showing.stop()
        await self._browsers.close()

    def log_out(self, session: str) -> None:
        """Send away every browser of a session."""
        for browser in self._browsers.all():
            if browser.person.session == session:
                self._browsers.send_away(browser, "")

    async def _room(self) -> bool:
        """Whether there is room for one more; those that give no sign of life are not counted."""
        sockets = self._server.eio.sockets
        if len(sockets) >= MOST:
            for engine, each in tuple(sockets.items()):
                if each.closed or not await each.check_ping_timeout():
                    await self._ended(engine)
        return len(sockets) < MOST

    async def _message(self, engine: str, data: Any) -> None:
        # What lasts keeps nothing else of the same browser waiting, its signs of life in particular.
        self._browsers.spawn(self._handle(engine, data))

    async def _handle(self, engine: str, data: Any) -> None:
        try:
            await self._take(engine, data)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            # socket.io takes what it gets for packets of its own; what is none breaks it somewhere.
            self._log.warning("a browser is sent away: it sends what is no packet (%s)", type(error).__name__)
            await self._ended(engine)

    async def _connect(self, sid: str, environ: dict[str, Any], _auth: object = None) -> None:
        if sid in self._browsers.by_sid:
            # socket.io lets a client send an event of this name, too.
            self._browsers.send_away(self._browsers.by_sid[sid], "it says that it connects, and is connected")
            return
        scope = environ["asgi.scope"]
        engine = self._server.manager.eio_sid_from_sid(sid, "/")
        scope["circus.engine"] = engine
        outbox = self._server.eio.sockets[engine].queue
        address = scope["client"][0] if scope.get("client") else "this machine"
        browser = Browser(sid, engine, scope[PERSON], address, scope.get(PEER), outbox)
        outbox.overflowed = lambda: self._browsers.send_away(browser, "it does not read")
        self._browsers.by_sid[sid] = browser
        self._showing.begin()
        self._browsers.spawn(self._showing.welcome(browser))

    async def _disconnect(self, sid: str, _reason: object = None) -> None:
        browser = self._browsers.by_sid.pop(sid, None)
        if browser is not None:
            browser.forget()
            self._doorway.forget(browser.engine)
        if not self._browsers.by_sid:
            self._showing.linger()

    async def _ended(self, engine: str) -> None:
        await self._browsers.ended(engine)
        self._doorway.forget(engine)
