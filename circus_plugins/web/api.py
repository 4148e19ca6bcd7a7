"""The REST API, version 1: each of circusd's commands at an address of its own, by `orders`. It keeps nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from circus_core import __version__
from circus_core.errors import (
    CircusError,
    ForbiddenError,
    RequestError,
    UnknownCommandError,
    UnknownWatcherError,
)
from circus_plugins.client.wire import NoAnswerError
from circus_plugins.web import openapi
from circus_plugins.web.access.entry import LoginError, TooManyError
from circus_plugins.web.answers import Answer, error
from circus_plugins.web.orders import wrong

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from circus_plugins.web.access.people import Person
    from circus_plugins.web.orders import Orders

    Handler = Callable[[Request, Person], Awaitable[Response]]

PATH = "/api/v1"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
"""Those that a command is asked by, and those that it answers are not for it."""
STATUSES: tuple[tuple[type[CircusError], int], ...] = (
    (UnknownWatcherError, 404),
    (UnknownCommandError, 404),
    (ForbiddenError, 403),
    (LoginError, 401),
    (TooManyError, 429),
    (NoAnswerError, 502),
    (RequestError, 400),
)
"""The status of each error; of all others it is 409."""


class Api:
    """`person` says who asks, None if nobody knows; `address` is where a request came from."""

    def __init__(
        self,
        orders: Orders,
        person: Callable[[Request], Person | None],
        address: Callable[[Request], str],
        root: str,
    ) -> None:
        self._orders = orders
        self._person = person
        self._address = address
        self._root = root

    @property
    def routes(self) -> list[Route]:
        """Where all of it is."""
        known = self._known
        return [
            Route(f"{PATH}/me", known(self._me)),
            Route(f"{PATH}/commands", known(self._commands)),
            Route(f"{PATH}/schema", known(self._schema)),
            Route(f"{PATH}/openapi.json", known(self._document)),
            Route(f"{PATH}/commands/{{name}}", known(self._command), methods=METHODS),
            Route(f"{PATH}/{{rest:path}}", known(self._nothing)),
        ]

    def _known(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handled(request: Request) -> Response:
            person = self._person(request)
            if person is None:
                headers = {"www-authenticate": 'Bearer realm="circusd"'}
                return error(
                    401, "nobody is logged in", "log in, or send a token: Authorization: Bearer TOKEN", headers
                )
            try:
                return await handler(request, person)
            except CircusError as refused:
                return refused_answer(refused)

        return handled

    async def _me(self, _request: Request, person: Person) -> Response:
        return Answer({"status": "ok", "user": person.name, "role": person.role.name.lower(), "way": person.way})

    async def _commands(self, request: Request, person: Person) -> Response:
        return Answer(await self._orders.give(person, self._address(request), "commands", {}))

    async def _schema(self, request: Request, person: Person) -> Response:
        return Answer(await self._orders.give(person, self._address(request), "schema", {}))

    async def _document(self, request: Request, person: Person) -> Response:
        told = await self._orders.give(person, self._address(request), "commands", {})
        return Answer(openapi.document(told["commands"], __version__, f"{self._root}{PATH}"))

    async def _command(self, request: Request, person: Person) -> Response:
        name = request.path_params["name"]
        entry = (await self._orders.table()).get(name.lower())
        looks = entry is None or entry["role"] == "view"
        if request.method == "POST":
            properties = _object(await request.body())
        elif request.method not in ("GET", "HEAD") or not looks:
            words = "this address has no such method" if looks else f"{name} changes something, so it takes a POST"
            return error(405, words, "", {"allow": "GET, HEAD, POST" if looks else "POST"})
        else:
            kinds = {argument["name"]: argument["kind"] for argument in entry["arguments"]} if entry else {}
            query = request.query_params
            properties = {key: _written(kinds.get(key, ""), query.getlist(key)) for key in query}
        return Answer(await self._orders.give(person, self._address(request), name, properties))

    async def _nothing(self, _request: Request, _person: Person) -> Response:
        return error(404, "there is nothing at this address", f"{self._root}{PATH}/openapi.json says what there is")


def refused_answer(refused: CircusError) -> Answer:
    """An error as an answer, with its status."""
    status = next((number for kind, number in STATUSES if isinstance(refused, kind)), 409)
    wait = {"retry-after": f"{max(1, round(refused.wait))}"} if isinstance(refused, TooManyError) else None
    told = wrong(refused)
    return error(status, told.pop("reason"), told.pop("hint"), wait, **told)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RequestError("the body is not a JSON object", hint='its members are the arguments: {"name": "web"}')
    return found


def _written(kind: str, texts: list[str]) -> Any:
    """The value of an argument as it stands in an address; circusd reads texts itself."""
    if kind == "list":
        return texts
    if kind in ("object", "any"):
        try:
            return json.loads(texts[-1])
        except (ValueError, RecursionError):
            return texts[-1]
    return texts[-1]
