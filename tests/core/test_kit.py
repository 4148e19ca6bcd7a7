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
from circus_plugins.command_reloader import CommandReloader
from circus_plugins.resource_watcher import ResourceWatcher
from circus_plugins.watchdog import WatchDog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circus_core.conformance import Run
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
    assert len(deeds.commands) == 4
    assert deeds.commands[0] == 'get {"keys": ["cmd"], "name": "a"}'
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


async def test_command_reloader_in_both_hosts(supervise, tmp_path):
    program = tmp_path / "program.sh"

    async def scenario(run: Run) -> None:
        program.touch()
        await run.wait_for("process_exited", watcher="a")

    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    deeds = await check_plugin(
        CommandReloader, options={"loop_rate": "0.05"}, watchers=[watcher("a", str(program))], scenario=scenario
    )
    assert any(command.startswith("restart ") for command in deeds.commands)


@pytest.mark.parametrize(
    ("cls", "options"),
    [(WatchDog, {"port": 16643, "loop_rate": 1000}), (ResourceWatcher, {"watcher": "a", "loop_rate": 1000})],
)
async def test_other_bundled_plugins_in_both_hosts(supervise, cls, options):
    deeds = await check_plugin(cls, options=options, watchers=[watcher("a", numprocesses=2)])
    assert deeds.failures == []
