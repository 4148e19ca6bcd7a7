"""The plugin `http_observer`: asks a web server for a page, measures how long that takes, and restarts its watcher.

What the page says is not looked at, only its status. Needs the extra `http`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from attrs import frozen

from circus_core import __version__
from circus_core.kinds import TEXT
from circus_core.options import Kind, option
from circus_plugins.extras import require
from circus_plugins.observing import Failure, Observer, ObserverOptions

if TYPE_CHECKING:
    import httpx

UNREACHED = 599
"""The code in metrics where there was no answer with a code of its own, as in Circus."""


def _url(value: object) -> str:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        right = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise ValueError("expected an address that begins with http:// or https://")
    return str(value)


URL: Kind[str] = Kind(
    "address", "an http:// or https:// address", "isn't such an address", _url, _url,
    schema={"type": "string", "format": "uri"},
)  # fmt: skip


class HttpObserver(Observer):
    """Watches over a web server."""

    name = "http_observer"
    prefix: ClassVar[str] = "http_stats"
    late: ClassVar[int | None] = UNREACHED

    @frozen(kw_only=True)
    class Options(ObserverOptions):
        """PROTOCOL.md 7."""

        application_name: str = option(TEXT, "http_observer", help="Part of every metric: `circus.NAME.watcher.`.")
        check_url: str = option(URL, "http://localhost/", help="The page that is asked for.")
        restart_on_error: str = option(TEXT, "", help="The watcher to restart; none if empty.")

    def __init__(self) -> None:
        require("httpx", "http", self.name)
        self._client: httpx.AsyncClient | None = None

    @property
    def cured(self) -> str:
        """As in Observer."""
        watcher: str = self.options.restart_on_error
        return watcher

    async def circus_startup(self) -> None:
        """Begin to ask."""
        import httpx

        # It would note each request in our log.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._client = httpx.AsyncClient(
            headers={"User-Agent": f"circus-bus/{__version__} http_observer"},
            follow_redirects=True,
            # The question is whether the server takes connections, and it is asked of the server itself.
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
            verify=ssl.create_default_context(),
            timeout=None,
        )
        await super().circus_startup()

    async def circus_shutdown(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()
        await super().circus_shutdown()

    async def observe(self) -> None:
        """Ask for the page, and read all of it."""
        import httpx

        assert self._client is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with self._client.stream("GET", self.options.check_url) as response:
                async for _part in response.aiter_raw():
                    pass
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = f"{self.options.check_url} failed: {str(error) or type(error).__name__}"
            raise Failure(reason, code=UNREACHED) from error
        if response.is_error:
            reason = f"{self.options.check_url} answered {response.status_code} {response.reason_phrase}".rstrip()
            raise Failure(reason, code=response.status_code)
        if self.metrics is not None:
            self.metrics.timing("request_time", (loop.time() - began) * 1000, group=self.prefix, watcher=self.cured)
