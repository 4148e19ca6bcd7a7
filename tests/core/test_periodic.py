"""Callbacks at regular times: when they come, what a slow or failing one does, and that they end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.bus import FAILURES_ALLOWED, Bus
from circus_core.errors import PluginError
from circus_core.periodic import Periodic
from circus_core.plugin import CircusPlugin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Clocked(asyncio.SelectorEventLoop):
    """A loop whose time goes on as fast as its work is done: what is due next is due at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        due = [handle.when() for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        if due and not self._ready:  # type: ignore[attr-defined]
            self.now = max(self.now, min(due))
        super()._run_once()  # type: ignore[misc]


@pytest.fixture
def loop() -> Iterator[Clocked]:
    made = Clocked()
    yield made
    made.close()


def run(loop: Clocked, work: Callable[[Callable[[float], Any]], Any]) -> Any:
    """Run `work(sleep)` on the loop."""
    return loop.run_until_complete(work(asyncio.sleep))


def test_it_is_called_at_regular_times_without_drift(loop: Clocked) -> None:
    times: list[float] = []

    async def work(sleep: Callable[[float], Any]) -> None:
        def turn() -> None:
            times.append(loop.time())
            loop.now += 0.25  # the callback takes its time

        ticking = Periodic(1.0, turn, pytest.fail)
        await sleep(4.5)
        ticking.cancel()
        await sleep(10)

    run(loop, work)
    assert times == [1, 2, 3, 4]


def test_turns_that_were_missed_are_not_made_up_for(loop: Clocked) -> None:
    times: list[float] = []

    async def work(sleep: Callable[[float], Any]) -> None:
        def turn() -> None:
            times.append(loop.time())
            if len(times) == 1:
                loop.now += 5.5

        ticking = Periodic(1.0, turn, pytest.fail)
        await sleep(8.2)
        ticking.cancel()

    run(loop, work)
    assert times == [1, 6.5, 7.5]


def test_an_async_callback_is_not_called_again_before_it_is_done(loop: Clocked) -> None:
    times: list[float] = []

    async def work(sleep: Callable[[float], Any]) -> None:
        async def turn() -> None:
            times.append(loop.time())
            await sleep(2.5)

        ticking = Periodic(1.0, turn, pytest.fail)
        await sleep(7.5)
        ticking.cancel()

    run(loop, work)
    assert times == [1, 4, 7]


def test_what_it_raises_is_told_and_the_next_turn_comes(loop: Clocked) -> None:
    failures: list[str] = []

    async def work(sleep: Callable[[float], Any]) -> None:
        def at_once() -> None:
            raise ValueError("at once")

        async def later() -> None:
            raise ValueError("later")

        both = [Periodic(1.0, callback, lambda error: failures.append(str(error))) for callback in (at_once, later)]
        await sleep(2.5)
        for each in both:
            each.cancel()

    run(loop, work)
    assert failures == ["at once", "later", "at once", "later"]


def test_a_callback_may_end_it(loop: Clocked) -> None:
    turns = []

    async def work(sleep: Callable[[float], Any]) -> None:
        async def turn() -> None:
            ticking.cancel()
            await sleep(0)
            turns.append(loop.time())

        ticking = Periodic(1.0, turn, pytest.fail)
        await sleep(5)

    run(loop, work)
    assert turns == [1]


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_impossible_times_are_refused(loop: Clocked, seconds: float) -> None:
    async def work(sleep: Callable[[float], Any]) -> None:
        with pytest.raises(ValueError, match="is impossible"):
            Periodic(seconds, print, pytest.fail)

    run(loop, work)


class Failing(CircusPlugin):
    def __init__(self) -> None:
        self.turns = 0

    def turn(self) -> None:
        self.turns += 1
        raise ValueError("of the test")


def _loaded(bus: Bus, plugin: CircusPlugin) -> Any:
    loaded = bus.load("failing", plugin)
    plugin.equip("failing", None, {}, loaded)  # type: ignore[arg-type]
    return loaded


def test_failures_are_the_plugin_s_and_too_many_disable_it(loop: Clocked) -> None:
    bus, plugin = Bus(), Failing()
    loaded = _loaded(bus, plugin)

    async def work(sleep: Callable[[float], Any]) -> None:
        plugin.every(2.0, plugin.turn)
        await sleep(100)

    run(loop, work)
    assert plugin.turns == loaded.failures == FAILURES_ALLOWED
    assert loaded.disabled
    assert loaded.last_error == "every 2 s: ValueError: of the test"


def test_it_ends_when_the_plugin_is_shut_down(loop: Clocked) -> None:
    bus, plugin = Bus(), Failing()
    loaded = _loaded(bus, plugin)

    async def work(sleep: Callable[[float], Any]) -> None:
        plugin.every(2.0, plugin.turn)
        await sleep(3)
        await bus.shutdown(loaded)
        await sleep(100)

    run(loop, work)
    assert plugin.turns == 1


def test_what_is_under_way_has_ended_when_the_plugin_is_shut_down(loop: Clocked) -> None:
    seen: list[str] = []

    class Closing(CircusPlugin):
        async def turn(self) -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                seen.append("turn")

        def circus_shutdown(self) -> None:
            seen.append("shutdown")

    bus, plugin = Bus(), Closing()
    loaded = _loaded(bus, plugin)

    async def work(sleep: Callable[[float], Any]) -> None:
        await bus.startup(loaded)
        plugin.every(2.0, plugin.turn)
        await sleep(3)
        await bus.shutdown(loaded)

    run(loop, work)
    assert seen == ["turn", "shutdown"]


def test_a_turn_that_is_cancelled_before_it_began_is_no_warning(loop: Clocked) -> None:
    async def work(sleep: Callable[[float], Any]) -> None:
        async def turn() -> None:
            pytest.fail("it was cancelled")

        ticking = Periodic(1.0, turn, pytest.fail)
        # The turn comes at this time too, but its coroutine only after this one.
        loop.call_at(1.0, ticking.cancel)
        await sleep(5)

    run(loop, work)


def test_a_plugin_that_does_not_run_has_no_time() -> None:
    with pytest.raises(PluginError, match="needs a running plugin"):
        Failing().every(1.0, print)
