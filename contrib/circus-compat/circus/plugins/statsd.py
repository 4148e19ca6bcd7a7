"""The classes of `circus.plugins.statsd` that others build on: a client of statsd, and an observer."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from tornado.ioloop import PeriodicCallback

from circus.plugins.base import CircusPlugin

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BaseObserver", "StatsdClient", "StatsdEmitter"]


class StatsdClient:
    """Sends numbers to a statsd by UDP; nobody answers, so what cannot be sent is lost."""

    def __init__(
        self, host: str | None = None, port: int | None = None, prefix: str | None = None, sample_rate: float = 1
    ) -> None:
        self.host = host or "localhost"
        self.port = port or 8125
        self.prefix = prefix
        self.sample_rate = sample_rate
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)

    def send(self, bucket: str, value: str, sample_rate: float | None = None) -> None:
        """Send one value, which ends in its kind, such as `1|c`."""
        rate = sample_rate or self.sample_rate
        name = f"{self.prefix}.{bucket}" if self.prefix else bucket
        text = f"{name}:{value}" + (f"|@{rate}" if rate != 1 else "")
        self.socket.sendto(text.encode(), (self.host, self.port))

    def increment(self, bucket: str, delta: float = 1) -> None:
        """Count."""
        self.send(bucket, f"{delta}|c")

    def decrement(self, bucket: str, delta: float = 1) -> None:
        """Count down."""
        self.increment(bucket, -delta)

    def gauge(self, bucket: str, value: float) -> None:
        """Say how much there is."""
        self.send(bucket, f"{value}|g")

    def timed(self, bucket: str, value: float) -> None:
        """Say how many milliseconds something took."""
        self.send(bucket, f"{value}|ms")

    def stop(self) -> None:
        """Close the socket."""
        self.socket.close()


class StatsdEmitter(CircusPlugin):
    """Counts every event of every watcher. Options: application_name, host, port, sample_rate."""

    name = "statsd"
    default_app_name = "app"

    def __init__(
        self, endpoint: str, pubsub_endpoint: str, check_delay: float, ssh_server: str | None = None, **config: Any
    ) -> None:
        super().__init__(endpoint, pubsub_endpoint, check_delay, ssh_server, **config)
        self.app = config.get("application_name", self.default_app_name)
        self.prefix = f"circus.{self.app}.watcher"
        self.statsd = StatsdClient(
            host=config.get("host", "localhost"),
            port=int(config.get("port", 8125)),
            prefix=self.prefix,
            sample_rate=float(config.get("sample_rate", 1)),
        )

    def handle_recv(self, data: Sequence[bytes]) -> Any:
        """Count it."""
        watcher, action, _payload = self.split_data(data)
        self.statsd.increment(f"{watcher}.{action}")

    def stop(self) -> None:
        """Stop sending."""
        self.statsd.stop()
        super().stop()


class BaseObserver(StatsdEmitter):
    """Looks around every `loop_rate` seconds: subclass it, and write `look_after`."""

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.loop_rate = float(config.get("loop_rate", 60))

    def handle_init(self) -> None:
        """Begin."""
        self.period = PeriodicCallback(self.look_after, self.loop_rate * 1000)
        self.period.start()

    def handle_stop(self) -> None:
        """End."""
        self.period.stop()
        self.statsd.stop()

    def handle_recv(self, data: Sequence[bytes]) -> Any:
        """Events are of no interest."""

    def look_after(self) -> Any:
        """Called again and again."""
        raise NotImplementedError
