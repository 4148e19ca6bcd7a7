"""A plugin that keeps circusd waiting is named in the log: who, in which hook, and for how long."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.bus import LONG, Bus
from circus_core.events import WatcherStarted
from circus_core.plugin import CircusPlugin

if TYPE_CHECKING:
    from circus_core.testing import Clock

SHORT = 0.02


class Slow(CircusPlugin):
    """Blocks for longer than it may, whatever it is called for."""

    @staticmethod
    def block() -> None:
        time.sleep(2 * SHORT)

    def circus_startup(self) -> None:
        self.block()

    def circus_watcher_started(self, event: Any) -> None:
        self.block()
        raise ValueError("of the test")

    def circus_veto_start(self, watcher: Any) -> None:
        self.block()

    def circus_shutdown(self) -> None:
        self.block()


class Quick:
    def circus_watcher_started(self) -> None:
        pass


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """About the slow one; on a busy machine the quick one may be slow as well."""
    found = r"plugin (slow): (.*) took [\d.]+ s, and circusd did nothing else meanwhile"
    return [" ".join(match.groups()) for line in caplog.messages if (match := re.fullmatch(found, line))]


@pytest.mark.parametrize("patience", [SHORT, 1000])
def test_who_it_was_and_in_which_hook(caplog: pytest.LogCaptureFixture, patience: float) -> None:
    async def main() -> None:
        bus = Bus(patience=patience)
        slow = bus.load("slow", Slow())
        bus.connect(bus.load("quick", Quick()))
        await bus.startup(slow)
        bus.publish(WatcherStarted(watcher="a"))
        bus.first("circus_veto_start", watcher=None)
        await bus.shutdown(slow)

    asyncio.run(main())
    hooks = ["circus_startup", "circus_watcher_started", "circus_veto_start", "circus_shutdown"]
    assert complaints(caplog) == ([f"slow {hook}" for hook in hooks] if patience == SHORT else [])


def test_a_callback_at_regular_times(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bus, turn = Bus(patience=SHORT), asyncio.Event()
        loaded = bus.load("slow", Slow())
        loaded.every(0.01, lambda: [Slow.block(), turn.set()])
        await turn.wait()
        loaded.end_periodic()

    asyncio.run(main())
    assert complaints(caplog) == ["slow every 0.01 s"]


async def test_a_start_that_does_not_end(supervise: Any, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    class Never:
        async def circus_startup(self) -> None:
            await asyncio.Event().wait()

    bus = Bus()
    starting = asyncio.ensure_future(bus.startup(bus.load("never", Never())))
    await clock.advance(LONG + 1)
    starting.cancel()
    await asyncio.wait([starting])
    assert caplog.messages == ["plugin never: circus_startup has not ended after 10 s, and is waited for"]
