"""What somebody who writes a plugin imports: the base class, the marker, and the protocols of what they are given."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pluggy import HookimplMarker

from circus_core.hookspecs import PROJECT
from circus_core.options import Effect, Option, Section

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.options import Kind
    from circus_core.periodic import Callback, Periodic
    from circus_core.requests import Command, Handler

__all__ = ["CircusPlugin", "Client", "Registry", "hookimpl"]

hookimpl = HookimplMarker(PROJECT)


class Client(Protocol):
    """How a plugin gives orders, the same inside circusd and from a process of its own."""

    async def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Run a command and answer its reply; raises CircusError with the reason if it was refused."""
        ...

    def cast(self, command: str, **properties: Any) -> None:
        """Run a command without waiting; a failure is only logged."""
        ...


class CircusPlugin:
    """The base class of plugins. Every method whose name starts with `circus_` is a hook; `hookimpl` is optional.

    `name` is the plugin's name, `log` its logger, `client` its `Client`. A class attribute `Options` (an attrs class
    whose fields are made by `option()`) declares its options, and `options` is then an instance of it; without it
    `options` is a mapping of texts.
    """

    Options: ClassVar[type | None] = None

    name: str = ""
    options: Any
    client: Client
    log: logging.Logger = logging.getLogger("circus")
    _every: Callable[[float, Callback], Periodic] | None = None

    def equip(
        self, name: str, client: Client, options: Any, every: Callable[[float, Callback], Periodic] | None
    ) -> None:
        """Called by whoever hosts the plugin, before `circus_startup`."""
        self.name, self.client, self.options, self._every = name, client, options, every
        self.log = logging.getLogger(f"circus.plugin.{name}")

    def every(self, seconds: float, callback: Callback) -> Periodic:
        """Call `callback` every so many seconds, from `circus_startup` on; `cancel()` of the answer ends that.

        It ends by itself when the plugin is shut down. An async callback is never called again before it is done.
        What it raises counts as the plugin's failure. A plugin that asks for none costs no wake-up.
        """
        if self._every is None:
            from circus_core.errors import PluginError

            raise PluginError(f"plugin {self.name}: every() needs a running plugin", hint="call it in circus_startup")
        return self._every(seconds, callback)


class Registry:
    """What a plugin may add while it is loaded; each plugin has one of its own, so what it adds has an owner."""

    def __init__(self, plugin: str, sections: dict[str, Section], commands: dict[str, tuple[Command, Handler]]) -> None:
        self.plugin = plugin
        self._sections = sections
        self._commands = commands

    def option(
        self,
        section: str,
        key: str,
        kind: Kind[Any],
        default: object = None,
        *,
        help: str,
        effect: Effect = Effect.NOW,
        unit: str = "",
        minimum: float | None = None,
        prefix: bool = False,
    ) -> None:
        """Declare an option of an existing section; its value is found under `key` in `extra` of that section."""
        entry = Option(
            key=key, kind=kind, default=default, help=help, effect=effect, unit=unit, minimum=minimum, prefix=prefix,
            plugin=self.plugin,
        )  # fmt: skip
        self._sections[section].add(entry)

    def section(self, section: Section) -> None:
        """Declare a further sort of section, such as `socket`, whose instances end in `Config.sections`."""
        from circus_core.errors import PluginError

        if section.name in self._sections:
            raise PluginError(f"plugin {self.plugin}: the section [{section.name}] is declared already")
        self._sections[section.name] = section

    def command(self, command: Command, handler: Handler) -> None:
        """Add a command and what answers it."""
        from circus_core.errors import PluginError

        if command.name in self._commands:
            raise PluginError(
                f"plugin {self.plugin}: the command {command.name} exists already", hint="choose another name"
            )
        command.plugin = self.plugin
        self._commands[command.name] = (command, handler)
