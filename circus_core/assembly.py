"""Put plugins, their declarations and a configuration together into what a supervisor runs on. It starts nothing."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from circus_core import commands, lean, model
from circus_core.build import in_order
from circus_core.bus import Bus
from circus_core.config import accept, build, read
from circus_core.config import plugins as configured_plugins
from circus_core.errors import ConfigError, RequestError
from circus_core.finding import find, instance, plugin_options
from circus_core.model import Config, PluginOptions
from circus_core.plugin import CircusPlugin, Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from circus_core.document import Document
    from circus_core.loaded import Loaded
    from circus_core.model import WatcherOptions
    from circus_core.options import Section
    from circus_core.plugin import Client
    from circus_core.requests import Command, Handler
    from circus_core.structure import Problem

log = logging.getLogger("circus.config")

DEFAULT_PLUGINS: Mapping[str, str] = {
    "control": "circus_plugins.control:Control",
    "publisher": "circus_plugins.publisher:Publisher",
    "virtualenv": "circus_plugins.virtualenv:Virtualenv",
    "host": "circus_plugins.host:Host",
}
"""What circusd loads without being asked, by dotted path; nothing else runs unless the configuration names it."""


@define
class Assembly:
    """A bus with plugins, the sections and commands they declared, and the configuration read with these."""

    bus: Bus = field(factory=Bus)
    sections: dict[str, Section] = field(factory=model.sections)
    commands: dict[str, tuple[Command, Handler]] = field(factory=commands.table)
    config: Config = field(factory=Config)
    path: str | None = None
    strict: bool = False
    _read: tuple[Config, Mapping[str, Section]] | None = None

    @property
    def folder(self) -> str:
        """The folder of the configuration, where plugins that are files are looked for."""
        return os.path.dirname(self.path or "")

    def load(self, name: str, plugin: object, use: str = "") -> Loaded:
        """Put a plugin on the bus; a dotted path is imported and a class is made an instance. Raises PluginError."""
        if isinstance(plugin, str):
            use = plugin
            plugin = find(plugin, self.folder)
        made = instance(use or name, plugin)
        try:
            return self.bus.load(name, made, registry=Registry(name, self.sections, self.commands), use=use)
        except BaseException:
            self._withdraw(name)
            raise

    def unload(self, name: str) -> None:
        """Take a plugin off the bus, with all it declared."""
        self.bus.unload(name)
        self._withdraw(name)

    def _withdraw(self, name: str) -> None:
        for section in tuple(self.sections.values()):
            section.drop(name)
        for owned in [key for key, (command, _handler) in self.commands.items() if command.plugin == name]:
            del self.commands[owned]

    def load_configured(self, name: str, options: PluginOptions) -> Loaded | None:
        """Load the plugin of `[plugin:NAME]`; None if it is not one for inside circusd. Raises PluginError."""
        if not options.inside:
            return None
        lean.allow_tls()
        return self.load(name, options.use, options.use)

    def equip(self, loaded: Loaded, client: Client) -> None:
        """Give a plugin its name, logger, client and options, if it is a CircusPlugin; raises ConfigError."""
        options, problems = plugin_options(loaded.name, loaded.plugin, self.config.raw_plugins.get(loaded.name, {}))
        if options is None:
            raise ConfigError(problems)
        if isinstance(loaded.plugin, CircusPlugin):
            loaded.plugin.equip(loaded.name, client, options, loaded)

    def judge(self, document: Document, sections: Mapping[str, Section]) -> Config:
        """What a document says, with a watcher for each host of plugins; raises ConfigError with all its mistakes.

        Raises PluginError for a plugin that cannot be found.
        """
        hosts, problems = self._hosts(document, sections)
        problems += self._check_plugins(document, sections)
        config, found = build(document, sections, strict=self.strict)
        problems = in_order(document, (*found, *problems))
        config = accept(None if any(not problem.warning for problem in problems) else config, problems)
        return evolve(config, watchers={**config.watchers, **hosts})

    def _hosts(
        self, document: Document, sections: Mapping[str, Section]
    ) -> tuple[Mapping[str, WatcherOptions], list[Problem]]:
        for loaded in tuple(self.bus.loaded.values()):
            answer = self.bus.call(loaded, "circus_decide_hosts", document=document, sections=sections)
            if answer is not None:
                return answer[0], list(answer[1])
        return {}, []

    def _check_plugins(self, document: Document, sections: Mapping[str, Section]) -> Iterator[Problem]:
        """What is wrong with the options of the plugins for inside circusd."""
        chosen, settings = configured_plugins(document, sections)
        for name, options in chosen.items():
            raw = document.find("plugin", name)
            if options.inside and raw is not None:
                loaded = self.bus.loaded.get(name)
                plugin = loaded.plugin if loaded and loaded.use == options.use else find(options.use, self.folder)
                yield from plugin_options(name, plugin, settings[name], raw.place)[1]

    def reread(self) -> Config:
        """The configuration as its files are now; raises ConfigError and PluginError.

        What is in force stays in force, until `adopt`.
        """
        if self.path is None:
            raise RequestError("there is no configuration file to read again", hint="the supervisor was made without")
        # What plugins outside circusd declared, they declare anew.
        sections = {
            name: evolve(section, added={k: e for k, e in section.added.items() if e.plugin in self.bus.loaded})
            for name, section in self.sections.items()
        }
        config = self.judge(read(self.path), sections)
        self._read = config, sections
        return config

    def adopt(self, config: Config) -> None:
        """Have a configuration in force, with what its plugins declared."""
        self.config = config
        if self._read is not None and self._read[0] is config:
            for name, section in self._read[1].items():
                self.sections[name].added = section.added


def assemble(
    path: str | None = None,
    *,
    config: Config | None = None,
    plugins: Mapping[str, object] | None = DEFAULT_PLUGINS,
    strict: bool = False,
) -> Assembly:
    """Load plugins, then read a configuration with what they declared; raises ConfigError and PluginError.

    `plugins` are dotted paths, classes or objects by name; None is no plugin whatever, not even those that the
    configuration names. Without a `path`, `config` is in force as it is.
    """
    made = Assembly(path=path, strict=strict)
    for name, plugin in (plugins or {}).items():
        made.load(name, plugin)
    if path is None:
        made.config = config or Config()
        return made
    document = read(path)
    if plugins is None:
        made.config = accept(*build(document, made.sections, strict=strict))
        return made
    for name, options in configured_plugins(document, made.sections)[0].items():
        made.load_configured(name, options)
    made.config = made.judge(document, made.sections)
    return made
