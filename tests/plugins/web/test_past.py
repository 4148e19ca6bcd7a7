"""Where circusd's history is kept, a console begins with what was before it, and the REST API has all of it."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from typing import TYPE_CHECKING

from circus_core.errors import CircusError
from circus_core.testing import Circusd, until
from tests.plugins.web.conftest import Console, browser, section

if TYPE_CHECKING:
    from collections.abc import Callable


def looks(daemon: Circusd) -> int:
    """How many looks at `web` there were."""
    try:
        cpu = daemon.call("history", name="web", last=60, step=0)["watchers"]["web"]["cpu"]
    except CircusError:
        return 0
    return len(cpu) - cpu.count(None)


async def test_a_console_begins_with_what_was_before(circusd: Callable[..., Circusd]) -> None:
    with tempfile.TemporaryDirectory(prefix="circus-") as folder:
        history = "    [plugin:stats]\n    history = True\n    interval = 0.1\n"
        daemon = circusd(section() + history, env={"XDG_RUNTIME_DIR": folder}).up()
        console = Console(daemon)
        until(lambda: looks(daemon) >= 20)
        began = time.time()
        os.kill(console.pid, signal.SIGKILL)
        console = console.next()
        with console.owner() as owner:
            before: list[list[float]] = []
            while not before:
                async with browser(console, by=owner) as page:
                    told = await page.wait_for("snapshot")
                past = next((each["past"] for each in told["watchers"] if each["name"] == "web"), [])
                before = [point for point in past if point[0] < began]
            assert len(before) >= 19
            assert all(cpu >= 0 and memory > 100_000 for _at, cpu, memory in before)
            answer = owner.get("/api/v1/commands/history", params={"name": "web", "last": "30"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["watchers"]["web"]["processes"][-1] == 2
