"""Endpoints that move with the configuration: libzmq lets go of an address later than it says."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import EndpointError
from circus_plugins.client import AsyncClient
from circus_plugins.doors import keys
from tests.plugins.standin import StandIn, opened, plugin, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


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
    """Reload with these options, and wait until the former control endpoint is closed."""
    former = plugin(supervisor, "control")._entrance.served
    await supervisor.reload(**options)
    await until(lambda: former.door.socket.closed)


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


def test_a_path_that_was_left_has_neither_socket_nor_lock_and_is_for_others(tmp_path: Path) -> None:
    here, there = (tmp_path / name for name in ("here", "there"))

    async def main() -> None:
        async with opened(endpoint=f"ipc://{here}", publisher=True) as supervisor:
            await move(supervisor, endpoint=f"ipc://{there}")
            await until(lambda: {file.name for file in tmp_path.iterdir()} == {"there", "there.lock"})
            async with opened(endpoint=f"ipc://{here}"):
                assert await answers(f"ipc://{here}")
                with pytest.raises(EndpointError, match="here is in use by pid"):
                    await supervisor.reload(endpoint=f"ipc://{here}")
            assert await answers(f"ipc://{there}")

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_opened_anew_stays_locked(tmp_path: Path) -> None:
    here, there = (f"ipc://{tmp_path}/{name}" for name in ("here", "there"))

    async def main() -> None:
        async with opened(endpoint=here) as supervisor:
            for number in range(10):
                await move(supervisor, endpoint=here, endpoint_owner=str(os.geteuid()) if number % 2 == 0 else None)
            for endpoint in (there, here, there, here):
                await supervisor.reload(endpoint=endpoint)
                with pytest.raises(EndpointError, match="is in use by pid"):
                    async with opened(endpoint=endpoint):
                        pass
            await until(lambda: {file.name for file in tmp_path.iterdir()} == {"here", "here.lock"})
            assert await answers(here)

    asyncio.run(main())


def test_a_port_of_the_other_endpoint_is_not_taken_from_it() -> None:
    async def main() -> None:
        port = free_port()
        async with at(port, pubsub_endpoint="tcp://127.0.0.1:*") as supervisor:
            events = plugin(supervisor, "publisher")._outlet.door.text
            with pytest.raises(EndpointError, match="cannot be opened: Address already in use by pid"):
                await supervisor.reload(endpoint=events, pubsub_endpoint=events)
            assert await answers(f"tcp://127.0.0.1:{port}")
            assert plugin(supervisor, "publisher")._outlet.door.text == events

    asyncio.run(main())


def test_a_port_that_was_let_go_in_vain_is_taken_again(tmp_path: Path) -> None:
    folder = str(tmp_path / "keys")
    keys.new(folder, "ann", "view")

    async def main() -> None:
        port = free_port()
        with socket.create_server(("127.0.0.2", port)):
            async with at(port) as supervisor:
                with pytest.raises(
                    EndpointError, match=rf"endpoint = tcp://0\.0\.0\.0:{port} cannot be opened"
                ) as caught:
                    await supervisor.reload(endpoint=f"tcp://0.0.0.0:{port}", keys_dir=folder)
                assert f"tcp://127.0.0.1:{port} stays open" in caught.value.hint
                assert await answers(f"tcp://127.0.0.1:{port}")

    asyncio.run(main())
