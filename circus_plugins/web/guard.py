"""Stands before everything that is served: by which name, from which page, how much; and what browsers may do with it.

It knows nobody: who somebody is, is asked behind it. A page of somebody else's gets no further than this (DNS
rebinding, requests across sites).
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from circus_plugins.web.answers import refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    Message = MutableMapping[str, Any]
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
LARGEST_BODY = 1_000_000
READING = frozenset({"GET", "HEAD", "OPTIONS"})
PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
OURS = (b"x-requested-with", b"circus")
"""The header by which a program says that no page of somebody else's made it ask: a page cannot send it."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " font-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """ASGI middleware. `hosts` are names that it is reached by besides this machine's own; with `wide` every number
    of an address counts too, as no name server could have said it."""

    def __init__(self, app: App, hosts: Iterable[str], *, wide: bool) -> None:
        self._app = app
        self._hosts = {host.lower().strip("[]") for host in (*LOOPBACK, *hosts) if host}
        self._wide = wide

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            return
        send = self._with_headers(scope, send)
        status, reason, hint = self._objection(scope)
        if status:
            await refusal(scope, receive, send, status, reason, hint)
            return
        await self._app(scope, _limited(scope, receive), send)

    def _objection(self, scope: Scope) -> tuple[int, str, str]:
        """The status to refuse it by, why, and what to do; 0 if there is nothing against it."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        given = {name: [value for key, value in headers if key == name] for name in (b"host", b"origin")}
        if len(given[b"host"]) != 1 or len(given[b"origin"]) > 1:
            return 400, "a request has one Host, and one Origin at most", ""
        host = given[b"host"][0].decode("latin-1")
        name, port = _parts(host, str(scope["scheme"]))
        if not self._known(name):
            return (
                403, f"this console is not {host[:200]!r}",
                "if it is reached by this name, add it to allowed_hosts of its section",
            )  # fmt: skip
        if given[b"origin"]:
            origin = given[b"origin"][0].decode("latin-1")
            if not _same(origin, name, port, str(scope["scheme"])):
                return 403, f"a page of {origin[:200]!r} may not ask this console for anything", ""
        elif scope["type"] == "http" and scope["method"] not in READING and not _by_program(headers):
            return (
                403, "it cannot be told which page this comes from",
                "a program sends `X-Requested-With: circus`, or a token",
            )  # fmt: skip
        length = next((value for key, value in headers if key == b"content-length"), b"0")
        if length.isdigit() and int(length) > LARGEST_BODY:
            return 413, f"it has more than {LARGEST_BODY} bytes", ""
        return 0, "", ""

    def _known(self, name: str) -> bool:
        if name in self._hosts:
            return True
        with suppress(ValueError):
            return self._wide and bool(ipaddress.ip_address(name))
        return False

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def told(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                known = {name.lower() for name, _value in message.get("headers", ())}
                more = {**HEADERS, "date": formatdate(usegmt=True), "cache-control": "no-store"}
                if scope["scheme"] == "https":
                    more["strict-transport-security"] = "max-age=31536000"
                added = [(key.encode(), value.encode()) for key, value in more.items() if key.encode() not in known]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        return told


def _parts(host: str, scheme: str) -> tuple[str, int | None]:
    """The name in lower case and the port of a Host; the name is empty where it makes no sense."""
    try:
        found = urlsplit(f"//{host}")
        name, port = (found.hostname or "").rstrip("."), found.port
    except ValueError:
        return "", None
    if found.path or found.query or found.fragment or found.username is not None:
        return "", None
    return name, port if port is not None else PORTS.get(scheme)


def _same(origin: str, name: str, port: int | None, scheme: str) -> bool:
    """Whether a page is of this console. Where a proxy does TLS, it is https there and http here."""
    try:
        found = urlsplit(origin)
        theirs = found.port
    except ValueError:
        return False
    if found.scheme not in ("http", "https") or (found.scheme == "http" and scheme in ("https", "wss")):
        return False
    if theirs is None:
        # Without a port there, the proxy's Host has none either, or that of TLS.
        theirs = PORTS[found.scheme]
        port = theirs if port in (80, 443) else port
    return (found.hostname or "") == name and theirs == port


def _by_program(headers: list[tuple[bytes, bytes]]) -> bool:
    return any((key, value.lower()) == OURS for key, value in headers) or any(
        key == b"authorization" and value[:7].lower() == b"bearer " for key, value in headers
    )


def _limited(scope: Scope, receive: Receive) -> Receive:
    """What comes in, up to the largest body; what is more ends the request."""
    if scope["type"] != "http":
        return receive
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LARGEST_BODY:
            return {"type": "http.disconnect"}
        return message

    return limited
