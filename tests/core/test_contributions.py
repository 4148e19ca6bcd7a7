"""What plugins add to the contract: events of their own, and hooks that other plugins implement."""

from __future__ import annotations

import pytest

from circus_core.bus import Bus
from circus_core.errors import PluginError
from circus_core.events import EVENTS, Event, event
from circus_core.implementing import refuse_outside
from circus_core.plugin import CircusPlugin, hookspec
from circus_core.testing import watcher
from circus_core.wire import from_wire, to_wire


@event
class LampWentOut(Event):
    """Of the tests."""

    watcher: str
    lamp: int


class Lamp(CircusPlugin):
    def circus_watcher_started(self, event):
        self.publish(LampWentOut(watcher=event.watcher, lamp=7))


class Janitor(CircusPlugin):
    def __init__(self):
        self.seen = []

    def circus_lamp_went_out(self, event):
        self.seen.append((event.watcher, event.lamp))


async def test_a_plugin_s_event_has_its_hook_and_its_place_in_the_order(supervise):
    janitor = Janitor()
    async with supervise(watcher("w"), plugins={"lamp": Lamp(), "janitor": janitor}) as run:
        out = await run.events.wait_for("lamp_went_out", watcher="w", lamp=7)
        assert janitor.seen == [("w", 7)]
        assert [event.seq for event in run.events.seen] == sorted(event.seq for event in run.events.seen)
        assert from_wire(to_wire(out)) == out


def test_an_event_declared_after_the_bus_was_made_has_its_hook():
    bus = Bus()
    try:

        @event
        class LampWentOnAgain(Event):
            """Of the tests."""

        seen = []

        class Late:
            def circus_lamp_went_on_again(self, event):
                seen.append(event)

        bus.connect(bus.load("late", Late()))
        bus.publish(LampWentOnAgain())
        assert len(seen) == 1
    finally:
        EVENTS.pop("lamp_went_on_again", None)


def test_an_event_s_name_has_one_owner():
    with pytest.raises(PluginError, match=r"the event process_exited .* is already one of circus_core\.events"):

        @event
        class ProcessExited(Event):
            """Of the tests, and none of theirs."""


def test_whoever_does_not_run_publishes_nothing():
    with pytest.raises(PluginError, match=r"publish\(\) needs a running plugin"):
        Lamp().publish(LampWentOut(watcher="w", lamp=1))


# Hooks


class Paints:
    @hookspec
    def circus_choose_colour(self, wall: str) -> str | None:
        """Before a wall is painted: the colour. The first answer counts."""


class Painter(CircusPlugin):
    def circus_add_hookspecs(self):
        return Paints

    def circus_startup(self, supervisor):
        self.chosen = supervisor.bus.first("circus_choose_colour", wall="north")


class Green(CircusPlugin):
    def circus_choose_colour(self, wall):
        return f"green for {wall}"


@pytest.mark.covers("hook:circus_add_hookspecs")
async def test_plugins_implement_what_another_asks(supervise):
    painter = Painter()
    async with supervise(plugins={"painter": painter, "green": Green()}) as run:
        assert painter.chosen == ("green", "green for north")
        loaded = run.supervisor.bus.loaded
        assert loaded["green"].hooks == ("circus_choose_colour",)


def test_a_hook_is_gone_with_the_plugin_that_added_it():
    bus = Bus()
    with pytest.raises(PluginError, match="plugin green: there is no hook circus_choose_colour"):
        bus.load("green", Green())
    bus.load("painter", Painter())
    bus.load("green", Green())
    bus.unload("green")
    bus.unload("painter")
    with pytest.raises(PluginError, match="plugin green: there is no hook circus_choose_colour"):
        bus.load("green", Green())
    assert bus.first("circus_choose_colour", wall="north") is None
    bus.load("painter", Painter())


class Adds:
    def __init__(self, specs):
        self.specs = specs

    def circus_add_hookspecs(self):
        return self.specs


class Taken:
    @hookspec
    def circus_startup(self): ...


class Misnamed:
    @hookspec
    def paint(self): ...


@pytest.mark.parametrize(
    ("specs", "complaint"),
    [
        (Taken, "plugin bad: the hook circus_startup is circus-bus's already"),
        (Paints, "plugin bad: the hook circus_choose_colour is plugin painter's already"),
        (Misnamed, "plugin bad: the hook paint does not begin with circus_"),
        (object(), "plugin bad: circus_add_hookspecs adds no hook"),
    ],
)
def test_hooks_that_cannot_be_added_are_refused(specs, complaint):
    bus = Bus()
    bus.load("painter", Painter())
    with pytest.raises(PluginError) as caught:
        bus.load("bad", Adds(specs))
    assert str(caught.value).startswith(complaint)
    assert list(bus.loaded) == ["painter"]


def test_hooks_are_added_inside_circusd_only():
    plugin = Painter()
    with pytest.raises(PluginError, match="circus_add_hookspecs is for hooks that are called inside circusd"):
        refuse_outside("painter", plugin, ("circus_add_hookspecs",))
