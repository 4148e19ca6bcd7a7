"""The bus of a host process, and what the order of starts is: events that come numbered, and nothing of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.bus import FAILURES_ALLOWED, Bus
from circus_core.events import PluginFailed, WatcherStarted
from circus_core.plugin import hookimpl
from circus_core.wire import from_wire

if TYPE_CHECKING:
    from circus_core.events import Event


class Starting:
    def circus_startup(self) -> None: ...


class First:
    @hookimpl(tryfirst=True)
    def circus_startup(self) -> None: ...


class Last:
    @hookimpl(trylast=True)
    def circus_startup(self) -> None: ...


def test_plugins_start_as_they_were_loaded_but_for_those_that_ask() -> None:
    bus = Bus()
    for name, plugin in {"last": Last(), "plain": object(), "first": First(), "starting": Starting()}.items():
        bus.load(name, plugin)
    assert [loaded.name for loaded in bus.in_start_order()] == ["first", "plain", "starting", "last"]


class Handler:
    def __init__(self) -> None:
        self.seen: list[Event] = []

    async def circus_watcher_started(self, event: Any) -> None:
        await asyncio.sleep(0)
        self.seen.append(event)

    def circus_event(self, event: Event) -> None:
        if event.name == "watcher_started":
            raise ValueError("of the test")


async def _hand_on(bus: Bus, *happened: Event) -> None:
    for event in happened:
        unfinished = bus.hand_on(event)
        if unfinished:
            await asyncio.wait(unfinished)


def test_a_numbered_event_keeps_its_number_and_is_waited_for() -> None:
    said: list[Event] = []
    bus, plugin = Bus(announce=said.append), Handler()
    bus.connect(bus.load("handler", plugin))
    wire = {"event": "watcher_started", "watcher": "a", "seq": 42, "at": 1.5, "time": 1.5, "newer": True}
    asyncio.run(_hand_on(bus, from_wire(wire)))
    assert [(event.seq, event.at) for event in plugin.seen] == [(42, 1.5)]
    # What the bus itself has to say does not become an event here.
    assert said == [PluginFailed(plugin="handler", hook="circus_event", error="ValueError: of the test")]
    assert said[0].seq == 0


def test_one_that_was_disabled_is_shut_down_all_the_same() -> None:
    class Raising:
        shut = False

        def circus_event(self) -> None:
            raise ValueError("of the test")

        def circus_shutdown(self) -> None:
            self.shut = True

    bus, plugin = Bus(), Raising()
    loaded = bus.load("raising", plugin)
    asyncio.run(bus.startup(loaded))
    for _ in range(FAILURES_ALLOWED):
        bus.hand_on(WatcherStarted(watcher="a"))
    asyncio.run(bus.shutdown(loaded))
    assert loaded.disabled
    assert plugin.shut


@pytest.mark.parametrize(("name", "wanted"), [("watcher_started", True), ("process_exited", False), ("odd", False)])
def test_what_nobody_has_a_handler_for_is_not_wanted(name: str, wanted: bool) -> None:
    class Choosy:
        def circus_watcher_started(self) -> None: ...

    bus = Bus()
    bus.connect(bus.load("choosy", Choosy()))
    assert bus.wanted(name) is wanted
