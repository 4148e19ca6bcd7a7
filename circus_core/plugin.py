"""What somebody who writes a plugin imports: the base class, the marker, and the protocols of what they are given."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from attrs import evolve
from pluggy import HookimplMarker

from circus_core.errors import OptionError, PluginError
from circus_core.hookspecs import PROJECT, hookspec
from circus_core.nearest import did_you_mean
from circus_core.options import MISSING, Effect, Option, Section

if TYPE_CHECKING:
    from circus_core.events import Event
    from circus_core.memory import Memory
    from circus_core.options import Kind
    from circus_core.periodic import Callback, Periodic
    from circus_core.requests import Command, Handler

__all__ = ["CircusPlugin", "Client", "Registry", "hookimpl", "hookspec"]

hookimpl = HookimplMarker(PROJECT)


class Client(Protocol):
    """How a plugin gives orders, the same inside circusd and from a process of its own."""

    async def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Run a command and answer its reply; raises CircusError with the reason if it was refused."""
        ...

    def cast(self, command: str, **properties: Any) -> None:
        """Run a command without waiting; a failure is only logged."""
        ...


class PluginHost(Protocol):
    """What a plugin gets from where it runs, besides its client."""

    memory: Memory

    def every(self, seconds: float, callback: Callback) -> Periodic:
        """As `CircusPlugin.every`."""
        ...

    def publish(self, event: Event) -> None:
        """As `CircusPlugin.publish`."""
        ...


class CircusPlugin:
    """The base class of plugins. Every method whose name starts with `circus_` is a hook; `hookimpl` is optional.

    `name` is the plugin's name, `log` its logger, `client` its `Client`. `publish` makes an event of its own known to
    everybody, and what it is to `remember` outlives its process. A class attribute `Options` (an attrs class
    whose fields are made by `option()`) declares its options, and `options` is then an instance of it; without it
    `options` is a mapping of texts. `host` says where it runs if its section does not: `process` is a process of its
    own, and `core` is inside circusd. `watcher` is the name of the watcher that is its process, `plugin:NAME` unless it
    says otherwise. With `awaited = False` other watchers do not wait until that process is at work, but start before
    it; it hears what happened meanwhile nevertheless.
    """

    Options: ClassVar[type | None] = None
    host: ClassVar[str] = "process"
    watcher: ClassVar[str] = ""
    awaited: ClassVar[bool] = True

    name: str = ""
    options: Any
    client: Client
    log: logging.Logger = logging.getLogger("circus")
    _host: PluginHost | None = None

    def equip(self, name: str, client: Client, options: Any, host: PluginHost | None) -> None:
        """Called by whoever hosts the plugin, before `circus_startup`."""
        self.name, self.client, self.options, self._host = name, client, options, host
        self.log = logging.getLogger(f"circus.plugin.{name}")

    def every(self, seconds: float, callback: Callback) -> Periodic:
        """Call `callback` every so many seconds, from `circus_startup` on; `cancel()` of the answer ends that.

        It ends by itself when the plugin is shut down. An async callback is never called again before it is done.
        What it raises counts as the plugin's failure. A plugin that asks for none costs no wake-up.
        """
        return self._running("every").every(seconds, callback)

    def publish(self, event: Event) -> None:
        """Tell all plugins and all clients of something that happened, by an event class that `@event` made.

        It gets its `seq` and `at` in circusd, whichever process the plugin is in.
        """
        self._running("publish").publish(event)

    def remember(self, key: str, value: object) -> None:
        """Keep a value of JSON for the plugin that takes this one's place: after a crash, a restart, or with changed
        options. None forgets it.

        It is gone when circusd ends, or the section. By hand (`circus-plugin`) nobody takes this one's place. Raises
        TypeError for what JSON has no word for.
        """
        self._running("remember").memory.remember(key, value)

    def recall(self, key: str) -> Any:
        """What this plugin or the one before it remembered, None if it is nothing. Tuples have become lists."""
        return self._running("recall").memory.recall(key)

    def _running(self, method: str) -> PluginHost:
        if self._host is None:
            raise PluginError(
                f"plugin {self.name}: {method}() needs a running plugin", hint="call it in circus_startup or later"
            )
        return self._host


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
        settable: bool = True,
        names: frozenset[str] | None = None,
        fixed: str = "",
        by_command: Kind[Any] | None = None,
        locating: bool = False,
    ) -> None:
        """Declare an option of an existing section; its value is found under `key` in `extra` of that section.

        With `prefix` it is a family, of which there are only those of `names` if these are given. `fixed` says why no
        command may set it; `by_command` is the sort of values that commands may set, if that is not `kind`. A plugin
        that has the program of a watcher found elsewhere than on its PATH says so of its option by `locating`.
        """
        entry = Option(
            key=key, kind=kind, default=MISSING if prefix else default, help=help, effect=effect, unit=unit,
            minimum=minimum, prefix=prefix, names=names, settable=settable and not fixed, fixed=fixed,
            by_command=by_command, locating=locating,
            plugin=self.plugin,
        )  # fmt: skip
        if section not in self._sections:
            hint = did_you_mean(section, self._sections, f"there are {', '.join(self._sections)}")
            raise PluginError(f"plugin {self.plugin}: there are no sections [{section}]", hint=hint)
        try:
            self._sections[section].add(entry)
        except OptionError as error:
            raise PluginError(f"plugin {self.plugin}: {error.message}", hint=error.hint) from None

    def section(self, section: Section) -> None:
        """Declare a further sort of section, such as `socket`, whose instances end in `Config.sections`."""
        if section.name in self._sections:
            owner = self._sections[section.name].plugin
            whose = f"plugin {owner}" if owner else "the core"
            raise PluginError(
                f"plugin {self.plugin}: the section [{section.name}] is already declared by {whose}",
                hint="choose another name",
            )
        self._sections[section.name] = evolve(section, plugin=self.plugin, added=dict(section.added))

    def command(self, command: Command, handler: Handler) -> None:
        """Add a command and what answers it."""
        if command.name in self._commands:
            owner = self._commands[command.name][0].plugin
            whose = f"plugin {owner}" if owner else "circus-bus"
            raise PluginError(
                f"plugin {self.plugin}: the command {command.name} exists already, as one of {whose}",
                hint="choose another name",
            )
        command.plugin = self.plugin
        self._commands[command.name] = (command, handler)
