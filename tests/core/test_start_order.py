"""How circusd starts: it knows its watchers, starts its plugins, and then the watchers; orders may come any time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from circus_core.errors import ConflictError
from circus_core.model import Config
from circus_core.requests import Command, Role
from circus_core.supervisor import Supervisor
from circus_core.testing import Events, watcher
from tests.core.proc import environ

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from circus_core.events import Event
    from circus_core.model import Launch
    from circus_core.plugin import Registry
    from circus_core.requests import Reply


class Gated:
    """A plugin that starts once it is let, and marks what is launched."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.seen: list[str] = []

    def circus_register_commands(self, registry: Registry) -> None:
        registry.command(Command("gated", Role.VIEW, "Of the test."), self._gated)

    def _gated(self, _supervisor: Any, _request: Any) -> Reply:
        return {"seen": self.seen}

    async def circus_startup(self) -> None:
        await self.gate.wait()
        self.seen.append("startup")

    def circus_adjust_launch(self, launch: Launch) -> Launch:
        return attrs.evolve(launch, env={**launch.env, "GATED": "yes"})

    def circus_event(self, event: Event) -> None:
        self.seen.append(event.name)


class Starting:
    """A supervisor with a gated plugin, on its way."""

    def __init__(self, **options: Any) -> None:
        self.plugin, self.events = Gated(), Events()
        config = Config(watchers={"w": watcher("w", **options)})
        self.supervisor = Supervisor(config, plugins={"events": self.events, "gated": self.plugin})
        self.call = self.supervisor.client.call

    async def __aenter__(self) -> Starting:
        self.starting = asyncio.ensure_future(self.supervisor.start())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.plugin.gate.set()
        await self.starting
        await self.supervisor.stop()


def test_a_start_ordered_early_waits_for_the_plugins_that_have_a_say() -> None:
    async def main() -> None:
        async with Starting(autostart=False) as run:
            await run.call("start", name="w")
            assert (await run.call("status", name="w"))["status"] == "stopped"
            run.plugin.gate.set()
            spawned: Any = await run.events.wait_for("process_spawned")
            assert environ(spawned.pid)["GATED"] == "yes"
            assert run.plugin.seen[:2] == ["startup", "watcher_added"]

    asyncio.run(main())


@pytest.mark.parametrize("order", ["stop", "rm"])
def test_who_is_stopped_before_its_start_does_not_start(order: str) -> None:
    async def main() -> None:
        async with Starting() as run:
            await run.call("start", name="w")
            await run.call(order, name="w", waiting=True)
            run.plugin.gate.set()
            await run.events.wait_for("supervisor_started")
            assert run.events.named("process_spawned") == []

    asyncio.run(main())


def test_a_stop_while_plugins_are_waited_for_ends_the_start() -> None:
    class Endless:
        def circus_before_watchers(self) -> Awaitable[None]:
            waiting.set()
            return asyncio.Event().wait()  # type: ignore[return-value]

    waiting = asyncio.Event()

    async def main() -> None:
        supervisor = Supervisor(Config(watchers={"w": watcher("w")}), plugins={"endless": Endless()})
        starting = asyncio.ensure_future(supervisor.start())
        await waiting.wait()
        await supervisor.stop()
        await starting
        assert not supervisor.watcher("w").running

    asyncio.run(main())


def test_a_plugin_that_fails_to_prepare_keeps_nothing_from_starting(caplog: pytest.LogCaptureFixture) -> None:
    class Fails:
        async def circus_before_watchers(self) -> None:
            raise ValueError("of the test")

    async def main() -> None:
        async with Supervisor(Config(watchers={"w": watcher("w")}), plugins={"fails": Fails()}) as supervisor:
            assert supervisor.watcher("w").running

    asyncio.run(main())
    assert "plugin fails: circus_before_watchers failed" in caplog.text


def test_a_command_of_a_plugin_is_refused_until_the_plugin_has_started() -> None:
    async def main() -> None:
        async with Starting() as run:
            with pytest.raises(ConflictError, match="gated cannot be run: the plugin gated has not started"):
                await run.call("gated")
            run.plugin.gate.set()
            await run.events.wait_for("plugin_started", plugin="gated")
            assert (await run.call("gated"))["seen"][0] == "startup"

    asyncio.run(main())
