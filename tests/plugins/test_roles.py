"""Every command of a real supervisor, asked with each role, a revoked key, a stranger's key and none."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from circus_core.assembly import assemble
from circus_core.requests import Role
from circus_core.supervisor import Supervisor
from circus_plugins.client import AsyncClient
from circus_plugins.doors import keys
from circus_plugins.doors.house import House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FORBIDDEN = 7


@asynccontextmanager
async def locked(folder: Path) -> AsyncIterator[tuple[Supervisor, str]]:
    """A supervisor of which every client needs a key, and its endpoint."""
    path = folder / "circus.ini"
    path.write_text(
        f"[circus]\nendpoint = tcp://127.0.0.1:*\nkeys_dir = {folder}/keys\n[watcher:one]\ncmd = sleep 1000\n"
    )
    async with Supervisor(assemble(str(path))) as supervisor:
        house = House.enter(supervisor)
        house.leave()
        yield supervisor, house.doors["endpoint"].text


def test_every_command_is_refused_to_a_smaller_role_with_the_one_it_needs(tmp_path: Path) -> None:
    files = {role: keys.new(str(tmp_path / "keys"), role.name.lower(), role) for role in Role}

    async def main() -> None:
        async with locked(tmp_path) as (supervisor, endpoint), AsyncExitStack() as stack:
            clients = {
                role: await stack.enter_async_context(AsyncClient(endpoint, key=file)) for role, file in files.items()
            }
            for name, (command, _handler) in supervisor.assembly.commands.items():
                for role, client in clients.items():
                    if role < command.role:
                        reply = await client.request(name)
                        assert (reply["errno"], reply["code"]) == (FORBIDDEN, "forbidden"), name
                        assert reply["reason"] == f"{name} needs the role {command.role.name.lower()}"
                    elif role is command.role is Role.VIEW or name == "incr":
                        assert (await client.request(name)).get("errno") != FORBIDDEN, name
            assert (await clients[Role.VIEW].call("status"))["statuses"] == {"one": "active"}

    asyncio.run(main())


def test_no_command_is_run_for_a_revoked_wrong_or_missing_key(tmp_path: Path) -> None:
    file = keys.new(str(tmp_path / "keys"), "ann", "admin")
    ours = Path(file).read_text()
    stranger = Path(keys.new(str(tmp_path / "others"), "bob", "admin"))
    server = next(line for line in ours.splitlines() if "server-key" in line)
    stranger.write_text(stranger.read_text().replace("server-key", "other-key") + server + "\n")

    async def main() -> None:
        async with locked(tmp_path) as (supervisor, endpoint), AsyncExitStack() as stack:
            ann, bob, nobody = [
                await stack.enter_async_context(AsyncClient(endpoint, key=key)) for key in (file, str(stranger), None)
            ]
            await ann.call("status")
            keys.revoke(str(tmp_path / "keys"), "ann")
            silent = []
            for name in supervisor.assembly.commands:
                reply = await ann.request(name, {"name": "one"})
                assert (reply["errno"], reply["reason"]) == (FORBIDDEN, "this key was revoked"), name
                silent += [asyncio.create_task(client.request(name, timeout=60)) for client in (bob, nobody)]
            answers = await asyncio.gather(*silent, return_exceptions=True)
            assert {getattr(answer, "code", "answered") for answer in answers} == {"forbidden"}
            assert (await supervisor.client.call("status"))["statuses"] == {"one": "active"}

    asyncio.run(main())
