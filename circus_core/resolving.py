"""Finds the plugin behind each `[plugin:...]` section, where it runs and what it declares; it loads and starts none.

Whatever is wrong with one is a mistake of the configuration like any other, and hides no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from circus_core.bus import Bus
from circus_core.declarations import HOSTS
from circus_core.errors import CircusError, PluginError
from circus_core.finding import Found, find, instance, refuse_no_plugin
from circus_core.implementing import refuse_outside
from circus_core.plugin import Registry
from circus_core.structure import Problem

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from circus_core.build import PluginSections
    from circus_core.document import Document
    from circus_core.loaded import Loaded
    from circus_core.model import PluginOptions
    from circus_core.options import Option, Section
    from circus_core.requests import Command, Handler


@define
class Resolver:
    """What plugins are looked for in and measured by.

    `sections` and `commands` are what is declared already; what the plugins declare is added. `staying` are plugins
    inside circusd that go on as they are. `bus` has these and what was found, for questions that change nothing.
    """

    document: Document
    sections: dict[str, Section]
    commands: dict[str, tuple[Command, Handler]]
    staying: Mapping[str, Loaded]
    bus: Bus = field(init=False, factory=Bus)
    _found: dict[str, Found] = field(init=False, factory=dict)
    _hosts: dict[str, str] = field(init=False, factory=dict)
    _problems: list[Problem] = field(init=False, factory=list)

    def find(self, chosen: PluginSections) -> None:
        """Find the plugins of these sections, and have them declare what they add."""
        for loaded in self.staying.values():
            self.bus.load(loaded.name, loaded.plugin)
        for name, options in chosen.options.items():
            if not options.active:
                continue
            try:
                self._found[name], self._hosts[name] = self._one(name, options)
            except CircusError as error:
                withdraw(name, self.sections, self.commands)
                self._problems.append(self._problem(name, error))

    def settled(self, chosen: PluginSections) -> PluginSections:
        """The sections with `host` of each said, the plugins that were found, and all mistakes."""
        options = {
            name: evolve(given, host=self._hosts.get(name, given.host)) for name, given in chosen.options.items()
        }
        return evolve(chosen, options=options, found=self._found, problems=(*chosen.problems, *self._problems))

    def _one(self, name: str, options: PluginOptions) -> tuple[Found, str]:
        if name in self.staying:
            loaded = self.staying[name]
            host = host_of(loaded.plugin, options)
            if loaded.use != options.use or host != "core":
                raise PluginError("circusd has a plugin of this name by itself", hint="give it another name")
            return Found(loaded.plugin, loaded.hooks), host
        plugin = instance(options.use, find(options.use))
        loaded = self.bus.load(name, plugin)
        refuse_no_plugin(options.use, plugin, loaded.hooks)
        host = host_of(plugin, options)
        if host != "core":
            refuse_outside(name, plugin, loaded.hooks)
        self.bus.declare(loaded, Registry(name, self.sections, self.commands))
        return Found(plugin, loaded.hooks), host

    def _problem(self, name: str, error: CircusError) -> Problem:
        raw = self.document.find("plugin", name)
        setting = raw.settings.get("use") if raw else None
        place = setting.place if setting else raw.place if raw else None
        message = error.message.removeprefix(f"plugin {name}: ").removeprefix("plugin ")
        return Problem(f"plugin:{name}", "use", message, error.hint, place)


def whole(document: Document, bus: Bus) -> Document:
    """A document with the sections that it does not have and, as plugins say, implies."""
    for _plugin, further in bus.ask("circus_imply_sections", document=document):
        document = document.completed(further)
    return document


def withdraw(plugin: str, sections: dict[str, Section], commands: dict[str, tuple[Command, Handler]]) -> None:
    """Take away what a plugin declared."""
    for name, section in tuple(sections.items()):
        if section.plugin == plugin:
            del sections[name]
        else:
            section.drop(plugin)
    for owned in [key for key, (command, _handler) in commands.items() if command.plugin == plugin]:
        del commands[owned]


def declared_by(declared: Section | Option | Command, plugins: Container[str]) -> bool:
    """Whether the core declared it, or one of these plugins."""
    return not declared.plugin or declared.plugin in plugins


def redeclare(
    sections: dict[str, Section], read: Mapping[str, Section], *, inside: Container[str], outside: Container[str]
) -> None:
    """Have in `sections` what plugins inside circusd declared, and of what was `read` what those outside declare."""
    for name, section in tuple(sections.items()):
        if not declared_by(section, inside):
            del sections[name]
        section.added = {key: entry for key, entry in section.added.items() if declared_by(entry, inside)}
    for name, section in read.items():
        if section.plugin in outside:
            sections.setdefault(name, section)
        if name in sections:
            elsewhere = {key: entry for key, entry in section.added.items() if entry.plugin in outside}
            sections[name].added = {**elsewhere, **sections[name].added}


def host_of(plugin: Any, options: PluginOptions) -> str:
    """Where it runs: as its section says, or else as its class does; raises PluginError for a class that is wrong."""
    said = options.host or getattr(type(plugin), "host", None) or HOSTS[0]
    if said not in HOSTS:
        raise PluginError(f"its class has host = {said!r}", hint=f"possible are {', '.join(HOSTS)}")
    return str(said)
