"""The ASGI application: which address leads where, and how people log in and out there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from circus_core.errors import CircusError
from circus_plugins.web import pages
from circus_plugins.web.access.entry import LoginError
from circus_plugins.web.answers import Answer, error
from circus_plugins.web.api import Api, refused_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import HTTPConnection, Request

    from circus_plugins.web.access.entry import Entry
    from circus_plugins.web.access.people import Person
    from circus_plugins.web.guard import App, Receive, Scope, Send
    from circus_plugins.web.orders import Orders

COOKIE = "circus_console"
FORM = "application/x-www-form-urlencoded"


class Site:
    """Everything but socket.io. `root` is the path that it has at a proxy, without a slash at its end.

    `left` is called with the number of a session that was ended.
    """

    def __init__(self, entry: Entry, orders: Orders, root: str, port: int, left: Callable[[str], object]) -> None:
        self._entry = entry
        self._left = left
        self._root = root
        # Consoles at several ports of a host share its cookies.
        self._cookie = f"{COOKIE}_{port}"
        self._pages = pages.read()
        api = Api(orders, self.person, self.address, root)
        self.app = Starlette(
            routes=[
                *api.routes,
                Route("/login", self._login_page),
                Route("/login", self._login, methods=["POST"]),
                Route("/logout", self._logout, methods=["POST"]),
                Route("/{path:path}", self._page),
            ],
            exception_handlers={404: _missing, 405: _missing},
        )

    def person(self, request: HTTPConnection) -> Person | None:
        """Who asks: by a token, or by a session."""
        kind, _blank, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._entry.bearer(token.strip())
        return self._entry.person(request.cookies.get(self._cookie))

    @staticmethod
    def address(request: HTTPConnection) -> str:
        """Where a request came from."""
        return request.client.host if request.client is not None else "this machine"

    async def _page(self, request: Request) -> Response:
        path = request.path_params["path"] or "index.html"
        found = self._pages.get(path)
        if found is None and path == "index.html":
            if self.person(request) is None:
                return RedirectResponse(f"{self._root}/login", 303)
            found = pages.unbuilt()
        return found.answer(request) if found is not None else error(404, "there is nothing at this address")

    async def _login_page(self, request: Request) -> Response:
        found = self._pages.get("index.html")
        if found is None:
            found = pages.login(link=request.query_params.get("link"), by_link=self._entry.by_link)
        return found.answer(request)

    async def _login(self, request: Request) -> Response:
        written = request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM
        try:
            person, cookie = self._enter(_given(await request.body(), form=written), self.address(request))
        except CircusError as refused:
            answer: Response = refused_answer(refused)
            if written:
                page = pages.login(link=None, by_link=self._entry.by_link, wrong=refused.message).answer(request)
                page.status_code = answer.status_code
                return page
            return answer
        if written:
            answer = RedirectResponse(f"{self._root}/", 303)
        else:
            answer = Answer({"status": "ok", "user": person.name, "role": person.role.name.lower()})
        self._set(request, answer, cookie, int(self._entry.lifetime))
        return answer

    def _enter(self, given: dict[str, Any], address: str) -> tuple[Person, str]:
        user, password, link = (given.get(key) for key in ("user", "password", "link"))
        if isinstance(link, str):
            return self._entry.login_by_link(link, address)
        if isinstance(user, str) and isinstance(password, str):
            return self._entry.login(user, password, address)
        raise LoginError("neither user and password nor a link", hint='{"user": ..., "password": ...} or {"link": ...}')

    async def _logout(self, request: Request) -> Response:
        person = self.person(request)
        if person is not None and person.session:
            self._entry.logout(person, self.address(request))
            self._left(person.session)
        answer = Answer({"status": "ok"})
        self._set(request, answer, "", 0)
        return answer

    def _set(self, request: Request, answer: Response, cookie: str, seconds: int) -> None:
        answer.set_cookie(
            self._cookie, cookie, max_age=seconds, path=f"{self._root}/", httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip


class Below:
    """ASGI middleware: an application below a path, whether or not the proxy before it has taken that away."""

    def __init__(self, app: App, root: str) -> None:
        self._app = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on by the path that the application knows."""
        path = scope["path"]
        if self._root and (path == self._root or path.startswith(f"{self._root}/")):
            scope = {**scope, "path": path[len(self._root) :] or "/"}
        await self._app(scope, receive, send)


class Fork:
    """ASGI: what begins with a path goes to one application, and all else to another."""

    def __init__(self, path: str, there: App, else_: App) -> None:
        self._path = path
        self._there = there
        self._else = else_

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on."""
        chosen = self._there if scope["path"].startswith(self._path) else self._else
        await chosen(scope, receive, send)


def _given(body: bytes, *, form: bool) -> dict[str, Any]:
    if form:
        return {key: values[-1] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


async def _missing(_request: Request, missing: Any) -> Response:
    told = {404: "there is nothing at this address", 405: "this address has no such method"}
    return error(missing.status_code, told[missing.status_code], "", getattr(missing, "headers", None))
