"""uvicorn in the loop of the plugin's own process: no signal handlers, no threads, no timer while nothing happens.

uvicorn's own main loop looks ten times a second whether it is to end; here it is told.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import socket

    from circus_plugins.web.console import WebOptions

MOST = 1000
"""Connections at one time; those beyond it are told to come back later."""
HEAD = 15.0
"""Seconds that a client has for the head of a request, the first one and each further one."""
LARGEST_HEAD = 32_768
LARGEST_FRAME = 1_000_000
LAST_WORDS = 1.0
"""Seconds that requests have to be answered when the console ends."""


class Patient(H11Protocol):
    """HTTP/1.1 for clients that take their time, up to a point: a head that does not come to its end ends it."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """It sent something."""
        super().data_received(data)
        waiting = self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE
        if not waiting:
            self._enough()
        elif self._due is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._enough()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """From here on it speaks another protocol."""
        self._enough()
        super().handle_websocket_upgrade(event)

    def _wait(self) -> None:
        self._due = self.loop.call_later(HEAD, self.transport.abort)

    def _enough(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


class Serving:
    """Serves an ASGI application on sockets, which it closes."""

    def __init__(self, app: Any, sockets: list[socket.socket], options: WebOptions) -> None:
        config = uvicorn.Config(
            app,
            http=Patient,
            ws="wsproto",
            ws_max_size=LARGEST_FRAME,
            # What is compressed beside a secret tells about it by its size, and each connection would need 300 KB.
            ws_per_message_deflate=False,
            # socket.io has signs of life of its own.
            ws_ping_interval=None,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=MOST,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            timeout_graceful_shutdown=1,
            ssl_certfile=options.certificate,
            ssl_keyfile=options.certificate_key,
        )
        # What it notes of each start and of each client that talks nonsense is nothing for our log.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._sockets = sockets
        self._server = uvicorn.Server(config)
        self._config = config

    async def open(self) -> None:
        """Begin to serve; raises OSError for a certificate that cannot be used."""
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup(self._sockets)

    async def close(self) -> None:
        """Take no one in any more, let requests be answered for a moment, and end."""
        if not self._server.started:
            for each in self._sockets:
                each.close()
            return
        try:
            async with asyncio.timeout(LAST_WORDS):
                await self._server.shutdown(self._sockets)
        except TimeoutError:
            for connection in tuple(self._server.server_state.connections):
                connection.transport.abort()

    def abort(self, peer: tuple[str, int] | None) -> None:
        """Hang up on a client at once, whatever it has not read yet."""
        for connection in tuple(self._server.server_state.connections):
            transport: Any = connection.transport
            if peer is not None and tuple(transport.get_extra_info("peername") or ())[:2] == tuple(peer):
                transport.abort()
