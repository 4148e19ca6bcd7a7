"""What authors of plugins test with: a clock that is put forward, and one class in both hosts, compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen

from circus_core.errors import ConfigError
from circus_core.events import EVENTS, Event, event
from circus_core.kinds import INTEGER
from circus_core.options import option
from circus_core.plugin import CircusPlugin
from circus_core.testing import Clock, check_plugin, watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circus_core.events import ProcessExited, WatcherStopped


@pytest.fixture(autouse=True)
def _events() -> Iterator[None]:
    yield
    EVENTS.pop("kit_counted", None)


@event
class KitCounted(Event):
    """So many processes ended."""

    count: int


class Counting(CircusPlugin):
    """Does one of each thing that a plugin can do."""

    @frozen
    class Options:
        start: int = option(INTEGER, 0, help="Where it begins.")

    def circus_startup(self) -> None:
        self.count = self.options.start

    async def circus_process_exited(self, event: ProcessExited) -> None:
        if event.watcher.startswith("plugin:"):
            return
        self.count += 1
        self.log.warning("%s: pid %d ended, %d in %f s", event.watcher, event.pid, self.count, event.age)
        self.publish(KitCounted(count=self.count))
        await self.client.call("get", name=event.watcher, keys=["cmd"])

    def circus_watcher_stopped(self, event: WatcherStopped) -> None:
        if event.watcher == "a":
            raise OSError("on purpose")


class Wandering(CircusPlugin):
    """Does not do the same everywhere."""

    def circus_process_exited(self, event: ProcessExited) -> None:
        if event.watcher == "a":
            self.log.warning("%s", "inside" if type(self.client).__name__ == "LocalClient" else "outside")


class Refusing(CircusPlugin):
    def circus_veto_start(self, watcher: Any) -> None:
        pass


async def test_what_it_did_is_the_same_in_both_hosts(supervise):
    deeds = await check_plugin(Counting, options={"start": 7}, watchers=[watcher("a"), watcher("b")])
    # It asks twice about each; in a row that counts once.
    assert deeds.commands == [f'get {{"keys": ["cmd"], "name": "{name}"}}' for name in "ab"]
    assert deeds.published == [f"kit_counted {{'count': {count}}}" for count in (8, 9, 10, 11)]
    assert deeds.logged[0].startswith("WARNING a: pid PID:a:")
    assert "OSError: on purpose" in deeds.failures[0]


async def test_a_difference_is_shown(supervise):
    with pytest.raises(AssertionError, match=r"(?s)Wandering .*-logged: WARNING inside.*\+logged: WARNING outside"):
        await check_plugin(Wandering, watchers=[watcher("a")])


async def test_what_can_only_be_inside_is_refused(supervise):
    with pytest.raises(ConfigError, match="circus_veto_start is an intervention"):
        await check_plugin(Refusing, watchers=[watcher("a")])


async def test_time_is_put_forward(supervise, clock: Clock):
    turns = []

    class Ticking(CircusPlugin):
        def circus_startup(self) -> None:
            self.every(10, lambda: turns.append(1))

    slow = watcher("slow", "sh -c 'exit 1'", restart_burst=0, restart_delay=3600.0, restart_delay_max=3600.0)
    async with supervise(slow, plugins={"ticking": Ticking()}) as run:
        await run.events.wait_for("process_exited", watcher="slow")
        await clock.advance(65)
        assert len(turns) == 6
        spawned = len(run.events.named("process_spawned"))
        await clock.advance(3 * 3600, step=10)
        await run.events.wait_for("process_spawned", count=spawned + 1)
