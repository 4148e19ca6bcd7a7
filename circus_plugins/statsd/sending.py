"""The base of plugins that send numbers to a statsd server, without ever waiting for anyone.

It measures nothing. That a server is not there or loses what is sent is no failure of the plugin.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import frozen

from circus_core.kinds import INTEGER, NUMBER, TEXT, choice
from circus_core.options import option
from circus_core.plugin import CircusPlugin
from circus_plugins.statsd.clients import Datagrams, Stream
from circus_plugins.statsd.tagging import DATADOG, INFLUXDB, NONE, Tagging, bucket

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from circus_core.periodic import Periodic

LOCALHOST = "localhost"
AGAIN = 60.0
"""Seconds after which the server's name is looked up again, if it was not found."""
LOOKUP = 2.0
"""Seconds that a start waits for the server's name at most."""
UDP, TCP = "udp", "tcp"


@frozen(kw_only=True)
class StatsdOptions:
    """The options that all these plugins have (PROTOCOL.md 7)."""

    application_name: str = option(TEXT, "app", help="Part of every metric: `circus.NAME.watcher.`.")
    host: str = option(
        TEXT, LOCALHOST, help="The machine of the statsd server. With `host = core` it is that of `statsd_host`."
    )
    statsd_host: str = option(TEXT, "", help="As `host`, which cannot say it for a plugin inside circusd.")
    port: int = option(INTEGER, 8125, minimum=1, help="The port of the statsd server.")
    protocol: str = option(
        choice(UDP, TCP), UDP,
        help="How the server takes metrics. By `tcp` none is lost on the way; what it does not take is dropped.",
    )  # fmt: skip
    sample_rate: float = option(
        NUMBER, 1.0, minimum=0, help="The part of counts and times that is sent; the server multiplies by it."
    )
    tag_style: str = option(
        choice(NONE, DATADOG, INFLUXDB), NONE,
        help="Say what a metric is about, such as a watcher, by a tag, as DogStatsD (`datadog`) or Telegraf"
        " (`influxdb`) read it; `none`: in its name.",
    )  # fmt: skip
    tags: Mapping[str, str] = option(TEXT, prefix="tags.", help="A tag that every metric has, such as `tags.env`.")

    def contradictions(self) -> list[tuple[str, ...]]:
        """Called when they are read."""
        if self.tags and self.tag_style == NONE:
            key = f"tags.{next(iter(self.tags))}"
            return [(key, "is a tag, and metrics have none", f"write tag_style = {DATADOG} or {INFLUXDB}")]
        return [(f"tags.{name}", "is empty", "give it a value") for name, value in self.tags.items() if not value]


class Metrics:
    """The metrics of one plugin: `rate` is the part of counts and times that is sent, `tagging` how they are named.

    A name is `GROUP.PLAIN.NAME`, or, with tags, `GROUP.NAME` with a tag for each of the `facts` that is not empty.
    What a name must not have, such as the colon of `plugin:x`, is replaced.
    """

    def __init__(self, client: Any, rate: float = 1.0, tagging: Tagging | None = None) -> None:
        self._client = client
        self._rate = rate
        self.tagging = Tagging() if tagging is None else tagging

    def incr(self, name: str, *, group: str = "", plain: str = "", **facts: str) -> None:
        """Count something."""
        self._client.incr(self.tagging(name, group, plain, facts), rate=self._rate)

    def timing(self, name: str, milliseconds: float, *, group: str = "", plain: str = "", **facts: str) -> None:
        """Tell how long something took."""
        self._client.timing(self.tagging(name, group, plain, facts), milliseconds, rate=self._rate)

    def gauge(self, name: str, value: float, *, group: str = "", plain: str = "", **facts: str) -> None:
        """Tell the value of something as it is now. Never left out: there is nothing to make up for it."""
        self._client.gauge(self.tagging(name, group, plain, facts), value)

    @contextlib.contextmanager
    def together(self) -> Iterator[Metrics]:
        """Metrics that are sent when the block ends, several in a datagram, so that a server can take them all."""
        with self._client.pipeline() as pipeline:
            yield Metrics(pipeline, self._rate, self.tagging)

    def close(self) -> None:
        """Let go of the socket."""
        self._client.close()


class StatsdPlugin(CircusPlugin):
    """A plugin whose `metrics` go to a statsd server. A subclass that starts up or shuts down calls these too."""

    Options: ClassVar[type | None] = StatsdOptions
    metrics: Metrics | None = None
    _again: Periodic | None = None

    async def circus_startup(self) -> None:
        """Find the server."""
        await self._find()
        if self.metrics is None:
            self._again = self.every(AGAIN, self._find)

    async def circus_shutdown(self) -> None:
        """Close what is open."""
        if self.metrics is not None:
            self.metrics.close()

    def count(self, name: str, *, group: str = "", plain: str = "", **facts: str) -> None:
        """Count something, if the server was found; as `Metrics.incr`."""
        if self.metrics is not None:
            self.metrics.incr(name, group=group, plain=plain, **facts)

    async def _find(self) -> None:
        name = self.options.statsd_host or self.options.host
        try:
            async with asyncio.timeout(LOOKUP):
                address = await _address(name)
        except OSError as error:  # TimeoutError is one
            if self._again is None:
                self.log.warning(
                    "the statsd server %s is not found (%s): no metrics until it is, which is tried every %g s",
                    name, error.strerror or str(error) or f"no answer within {LOOKUP:g} s", AGAIN,
                )  # fmt: skip
            return
        if self._again is not None:
            self._again.cancel()
            self.log.info("the statsd server %s is found", name)
        prefix = f"circus.{bucket(self.options.application_name)}.watcher"
        tcp = self.options.protocol == TCP
        port = self.options.port
        client = Stream(address, port, prefix, self._told) if tcp else Datagrams(address, port, prefix)
        self.metrics = Metrics(client, self.options.sample_rate, Tagging(self.options.tag_style, self.options.tags))

    def _told(self, trouble: str) -> None:
        where = f"the statsd server {self.options.statsd_host or self.options.host}:{self.options.port}"
        if trouble:
            self.log.warning("%s takes no connection (%s): metrics are dropped until it does", where, trouble)
        else:
            self.log.info("%s takes metrics again", where)


async def _address(name: str) -> str:
    """The IP address of a machine; raises OSError. The name of this machine to itself needs no look-up."""
    if name == LOCALHOST:
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return str(found[0][4][0])
