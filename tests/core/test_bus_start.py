"""A plugin on the bus, from start to end: first circus_startup, then each event since it was loaded, in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core import held
from circus_core.bus import FAILURES_ALLOWED, Bus
from circus_core.errors import PluginError
from circus_core.events import EventsLost, WatcherStarted, WatcherStopped
from circus_core.model import Refuse

if TYPE_CHECKING:
    from circus_core.events import Event


class Careful:
    """Takes its time to start, and notes what reaches it."""

    def __init__(self, turns: int = 1) -> None:
        self.turns = turns
        self.seen: list[object] = []

    async def circus_startup(self) -> None:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.seen.append("startup")

    def circus_event(self, event: Event) -> None:
        self.seen.append(event.seq)

    def circus_veto_start(self, watcher: object) -> Refuse:
        self.seen.append("asked")
        return Refuse("careful")

    def circus_shutdown(self) -> None:
        self.seen.append("shutdown")


def happens(bus: Bus, count: int = 1) -> None:
    for _ in range(count):
        bus.publish(WatcherStarted(watcher="a"))


def test_it_starts_before_it_is_told_of_anything_and_then_misses_nothing() -> None:
    async def main() -> None:
        bus, plugin = Bus(), Careful()
        happens(bus)
        loaded = bus.load("careful", plugin)
        happens(bus)
        starting = asyncio.ensure_future(bus.startup(loaded))
        await asyncio.sleep(0)
        happens(bus)
        assert plugin.seen == []
        await starting
        happens(bus)
        # 1 was before it was loaded, and 4 says that it started.
        assert plugin.seen == ["startup", 2, 3, 4, 5]

    asyncio.run(main())


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(0, 3))
def test_however_long_each_takes_to_start_all_see_the_same_events_in_the_same_order(
    turns: list[int], count: int
) -> None:
    class Causes:
        def circus_watcher_started(self, event: Any) -> None:
            bus.publish(WatcherStopped(watcher=event.watcher))

    async def main() -> None:
        plugins = [Careful(number) for number in turns]
        loaded = [bus.load(f"p{number}", plugin) for number, plugin in enumerate([*plugins, Causes()])]
        happens(bus, count)
        starting = [asyncio.ensure_future(bus.startup(each)) for each in loaded]
        for _ in range(max(turns)):
            happens(bus, count)
            await asyncio.sleep(0)
        await asyncio.wait(starting)
        happens(bus, count)
        for plugin in plugins:
            assert plugin.seen == ["startup", *range(1, bus.seq + 1)]

    bus = Bus()
    asyncio.run(main())


def test_what_it_publishes_while_it_catches_up_comes_after_what_was_kept() -> None:
    class Echoes:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def circus_event(self, event: Event) -> None:
            self.seen.append(event.name)
            if event.name == "watcher_started":
                bus.publish(WatcherStopped(watcher="a"))

    bus, plugin = Bus(), Echoes()
    loaded = bus.load("echoes", plugin)
    happens(bus, 2)
    bus.connect(loaded)
    assert plugin.seen == ["watcher_started", "watcher_started", "watcher_stopped", "watcher_stopped"]


def test_it_is_asked_nothing_about_processes_before_it_started_nor_after_its_end() -> None:
    async def main() -> None:
        bus, plugin = Bus(), Careful()
        loaded = bus.load("careful", plugin)
        assert bus.first("circus_veto_start", watcher=None) is None
        await bus.startup(loaded)
        assert bus.first("circus_veto_start", watcher=None) == ("careful", Refuse("careful"))
        await bus.shutdown(loaded)
        assert bus.first("circus_veto_start", watcher=None) is None
        happens(bus)
        assert plugin.seen == ["startup", 1, "asked", "shutdown"]

    asyncio.run(main())


def test_about_a_configuration_it_is_asked_before() -> None:
    class Checks:
        def circus_check_config(self, config: object) -> tuple[()]:
            return ()

    bus = Bus()
    bus.load("checks", Checks())
    assert bus.first("circus_check_config", config=None) == ("checks", ())


def test_one_that_cannot_start_is_told_of_nothing() -> None:
    class Cannot(Careful):
        async def circus_startup(self) -> None:
            raise ValueError("of the test")

    async def main() -> None:
        bus, plugin = Bus(), Cannot()
        loaded = bus.load("cannot", plugin)
        happens(bus)
        with pytest.raises(PluginError, match="of the test"):
            await bus.startup(loaded)
        await bus.shutdown(loaded)
        happens(bus)
        assert plugin.seen == ["shutdown"]

    asyncio.run(main())


def test_one_that_fails_at_what_was_kept_is_switched_off_as_any_is() -> None:
    class Broken:
        calls = 0

        def circus_watcher_started(self, event: object) -> None:
            self.calls += 1
            raise ValueError("of the test")

    bus, plugin = Bus(), Broken()
    loaded = bus.load("broken", plugin)
    happens(bus, FAILURES_ALLOWED + 3)
    bus.connect(loaded)
    assert (plugin.calls, loaded.disabled) == (FAILURES_ALLOWED, True)


def test_what_is_too_much_to_be_kept_is_told_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "KEPT", 3)

    class Keeps:
        def __init__(self) -> None:
            self.seen: list[Event] = []

        def circus_event(self, event: Event) -> None:
            self.seen.append(event)

    bus, plugin = Bus(), Keeps()
    loaded = bus.load("keeps", plugin)
    happens(bus, 5)
    bus.connect(loaded)
    assert [(type(event), event.seq) for event in plugin.seen] == [
        (EventsLost, 2), (WatcherStarted, 3), (WatcherStarted, 4), (WatcherStarted, 5),
    ]  # fmt: skip
    assert plugin.seen[0] == EventsLost(first=1, last=2)
