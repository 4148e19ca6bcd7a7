"""The bus: who hears what, in which order, and what a plugin that fails does to the others (nothing)."""

from __future__ import annotations

import asyncio
import logging

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.bus import FAILURES_ALLOWED, Bus
from circus_core.errors import PluginError
from circus_core.events import EVENTS, EventsLost, PluginFailed, SupervisorReloaded, WatcherStarted, WatcherStopped
from circus_core.model import Launch, Refuse
from circus_core.plugin import hookimpl
from circus_core.testing import Events


class Everything:
    """Keeps every event."""

    def __init__(self):
        self.seen = []

    def circus_event(self, event):
        self.seen.append(event)


def bus_with(*plugins):
    bus = Bus()
    for number, plugin in enumerate(plugins):
        bus.connect(bus.load(f"p{number}", plugin))
    return bus


@pytest.mark.parametrize("name", EVENTS)
def test_each_event_reaches_its_own_hook_and_then_the_hook_for_all(name):
    cls = EVENTS[name]
    heard = []

    class Listener:
        def circus_event(self, event):
            heard.append(("all", event))

    setattr(Listener, f"circus_{name}", lambda self, event: heard.append(("own", event)))
    fields = [entry.name for entry in attrs.fields(cls) if entry.name not in ("seq", "at")]
    happened = cls(**dict.fromkeys(fields, 1))
    bus_with(Listener()).publish(happened)
    assert heard == [("own", happened), ("all", happened)]
    assert happened.seq == 1
    assert happened.at > 0


@pytest.mark.covers("hook:circus_event", "event:supervisor_reloaded")
def test_events_that_cause_events_are_not_nested():
    log = []

    class Causes:
        def circus_watcher_started(self, event):
            bus.publish(WatcherStopped(watcher=event.watcher))
            log.append("caused")

    class Hears:
        def circus_event(self, event):
            log.append((event.name, event.seq))

    bus = bus_with(Causes(), Hears())
    bus.publish(WatcherStarted(watcher="a"))
    bus.publish(SupervisorReloaded())
    assert log == ["caused", ("watcher_started", 1), ("watcher_stopped", 2), ("supervisor_reloaded", 3)]


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(1, 4))
def test_every_plugin_sees_every_event_once_in_the_order_of_seq(causing, number):
    """However events cause further ones."""
    left = list(causing)

    class Causes:
        def circus_event(self, event):
            if left and left.pop():
                bus.publish(WatcherStarted(watcher="x"))

    listeners = [Everything() for _ in range(number)]
    bus = bus_with(*listeners, Causes(), last := Everything())
    bus.publish(WatcherStarted(watcher="x"))
    for listener in (*listeners, last):
        assert [event.seq for event in listener.seen] == list(range(1, bus.seq + 1))


@pytest.mark.covers("event:plugin_failed")
def test_a_plugin_that_raises_is_reported_and_keeps_nothing_from_the_others():
    class Broken:
        def circus_watcher_started(self, event):
            raise RuntimeError("broken")

    bus = bus_with(Broken(), heard := Everything())
    bus.publish(WatcherStarted(watcher="a"))
    assert heard.seen == [
        WatcherStarted(watcher="a"),
        PluginFailed(plugin="p0", hook="circus_watcher_started", error="RuntimeError: broken"),
    ]
    assert bus.loaded["p0"].last_error == "circus_watcher_started: RuntimeError: broken"


def test_a_plugin_that_keeps_raising_is_switched_off_and_the_last_report_says_so():
    class Broken:
        calls = 0

        def circus_watcher_started(self, event):
            self.calls += 1
            raise RuntimeError("broken")

    bus = bus_with(broken := Broken(), heard := Everything())
    for _ in range(FAILURES_ALLOWED + 3):
        bus.publish(WatcherStarted(watcher="a"))
    assert broken.calls == FAILURES_ALLOWED
    reports = [event.disabled for event in heard.seen if event.name == "plugin_failed"]
    assert reports == [False] * (FAILURES_ALLOWED - 1) + [True]


def test_failures_count_only_in_a_row():
    class Moody:
        calls = 0

        def circus_watcher_started(self, event):
            self.calls += 1
            if self.calls % FAILURES_ALLOWED:
                raise RuntimeError("not today")

    bus = bus_with(moody := Moody())
    for _ in range(FAILURES_ALLOWED * 3):
        bus.publish(WatcherStarted(watcher="a"))
    assert moody.calls == FAILURES_ALLOWED * 3
    assert not bus.loaded["p0"].disabled


def test_a_plugin_that_fails_at_the_news_of_its_failure_does_not_go_round_in_circles():
    class Broken:
        def circus_event(self, event):
            raise RuntimeError(event.name)

    bus = bus_with(Broken())
    bus.publish(WatcherStarted(watcher="a"))
    assert bus.seq == 2
    assert bus.loaded["p0"].failures == 2


def test_a_coroutine_is_run_and_its_failure_is_the_plugin_s():
    class Later:
        async def circus_watcher_started(self, event):
            await asyncio.sleep(0)
            raise RuntimeError("later")

    async def main():
        bus = bus_with(Later(), events := Events())
        bus.publish(WatcherStarted(watcher="a"))
        return await events.wait_for("plugin_failed")

    assert asyncio.run(main()).error == "RuntimeError: later"


@pytest.mark.covers("error:plugin")
def test_a_hook_that_does_not_exist_is_refused_with_a_suggestion():
    class Misspelt:
        def circus_proces_exited(self, event): ...

    with pytest.raises(
        PluginError, match=r"there is no hook circus_proces_exited .*did you mean circus_process_exited"
    ):
        bus_with(Misspelt())


def test_an_argument_that_does_not_exist_is_refused_with_those_that_do():
    class Odd:
        def circus_veto_start(self, name): ...

    with pytest.raises(PluginError, match=r"no argument name.*it has: watcher"):
        bus_with(Odd())


def test_a_wrapper_is_refused():
    class Wraps:
        @hookimpl(wrapper=True)
        def circus_event(self, event):
            yield

    with pytest.raises(PluginError, match="cannot be a wrapper"):
        bus_with(Wraps())


def test_two_plugins_cannot_have_one_name():
    bus = bus_with(Everything())
    with pytest.raises(PluginError, match="a plugin named p0 is loaded already"):
        bus.load("p0", Everything())


def test_an_unloaded_plugin_hears_nothing():
    bus = bus_with(heard := Everything())
    bus.unload("p0")
    bus.publish(WatcherStarted(watcher="a"))
    assert heard.seen == []


def test_hooks_may_leave_out_their_arguments_and_choose_their_place():
    order = []

    class First:
        def circus_watcher_started(self):
            order.append("first")

    class Second:
        @hookimpl(tryfirst=True)
        def circus_watcher_started(self):
            order.append("second")

    class Third:
        @hookimpl(specname="circus_watcher_started", trylast=True)
        def anything(self):
            order.append("third")

    bus_with(Third(), First(), Second()).publish(WatcherStarted(watcher="a"))
    assert order == ["second", "first", "third"]


def test_an_intervention_that_raises_is_passed_over():
    class Broken:
        def circus_veto_start(self, watcher):
            raise RuntimeError("broken")

    class Refuses:
        def circus_veto_start(self, watcher):
            return Refuse("no")

    bus = bus_with(Broken(), Refuses(), heard := Everything())
    assert bus.first("circus_veto_start", watcher=None) == ("p1", Refuse("no"))
    assert [event.name for event in heard.seen] == ["plugin_failed"]


@pytest.mark.parametrize("answer", [True, "no", 3, Refuse])
def test_an_answer_of_the_wrong_type_counts_as_a_failure(answer):
    class Odd:
        def circus_veto_start(self, watcher):
            return answer

    class Refuses:
        def circus_veto_start(self, watcher):
            return Refuse("no")

    bus = bus_with(Odd(), Refuses(), heard := Everything())
    assert bus.first("circus_veto_start", watcher=None) == ("p1", Refuse("no"))
    assert "Refuse" in heard.seen[0].error


def test_a_coroutine_for_an_answer_that_is_needed_at_once_counts_as_a_failure():
    class Odd:
        async def circus_veto_start(self, watcher):
            return Refuse("never heard")

    bus = bus_with(Odd(), heard := Everything())
    assert bus.first("circus_veto_start", watcher=None) is None
    assert "coroutine" in heard.seen[0].error


def test_adjusting_goes_from_plugin_to_plugin_and_past_those_that_fail():
    launch = Launch(watcher="a", wid=1, argv=("true",), env={})

    class Adds:
        def __init__(self, word):
            self.word = word

        def circus_adjust_launch(self, launch):
            return attrs.evolve(launch, argv=(*launch.argv, self.word))

    class Broken:
        def circus_adjust_launch(self, launch, watcher):
            raise RuntimeError("broken")

    class Looks:
        def circus_adjust_launch(self, launch):
            assert launch.argv == ("true", "one")

    bus = bus_with(Adds("one"), Broken(), Looks(), Adds("two"))
    assert bus.adjust("circus_adjust_launch", "launch", launch, watcher=None).argv == ("true", "one", "two")


@pytest.mark.covers("hook:circus_startup", "hook:circus_shutdown", "event:plugin_started")
def test_startup_and_shutdown_may_be_coroutines_and_a_failing_shutdown_is_only_logged(caplog):
    order = []

    class Opens:
        async def circus_startup(self, supervisor):
            await asyncio.sleep(0)
            order.append(("up", supervisor))

        async def circus_shutdown(self):
            await asyncio.sleep(0)
            order.append("down")
            raise RuntimeError("stuck")

    async def main():
        bus = bus_with(heard := Everything())
        bus.load("p1", Opens())
        await bus.startup(bus.loaded["p1"], supervisor="it")
        assert [event.name for event in heard.seen] == ["plugin_started"]
        await bus.shutdown(bus.loaded["p1"])

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert order == [("up", "it"), "down"]
    assert "circus_shutdown failed" in caplog.text


@pytest.mark.covers("event:events_lost")
def test_events_lost_are_told_as_any_event_is():
    bus = bus_with(heard := Everything())
    bus.publish(EventsLost(first=3, last=9))
    assert (heard.seen[0].name, heard.seen[0].first, heard.seen[0].last) == ("events_lost", 3, 9)


def test_an_optional_hook_of_a_plugin_that_is_not_there_is_left_out():
    class Extra:
        @hookimpl(optionalhook=True)
        def circus_choose_tune(self): ...

        def circus_watcher_started(self, event): ...

    bus = bus_with(Extra())
    assert bus.loaded["p0"].hooks == ("circus_watcher_started",)
