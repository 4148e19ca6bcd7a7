"""The plugin `redis_observer`: sends what a Redis server says of itself to statsd, and restarts it when it is silent.

It reads no data of anybody. Needs the extra `redis`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from attrs import frozen

from circus_core.kinds import NUMBER, TEXT
from circus_core.options import Kind, option
from circus_plugins.extras import require
from circus_plugins.observing import Failure, Observer, ObserverOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS: Mapping[str, tuple[str, ...]] = {
    field: (field, *others)
    for field, *others in (
        ("pubsub_channels",),
        ("connected_slaves",),
        ("lru_clock",),
        ("connected_clients",),
        ("keyspace_misses",),
        ("used_memory",),
        ("used_memory_peak",),
        ("total_commands_processed",),
        ("used_memory_rss",),
        ("total_connections_received",),
        ("pubsub_patterns",),
        ("used_cpu_sys",),
        ("used_cpu_sys_children",),
        ("blocked_clients",),
        ("used_cpu_user",),
        ("client_biggest_input_buf", "client_recent_max_input_buffer"),
        ("mem_fragmentation_ratio",),
        ("expired_keys",),
        ("evicted_keys",),
        ("client_longest_output_list", "client_recent_max_output_buffer"),
        ("uptime_in_seconds",),
        ("keyspace_hits",),
    )
}
"""The gauges (PROTOCOL.md 7), and the names of each in Redis' INFO: the later ones are of Redis 5 and after."""


def _url(value: object) -> str:
    if not isinstance(value, str) or urlsplit(value).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("expected an address such as redis://localhost:6379/0 or unix:///run/redis.sock")
    return value


URL: Kind[str] = Kind(
    "address", "a redis://, rediss:// or unix:// address", "isn't such an address", _url, _url,
    schema={"type": "string", "format": "uri"},
)  # fmt: skip


class RedisObserver(Observer):
    """Watches over a Redis server."""

    name = "redis_observer"
    prefix: ClassVar[str] = "redis_stats"

    @frozen(kw_only=True)
    class Options(ObserverOptions):
        """PROTOCOL.md 7."""

        application_name: str = option(TEXT, "redis_observer", help="Part of every metric: `circus.NAME.watcher.`.")
        redis_url: str = option(URL, "redis://localhost:6379/0", help="The server; user and password may be in it.")
        timeout: float = option(NUMBER, 5, unit="seconds", minimum=0.01, help="How long the answer may take, in all.")
        restart_on_timeout: str = option(
            TEXT, "", help="The watcher to restart if the server is not reached or silent; none if empty."
        )

    def __init__(self) -> None:
        require("redis", "redis", self.name)

    @property
    def cured(self) -> str:
        """As in Observer."""
        watcher: str = self.options.restart_on_timeout
        return watcher

    async def circus_startup(self) -> None:
        """Begin to ask."""
        # It takes its time, and now is better than when a turn has come.
        import redis.asyncio  # noqa: F401

        await super().circus_startup()

    async def observe(self) -> None:
        """Ask for INFO, by a connection of its own."""
        from redis import exceptions
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        try:
            client = Redis.from_url(self.options.redis_url, retry=Retry(NoBackoff(), 0))
            try:
                info = await client.info()
            finally:
                # Cancelled by a shutdown just then, it would leave its connection open.
                await asyncio.shield(client.aclose())
        except (exceptions.AuthenticationError, exceptions.BusyLoadingError) as error:
            # They are kinds of ConnectionError, but the server is there, and a restart would not help it.
            raise Failure(f"Redis refused: {error}", curable=False) from error
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            raise Failure(f"Redis was not reached: {error}") from error
        except exceptions.RedisError as error:
            raise Failure(f"Redis refused: {error}", curable=False) from error
        self._tell(info)

    def _tell(self, info: Mapping[str, Any]) -> None:
        if self.metrics is None:
            return
        for field, names in FIELDS.items():
            value = next((info[name] for name in names if name in info), None)
            if isinstance(value, int | float):
                self.metrics.gauge(field, value, group=self.prefix, watcher=self.cured)
