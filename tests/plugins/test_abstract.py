"""Abstract sockets, `ipc://@NAME`: no file says who may use them, so the kernel is asked who connects."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import EndpointError
from circus_plugins.client import AsyncClient, NoAnswerError
from tests.plugins.standin import opened

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def endpoint() -> str:
    return f"ipc://@circus-test-{uuid.uuid4()}"


async def ask(endpoint: str, uid: int) -> str:
    """What somebody else gets to hear."""
    program = f"""if True:
        import os, socket, zmq
        from circus_plugins.client import Client, NoAnswerError, greeting
        os.setgroups([]); os.setgid({uid}); os.setuid({uid})
        with Client({endpoint!r}, patience=0) as client:
            try:
                print(client.call("status"))
            except NoAnswerError as error:
                print(error)
    """
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    return (await child.communicate())[0].decode()


@as_root
def test_nobody_comes_in_but_the_user_of_circusd_and_root(endpoint: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with opened(endpoint=endpoint), AsyncClient(endpoint) as client:
            assert (await client.call("status"))["statuses"] == {"one": "active"}
            assert "'one': 'active'" in await ask(endpoint, 0)
            assert f"no answer from {endpoint}: user {NOBODY} may not use {endpoint}" in await ask(endpoint, NOBODY)

    asyncio.run(main())
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []


@as_root
@pytest.mark.covers("circus-option:endpoint_owner")
def test_its_owner_comes_in_too_and_is_judged(endpoint: str) -> None:
    async def main() -> None:
        async with opened(endpoint=endpoint, endpoint_owner="nobody", answers={"add": lambda _: {}}):
            assert "'one': 'active'" in await ask(endpoint, NOBODY)
            assert "may not use" in await ask(endpoint, NOBODY - 1)
            async with AsyncClient(endpoint) as client:
                reply = await client.request("add", {"name": "x", "cmd": "id", "options": {"uid": "root"}})
                assert reply["reason"] == "uid does not match endpoint_owner"

    asyncio.run(main())


def test_it_asks_for_no_key(endpoint: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(endpoint=endpoint, keys_dir=str(tmp_path)), AsyncClient(endpoint) as client:
            assert await client.call("status")

    asyncio.run(main())


def test_a_reload_opens_it_anew_and_frees_the_former_name(endpoint: str) -> None:
    async def main() -> None:
        async with opened(endpoint=endpoint) as supervisor:
            await supervisor.reload(endpoint=endpoint, endpoint_owner=str(os.geteuid()))
            async with AsyncClient(endpoint) as client:
                assert await client.call("status")
            for name in (f"{endpoint}-2", endpoint):
                await supervisor.reload(endpoint=name)
                async with AsyncClient(name) as client:
                    assert await client.call("status")

    asyncio.run(main())


def test_a_name_that_somebody_has_is_told(endpoint: str) -> None:
    async def main() -> None:
        async with opened(endpoint=endpoint):
            with pytest.raises(EndpointError, match=rf"Address already in use by pid {os.getpid()} ") as caught:
                async with opened(endpoint=endpoint):
                    pass
            assert caught.value.hint == "stop that program, or choose another name"
            async with AsyncClient(endpoint) as client:
                assert await client.call("status")

    asyncio.run(main())


def test_where_nobody_listens_is_known(endpoint: str) -> None:
    async def main() -> None:
        async with AsyncClient(endpoint, timeout=0.05) as client:
            with pytest.raises(NoAnswerError, match="nobody listens at ipc://@"):
                await client.call("status")

    asyncio.run(main())


@pytest.mark.parametrize("name", ["", "x" * 107])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    async def main() -> None:
        async with opened(endpoint=f"ipc://@{name}"):
            pass

    with pytest.raises(EndpointError, match="not a name for a socket"):
        asyncio.run(main())
