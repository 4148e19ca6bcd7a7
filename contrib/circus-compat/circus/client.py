"""Circus' two clients and its messages, on the client of circus-bus; they know no command.

`endpoint` may be left out: then it is where a circusd of circus-bus is without configuration, and not Circus' TCP port.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from circus.exc import CallError
from circus.util import DEFAULT_ENDPOINT_DEALER
from circus_core.errors import CircusError
from circus_plugins.client import AsyncClient, Client, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

__all__ = [
    "DEFAULT_ENDPOINT_DEALER", "AsyncCircusClient", "CallError", "CircusClient", "cast_message", "make_json",
    "make_message",
]  # fmt: skip


def make_message(command: str, **props: Any) -> dict[str, Any]:
    """A request to call a command."""
    return {"command": command, "properties": props}


def cast_message(command: str, **props: Any) -> dict[str, Any]:
    """A request that is not answered."""
    return {"command": command, "msg_type": "cast", "properties": props}


def make_json(command: str, **props: Any) -> bytes:
    """A request to call a command, as it is sent."""
    return json.dumps(make_message(command, **props)).encode()


class CircusClient:
    """A blocking client. `timeout` is in seconds; `context` is taken and not used, as each client has its own."""

    def __init__(
        self,
        context: object = None,
        endpoint: str | None = None,
        timeout: float = 5.0,
        ssh_server: str | None = None,
        ssh_keyfile: str | None = None,
    ) -> None:
        self._client = Client(endpoint, timeout, ssh=ssh_server, ssh_keyfile=ssh_keyfile)
        self.endpoint = self._client.endpoint
        self.timeout = timeout

    def send_message(self, command: str, **props: Any) -> dict[str, Any]:
        """Run a command; answers its reply, which may say `error`, and raises CallError if there is none."""
        return self.call(make_message(command, **props))

    def call(self, cmd: MutableMapping[str, Any]) -> dict[str, Any]:
        """Send a message; answers its reply, which may say `error`, and raises CallError if there is none."""
        command, properties, cast = _parts(cmd)
        try:
            if cast:
                self._client.cast(command, **properties)
                return {}
            return self._client.request(command, properties, timeout=self.timeout)
        except CircusError as error:
            raise _call_error(error) from error

    def stop(self) -> None:
        """Disconnect."""
        self._client.close()


class AsyncCircusClient:
    """A client for a coroutine; it connects at its first call, within the running loop."""

    def __init__(
        self,
        context: object = None,
        endpoint: str | None = None,
        timeout: float = 5.0,
        ssh_server: str | None = None,
        ssh_keyfile: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self._ssh = {"ssh": ssh_server, "ssh_keyfile": ssh_keyfile}
        self._client: AsyncClient | None = None

    async def send_message(self, command: str, **props: Any) -> dict[str, Any]:
        """As `CircusClient.send_message`."""
        return await self.call(make_message(command, **props))

    async def call(self, cmd: MutableMapping[str, Any]) -> dict[str, Any]:
        """As `CircusClient.call`."""
        command, properties, cast = _parts(cmd)
        try:
            if self._client is None:
                self._client = AsyncClient(self.endpoint, self.timeout, **self._ssh)
            if cast:
                self._client.cast(command, **properties)
                return {}
            return await self._client.request(command, properties, timeout=self.timeout)
        except CircusError as error:
            raise _call_error(error) from error

    def stop(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _parts(message: Any) -> tuple[str, Mapping[str, Any], bool]:
    if isinstance(message, str | bytes):
        raise DeprecationWarning("call() takes a mapping")
    if "command" not in message:
        raise CallError("the message has no command")
    return message["command"], message.get("properties") or {}, message.get("msg_type") == "cast"


def _call_error(error: CircusError) -> CallError:
    return CallError("Timed out." if isinstance(error, NoAnswerError) else str(error))
