"""A plugin that was written for Circus, where circusd asks for keys: it has those of its host."""

from __future__ import annotations

import asyncio
from pathlib import Path

from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.supervisor import Supervisor
from circus_core.testing import Events
from circus_plugins.doors import keys

CODE = Path(__file__).resolve().parents[2] / "contrib" / "circus-compat" / "tests" / "written_for_circus.py"


def test_it_calls_and_casts_with_the_keys_of_its_host(tmp_path: Path) -> None:
    keys.new(str(tmp_path / "keys"), "ann", "view")
    path = tmp_path / "circus.ini"
    path.write_text(
        f"[circus]\nendpoint = tcp://127.0.0.1:*\npubsub_endpoint = tcp://127.0.0.1:*\nkeys_dir = {tmp_path}/keys\n"
        "[watcher:app]\ncmd = sleep 1000\ncopy_env = True\ngraceful_timeout = 5\n"
        f"[plugin:asking]\nuse = {CODE}:Asking\nfilename = {tmp_path}/journal\n"
    )

    async def run() -> None:
        events = Events()
        async with Supervisor(str(path), plugins={"events": events, **DEFAULT_PLUGINS}):
            # It asked for the number of processes, and ordered one more.
            await events.wait_for("process_spawned", watcher="app", count=2)

    asyncio.run(run())
