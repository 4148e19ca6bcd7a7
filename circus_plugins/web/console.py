"""The plugin `web`: a web console for circusd, in a process of its own. Needs the extra `web`.

This module is imported by circusd, to check the options; what serves pages is imported once it starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from circus_core.errors import PluginError
from circus_core.kinds import BOOLEAN, INTEGER, NUMBER, TEXT
from circus_core.options import option
from circus_core.paths import PATH
from circus_core.plugin import CircusPlugin
from circus_plugins.extras import require
from circus_plugins.web import HOST, PORT
from circus_plugins.web.access.people import BEARER, USER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_plugins.web.running import Running

NEEDED = ("starlette", "uvicorn", "socketio", "wsproto", "argon2", "itsdangerous")


@frozen
class WebOptions:
    """Where it listens, who may come in, and how."""

    host: str = option(TEXT, HOST, help="The name or address to listen at; what `httpd_host` says if unset.")
    port: int = option(
        INTEGER, PORT, minimum=0, maximum=65_535, help="The port; 0 is any. What `httpd_port` says if unset."
    )
    fd: int | None = option(
        INTEGER, None, minimum=0,
        help="A socket to listen at that it inherits under this number. One that circusd hands over by"
        " `socket_activation` is found without it.",
    )  # fmt: skip
    interval: float = option(NUMBER, 1.0, minimum=0.1, unit="s", help="How often browsers are told what processes use.")
    users: Mapping[str, str] = option(
        USER, prefix="users.",
        help="A user who may log in: a role (view, operate, admin), a blank, and the hash of a password as"
        " `circushttpd --hash-password` makes it. Without any, people come in by the link in the log.",
    )  # fmt: skip
    tokens: Mapping[str, str] = option(
        BEARER, prefix="tokens.",
        help="A program that may use the REST API: a role, a blank, and the hash of its token as"
        " `circushttpd --new-token` makes it.",
    )  # fmt: skip
    session_time: float = option(NUMBER, 43_200.0, minimum=60, unit="s", help="How long somebody stays logged in.")
    read_only: bool = option(BOOLEAN, False, help="Nobody may change anything by it: every role counts as view.")
    allowed_hosts: str = option(
        TEXT, "",
        help="Further names, parted by blanks, under which browsers reach it, such as that of a proxy. Others are"
        " refused, so that no page of somebody else's gets in by a name of its own (DNS rebinding).",
    )  # fmt: skip
    root_path: str = option(TEXT, "", help="The path that it has at a proxy, such as /circus.")
    trusted_proxies: str = option(
        TEXT, "",
        help="Addresses or networks, parted by blanks, whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    )  # fmt: skip
    certificate: str | None = option(PATH, None, help="A file with a TLS certificate, and those it depends on; PEM.")
    certificate_key: str | None = option(PATH, None, help="Its private key, if that is in another file.")
    unencrypted: bool = option(
        BOOLEAN, False,
        help="Serve other machines without TLS. Passwords and all that is shown can then be read on the way.",
    )  # fmt: skip


class Web(CircusPlugin):
    """Serves a web console that shows circusd live, and orders it about for those who may."""

    name = "web"
    watcher = "circushttpd"
    awaited = False
    Options: ClassVar[type | None] = WebOptions

    def __init__(self) -> None:
        for module in NEEDED:
            require(module, "web", self.name)
        self._served: Running | None = None

    async def circus_startup(self) -> None:
        """Open the socket, and serve."""
        from circus_plugins.web.running import Running

        client: Any = self.client
        if not hasattr(client, "endpoint"):
            raise PluginError(
                f"the plugin {self.name} serves pages only in a process of its own", hint="leave out `host = core`"
            )
        self._served = Running(self)
        try:
            await self._served.open()
        except OSError as error:
            raise PluginError(f"the web console cannot be opened: {error}") from error

    async def circus_shutdown(self) -> None:
        """Close it in good order."""
        if self._served is not None:
            await self._served.close()
