"""A place for the stats endpoint, and whoever subscribes there."""

from __future__ import annotations

import json
import socket
import tempfile
from typing import TYPE_CHECKING, Any, Self

import pytest
import zmq

from circus_core.testing import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Subscriber:
    """A SUB socket with the topics of a test."""

    def __init__(self, endpoint: str, *topics: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.SUB)
        self.socket.linger = 0
        self.socket.connect(endpoint)
        for topic in topics:
            self.socket.subscribe(topic)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(0)

    def next(self, topic: str | None = None, patience: float = PATIENCE) -> tuple[str, dict[str, Any]]:
        """The next message, or the next of exactly this topic."""
        while self.socket.poll(int(patience * 1000)):
            found, body = self.socket.recv_multipart()
            if topic in (None, found.decode()):
                return found.decode(), json.loads(body)
        raise AssertionError(f"nothing comes of {topic or 'any topic'}")

    def message(self, topic: str) -> dict[str, Any]:
        """The next message of a topic."""
        return self.next(topic)[1]

    def until(self, topic: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message of a topic of which something is so."""
        while not condition(found := self.message(topic)):
            pass
        return found


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Where a circusd of a test publishes: a unix socket's path has to be short."""
    with tempfile.TemporaryDirectory(prefix="circus-") as folder:
        yield f"ipc://{folder}/stats.sock"


@pytest.fixture
def tcp_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
