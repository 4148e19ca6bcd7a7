"""Endpoints on TCP ports that move with the configuration: libzmq lets go of a port later than it says."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from circus_core.events import SupervisorReloaded
from circus_plugins.client import AsyncClient
from circus_plugins.doors import keys
from tests.plugins.standin import StandIn, opened, plugin, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest


def free_port() -> int:
    """A port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@asynccontextmanager
async def at(port: int, **extra: object) -> AsyncIterator[StandIn]:
    async with opened(publisher=True, endpoint=f"tcp://127.0.0.1:{port}", **extra) as supervisor:
        yield supervisor


async def move(supervisor: StandIn, **options: object) -> None:
    """Reload with these options, and wait until the control endpoint followed."""
    supervisor.configure(**options)
    entrance = plugin(supervisor, "control")._entrance
    supervisor.bus.publish(SupervisorReloaded())
    await until(lambda: entrance._opened.endpoint == options["endpoint"])


async def answers(endpoint: str) -> bool:
    async with AsyncClient(endpoint) as client:
        return bool((await client.call("status"))["status"] == "ok")


def test_an_endpoint_moves_away_and_back_again() -> None:
    async def main() -> None:
        here, there = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
        async with at(int(here.rpartition(":")[2])) as supervisor:
            for endpoint in (there, here, there, here):
                await move(supervisor, endpoint=endpoint)
            assert await answers(here)

    asyncio.run(main())


def test_a_port_of_the_other_endpoint_is_not_taken_from_it(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        port = free_port()
        async with at(port, pubsub_endpoint="tcp://127.0.0.1:*") as supervisor:
            events = plugin(supervisor, "publisher")._outlet.door.text
            supervisor.configure(endpoint=events, pubsub_endpoint=events)
            supervisor.bus.publish(SupervisorReloaded())
            await until(lambda: "still at" in caplog.text)
            assert await answers(f"tcp://127.0.0.1:{port}")
            assert plugin(supervisor, "publisher")._outlet.door.text == events

    asyncio.run(main())
    assert "cannot be opened: Address already in use by pid" in caplog.text


def test_a_port_that_was_let_go_in_vain_is_taken_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = str(tmp_path / "keys")
    keys.new(folder, "ann", "view")

    async def main() -> None:
        port = free_port()
        with socket.create_server(("127.0.0.2", port)):
            async with at(port) as supervisor:
                supervisor.configure(endpoint=f"tcp://0.0.0.0:{port}", keys_dir=folder)
                supervisor.bus.publish(SupervisorReloaded())
                await until(lambda: "still at" in caplog.text)
                assert await answers(f"tcp://127.0.0.1:{port}")

    asyncio.run(main())
    assert f"endpoint = tcp://0.0.0.0:{port_of(caplog.text)} cannot be opened" in caplog.text


def port_of(text: str) -> str:
    """The port in the complaint."""
    return text.partition("tcp://0.0.0.0:")[2].partition(" ")[0]
