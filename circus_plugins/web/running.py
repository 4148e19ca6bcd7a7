"""A web console from its options to an open socket and back: it puts the parts together, and does no work of theirs."""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from circus_core.errors import OptionError
from circus_plugins.client import AsyncClient
from circus_plugins.doors import address
from circus_plugins.picture import Live
from circus_plugins.web import listening
from circus_plugins.web.access import sessions
from circus_plugins.web.access.entry import Entry
from circus_plugins.web.access.links import Links
from circus_plugins.web.access.users import Tokens, Users
from circus_plugins.web.app import Below, Fork, Site
from circus_plugins.web.doorway import PEER
from circus_plugins.web.guard import Guard
from circus_plugins.web.orders import Orders
from circus_plugins.web.push import Push
from circus_plugins.web.serving import Serving

if TYPE_CHECKING:
    from circus_plugins.web.console import Web, WebOptions
    from circus_plugins.web.guard import App, Receive, Scope, Send

ENDED = "ended sessions"
AUDIT = logging.getLogger("circus.audit")


class Running:
    """The console of a plugin that has its options and its client."""

    def __init__(self, plugin: Web) -> None:
        self._plugin = plugin
        self._log = plugin.log
        self._links: Links | None = None
        self._orders: Orders | None = None
        self._push: Push | None = None
        self._serving: Serving | None = None

    async def open(self) -> None:
        """Serve from now on; raises CircusError or OSError for what cannot be."""
        plugin, options = self._plugin, self._plugin.options
        root = _root(options.root_path)
        sockets = listening.opened(options)
        port = listening.port(sockets)
        where = _address(options, sockets, port)
        users = Users(options.users)
        self._links = None if users else Links(f"{where}{root}", port)
        ended = sessions.Sessions(
            sessions.secret(), options.session_time, plugin.recall(ENDED) or {}, partial(plugin.remember, ENDED)
        )
        entry = Entry(users, Tokens(options.tokens), ended, self._links, AUDIT, read_only=options.read_only)
        client: Any = plugin.client
        given = {"endpoint": client.endpoint or None, "key": client.key, "ssh": client.ssh_server}
        orders = self._orders = Orders(partial(AsyncClient, **given), AUDIT)
        live = partial(_live, given, options.interval)
        push = self._push = Push(
            orders, live, self._hang_up, self._log,
            host=socket.gethostname(), interval=options.interval, local=_is_local(client), read_only=options.read_only,
        )  # fmt: skip
        site = Site(entry, orders, root, port, push.log_out)
        inner: App = Fork("/socket.io", push.app("/socket.io", site.person), site.app)
        wide = not all(_is_loopback(each) for each in sockets)
        guarded: App = Below(Guard(inner, [options.host, *options.allowed_hosts.split()], wide=wide), root)
        if options.trusted_proxies:
            believing: Any = ProxyHeadersMiddleware
            guarded = believing(guarded, trusted_hosts=options.trusted_proxies.split())
        self._serving = Serving(_with_peer(guarded), sockets, options)
        await self._serving.open()
        self._tell(f"{where}{root}/", users)

    def _tell(self, where: str, users: Users) -> None:
        self._log.info("web console at %s", where)
        if self._links is not None:
            self._log.info("to log in, open %s (it counts once; `circushttpd --link` shows the next)", self._links.link)
        if self._plugin.options.unencrypted:
            self._log.warning("other machines are served without TLS: passwords can be read on the way")

    async def close(self) -> None:
        """Serve no more."""
        if self._push is not None:
            await self._push.close()
        if self._orders is not None:
            self._orders.close()
        if self._serving is not None:
            await self._serving.close()
        if self._links is not None:
            self._links.close()

    def _hang_up(self, peer: tuple[str, int] | None) -> None:
        if self._serving is not None:
            self._serving.abort(peer)


def _live(given: dict[str, Any], interval: float, picture: Any, changed: Any, told: Any) -> Live:
    return Live(picture, changed, interval=interval, told=told, **given)


def _with_peer(app: App) -> App:
    """Note who is really connected, before a proxy's word for it is believed."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        scope[PEER] = scope.get("client")
        await app(scope, receive, send)

    return noted


def _root(written: str) -> str:
    root = written.rstrip("/")
    if root and (not root.startswith("/") or not root.isprintable() or any(sign in root for sign in " ?#;\"'")):
        raise OptionError(f"root_path = {written} is no path", hint="expected such as /circus")
    return root


def _address(options: WebOptions, sockets: list[socket.socket], port: int) -> str:
    """Where the console is, for a browser on this machine."""
    scheme = "https" if options.certificate else "http"
    host = options.host
    if options.fd is not None or host in ("", "*", "0.0.0.0", "::"):
        host = "localhost"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def _is_loopback(listener: socket.socket) -> bool:
    name = listener.getsockname()
    return not isinstance(name, tuple) or listening.is_loopback(str(name[0]))


def _is_local(client: Any) -> bool:
    """Whether circusd is on this machine."""
    if client.ssh_server:
        return False
    endpoint = client.endpoint or address.default_endpoint()
    return endpoint.startswith("ipc://") or not address.parse(endpoint, "endpoint").wide
