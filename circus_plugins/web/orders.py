"""The one way by which anybody orders anything of circusd through the console: checked, done, and written down.

Whoever asks, a browser or a program, comes by here. The role that a command needs is in circusd's own table.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError, ForbiddenError, RequestError, UnknownCommandError
from circus_core.nearest import did_you_mean
from circus_core.plan import MASK, is_secret
from circus_core.requests import Role
from circus_plugins.client.wire import result
from circus_plugins.web.access.attempts import Pace
from circus_plugins.web.access.entry import TooManyError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from circus_plugins.client import AsyncClient
    from circus_plugins.web.access.people import Person

RATE, BURST = 50.0, 200.0
"""Requests of one person a second, and how many may come at once."""
LONGEST = 500
"""Letters of what an audit line says of an order."""
KNOWN = 1000
"""People whose pace is remembered."""


class Orders:
    """Gives circusd's commands for people. `connect` answers a new client of circusd."""

    def __init__(self, connect: Callable[[], AsyncClient], audit: logging.Logger) -> None:
        self._connect = connect
        self._client: AsyncClient | None = None
        self._audit = audit
        self._table: dict[str, dict[str, Any]] = {}
        self._paces: dict[tuple[str, str], Pace] = {}

    @property
    def client(self) -> AsyncClient:
        """The client that orders are given by."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def close(self) -> None:
        """Disconnect; what is under way fails."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def table(self, *, anew: bool = False) -> dict[str, dict[str, Any]]:
        """circusd's commands by name, as it tells of them; raises CircusError where it does not answer."""
        if anew or not self._table:
            told = await self._ask("commands", {}, None)
            self._table = {entry["name"]: entry for entry in told["commands"]}
        return self._table

    def forget(self) -> None:
        """It may be another circusd, with other commands."""
        self._table = {}

    async def give(
        self,
        person: Person,
        address: str,
        command: str,
        properties: Mapping[str, Any],
        progress: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Have circusd do a command for somebody; its reply, or CircusError for why not."""
        began = time.monotonic()
        entry: dict[str, Any] | None = None
        try:
            self._check_pace(person, address)
            entry = await self._entry(command)
            self._check(person, entry, properties)
            reply = await self._ask(entry["name"], properties, progress)
        except CircusError as error:
            if entry is None or entry["role"] != "view":
                words = said(command, properties)
                self._audit.warning("%s from %s: %s refused: %s", person, address, words, clean(error.message))
            raise
        if entry["role"] != "view":
            done = "done" if properties.get("waiting") or not entry["waits"] else "begun"
            seconds = time.monotonic() - began
            self._audit.info("%s from %s: %s %s (%.2f s)", person, address, said(command, properties), done, seconds)
        return reply

    async def _entry(self, command: str) -> dict[str, Any]:
        name = command.lower()
        found = (await self.table()).get(name) or (await self.table(anew=True)).get(name)
        if found is None:
            raise UnknownCommandError(f"unknown command: {command[:80]!r}", hint=did_you_mean(name[:80], self._table))
        return found

    def _check(self, person: Person, entry: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
        needed = Role[entry["role"].upper()]
        if person.role < needed:
            raise ForbiddenError(
                f"{entry['name']} needs the role {needed.name.lower()}",
                hint=f"you have the role {person.role.name.lower()}",
            )
        known = [argument["name"] for argument in entry["arguments"]]
        for key in properties:
            if key not in known:
                hint = did_you_mean(key[:80], known, f"it has {', '.join(known) or 'none'}")
                raise RequestError(f"{entry['name']} has no argument {key[:80]!r}", hint=hint)

    def _check_pace(self, person: Person, address: str) -> None:
        who = person.name, address
        if who not in self._paces:
            if len(self._paces) >= KNOWN:
                self._paces.clear()
            self._paces[who] = Pace(RATE, BURST)
        if not self._paces[who].allowed():
            raise TooManyError("too many requests", hint=f"{RATE:.0f} a second are possible")

    async def _ask(
        self, command: str, properties: Mapping[str, Any], progress: Callable[[str], None] | None
    ) -> dict[str, Any]:
        try:
            reply = result(await self.client.request(command, properties, progress=progress))
        except ForbiddenError:
            if self._client is not None:
                # Refused for its key, a client stays refused; the next one may be let in.
                self.close()
            raise
        # Which of our requests it was is nobody else's concern.
        reply.pop("id", None)
        return reply


def said(command: str, properties: Mapping[str, Any]) -> str:
    """An order as an audit line has it: on one line, and without secrets."""
    words = [f"{key}={_shown(key, value)}" for key, value in properties.items()]
    return clean(" ".join([command, *words]))


def clean(text: str) -> str:
    """On one line, without control characters, and not longer than a line should be."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def _shown(key: str, value: Any) -> str:
    if is_secret(key, value):
        return MASK
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_shown(str(name), each)}" for name, each in value.items()) + "}"
    if key == "env" and isinstance(value, str):
        return MASK
    return repr(value) if isinstance(value, str) and " " in value else str(value)


def wrong(error: CircusError) -> dict[str, Any]:
    """An error as browsers and programs get it."""
    return {"reason": error.message, "hint": error.hint, "errno": error.errno, "code": error.code}
