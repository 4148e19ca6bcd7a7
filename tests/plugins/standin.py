"""A supervisor for tests of doors: it has a bus, commands and options, and runs no process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from circus_core.bus import Bus
from circus_core.errors import CircusError, ForbiddenError, UnknownCommandError
from circus_core.events import SupervisorReloaded
from circus_core.model import Config, SupervisorOptions, sections
from circus_core.plugin import Registry
from circus_core.requests import Argument, Command, Guard, Request, Role
from circus_plugins.control import Control
from circus_plugins.publisher import Publisher

Answer = dict[str, Any] | Awaitable[dict[str, Any]]


class StandIn:
    """What control and publisher see of a supervisor. `answers` are commands beside those of the plugins."""

    def __init__(self, extra: Mapping[str, object], answers: Mapping[str, Callable[[Request], Answer]]) -> None:
        self.bus = Bus()
        self.sections = sections()
        self.commands: dict[str, Any] = {}
        self.assembly = SimpleNamespace(sections=self.sections, commands=self.commands)
        self.config = Config(supervisor=SupervisorOptions(extra=extra))
        self.roles: list[Role] = []
        for name, answer in answers.items():
            self.command(name, answer)
        self.command("status", lambda request: {"statuses": {"one": "active"}})

    def command(self, name: str, answer: Callable[[Request], Answer], role: Role = Role.VIEW) -> None:
        declaration = Command(name, role, "Of the test.", Argument("any", "any", "Anything."), waits=True)
        self.commands[name] = (declaration, lambda supervisor, request: answer(request))

    def configure(self, **extra: object) -> None:
        """As after a reload of the configuration."""
        self.config = Config(supervisor=SupervisorOptions(extra=extra))

    async def reload(self, **extra: object) -> None:
        """Have these options in force; raises what a plugin says that cannot follow, once all were told."""
        self.configure(**extra)
        refused = None
        for loaded in self.bus.loaded.values():
            try:
                await self.bus.finish(loaded, "circus_follow_config", config=self.config)
            except CircusError as error:
                refused = error
        self.bus.publish(SupervisorReloaded())
        if refused is not None:
            raise refused

    def dispatch(
        self,
        command: str,
        properties: Mapping[str, Any],
        *,
        role: Role = Role.ADMIN,
        progress: Callable[[str], None] | None = None,
        guard: Guard | None = None,
    ) -> Answer:
        self.roles.append(role)
        if command.lower() not in self.commands:
            raise UnknownCommandError(f"unknown command: {command!r}")
        declaration, handler = self.commands[command.lower()]
        if role < declaration.role:
            raise ForbiddenError(f"{command} needs the role {declaration.role.name.lower()}")
        arguments = {entry.name: properties.get(entry.name, entry.default) for entry in declaration.arguments}
        answer: Answer = handler(self, Request(declaration, {**arguments, **properties}, progress, guard))
        return answer


@asynccontextmanager
async def opened(
    *, answers: Mapping[str, Callable[[Request], Answer]] | None = None, publisher: bool = False, **extra: object
) -> AsyncIterator[StandIn]:
    """A stand-in whose doors are open."""
    supervisor = StandIn(extra, answers or {})
    plugins = [Control(), Publisher()] if publisher else [Control()]
    loaded = []
    for plugin in plugins:
        registry = Registry(plugin.name, supervisor.sections, supervisor.commands)
        loaded.append(supervisor.bus.load(plugin.name, plugin, registry=registry))
    try:
        for entry in loaded:
            await supervisor.bus.startup(entry, supervisor=supervisor)
        yield supervisor
    finally:
        for entry in loaded:
            await supervisor.bus.shutdown(entry)


def plugin(supervisor: StandIn, name: str) -> Any:
    """One of its plugins."""
    return supervisor.bus.loaded[name].plugin


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so; the test's own time limit ends a wait in vain."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)
