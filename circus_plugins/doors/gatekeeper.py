"""Answers libzmq's question whether a CURVE client may connect; only loaded where an endpoint asks for keys."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from zmq.auth import Authenticator

from circus_plugins.doors.edge import Edge

if TYPE_CHECKING:
    import zmq

    from circus_plugins.doors.keys import Keyring


class Gatekeeper:
    """pyzmq's own authenticator, one per ZMQ context, each endpoint with its own domain and keyring."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._authenticator = Authenticator(context)
        self._authenticator.start()
        self._loop = asyncio.get_running_loop()
        self._questions: asyncio.Queue[list[bytes]] = asyncio.Queue()
        self._edge = Edge(self._loop, self._authenticator.zap_socket, self._questions.put_nowait)
        self._task = self._loop.create_task(self._answer(), name="gatekeeper")

    async def _answer(self) -> None:
        while True:
            await self._authenticator.handle_zap_message(await self._questions.get())
            self._edge.sent()

    def admit(self, domain: str, keyring: Keyring) -> None:
        """From now on clients of `domain` come in with a key of `keyring`."""
        self._authenticator.configure_curve_callback(domain, keyring)

    def close(self) -> None:
        """Stop answering; who is not in by now stays out."""
        self._task.cancel()
        self._edge.close()
        self._authenticator.stop()
