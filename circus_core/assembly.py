"""Put plugins, their declarations and a configuration together into what a supervisor runs on. It starts nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from circus_core import commands, lean, model
from circus_core.build import in_order
from circus_core.bus import Bus
from circus_core.config import PluginSections, accept, build, read
from circus_core.config import plugins as plugin_sections
from circus_core.errors import ConfigError, RequestError
from circus_core.finding import find, instance, plugin_options
from circus_core.model import Config, PluginOptions, SupervisorOptions
from circus_core.plugin import CircusPlugin, Registry
from circus_core.structure import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circus_core.document import Document
    from circus_core.loaded import Loaded
    from circus_core.model import WatcherOptions
    from circus_core.options import Option, Section
    from circus_core.plugin import Client
    from circus_core.requests import Command, Handler

log = logging.getLogger("circus.config")

DEFAULT_PLUGINS: Mapping[str, str] = {
    "control": "circus_plugins.control:Control",
    "publisher": "circus_plugins.publisher:Publisher",
    "virtualenv": "circus_plugins.virtualenv:Virtualenv",
    "hooks": "circus_plugins.hooks:Hooks",
    "host": "circus_plugins.host:Host",
}
"""What circusd loads without being asked, by dotted path; nothing else runs unless the configuration names it."""


Examine = Callable[[SupervisorOptions], Iterable[tuple[str, str, str]]]
"""Finds what is wrong with options of [circus]: the key, what is wrong, and what to do."""


@frozen
class Reading:
    """A configuration that was read and is not in force, and the sections with what plugins added for it."""

    config: Config
    sections: Mapping[str, Section]


@define
class Assembly:
    """A bus with plugins, the sections and commands they declared, and the configuration read with these."""

    bus: Bus = field(factory=Bus)
    sections: dict[str, Section] = field(factory=model.sections)
    commands: dict[str, tuple[Command, Handler]] = field(factory=commands.table)
    config: Config = field(factory=Config)
    path: str | None = None
    strict: bool = False
    open_to_plugins: bool = True
    examine: Examine = field(default=lambda _options: ())

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

    def judge(
        self, document: Document, sections: Mapping[str, Section], chosen: PluginSections | None = None
    ) -> Config:
        """What a document says, with a watcher for each host of plugins; raises ConfigError with all its mistakes.

        Raises PluginError for a plugin that cannot be found. `chosen` are the sections of plugins, if they are known.
        """
        if chosen is None or not self.open_to_plugins:
            chosen = plugin_sections(document, sections) if self.open_to_plugins else PluginSections({}, {})
        hosts, problems = self._hosts(document, sections, chosen)
        problems += self._check_plugins(document, chosen)
        config, found = build(document, sections, strict=self.strict, chosen=chosen)
        if config is not None:
            problems += self._check_supervisor(document, config)
        problems = in_order(document, (*found, *problems))
        config = accept(None if any(not problem.warning for problem in problems) else config, problems)
        return evolve(config, watchers={**config.watchers, **hosts})

    def _hosts(
        self, document: Document, sections: Mapping[str, Section], chosen: PluginSections
    ) -> tuple[Mapping[str, WatcherOptions], list[Problem]]:
        for loaded in tuple(self.bus.loaded.values()):
            answer = self.bus.call(loaded, "circus_decide_hosts", document=document, sections=sections, plugins=chosen)
            if answer is not None:
                return answer[0], list(answer[1])
        return {}, []

    def _check_plugins(self, document: Document, chosen: PluginSections) -> Iterator[Problem]:
        """What is wrong with the options of the plugins for inside circusd."""
        for name, options in chosen.options.items():
            raw = document.find("plugin", name)
            if options.inside and raw is not None:
                loaded = self.bus.loaded.get(name)
                plugin = loaded.plugin if loaded and loaded.use == options.use else find(options.use, self.folder)
                yield from plugin_options(name, plugin, chosen.settings[name], raw.place)[1]

    def _check_supervisor(self, document: Document, config: Config) -> Iterator[Problem]:
        """What is wrong with [circus] for who runs this."""
        circus = document.find("circus")
        for key, message, hint in self.examine(config.supervisor):
            setting = circus.settings.get(key) if circus else None
            yield Problem("circus", key, message, hint, setting.place if setting else None)

    def reread(self) -> Reading:
        """The configuration as its files are now; raises ConfigError and PluginError.

        What is in force stays in force, until `adopt`.
        """
        if self.path is None:
            raise RequestError("there is no configuration file to read again", hint="the supervisor was made without")
        # What plugins outside circusd declared, they declare anew.
        sections = {name: evolve(section, added=self._own(section)) for name, section in self.sections.items()}
        return Reading(self.judge(read(self.path), sections), sections)

    def adopt(self, new: Reading) -> None:
        """Have a configuration in force, with what its plugins declared."""
        self.config = new.config
        for name, section in new.sections.items():
            elsewhere = {key: entry for key, entry in section.added.items() if entry.plugin not in self.bus.loaded}
            self.sections[name].added = {**self._own(self.sections[name]), **elsewhere}

    def keep(self, options: WatcherOptions) -> None:
        """Have one watcher's section in force as it was before."""
        self.config = evolve(self.config, watchers={**self.config.watchers, options.name.lower(): options})

    def _own(self, section: Section) -> dict[str, Option]:
        """What plugins inside circusd added to a section."""
        return {key: entry for key, entry in section.added.items() if entry.plugin in self.bus.loaded}


def assemble(
    path: str | None = None,
    *,
    config: Config | None = None,
    plugins: Mapping[str, object] | None = DEFAULT_PLUGINS,
    strict: bool = False,
    examine: Examine | None = None,
) -> Assembly:
    """Load plugins, then read a configuration with what they declared; raises ConfigError and PluginError.

    `plugins` are dotted paths, classes or objects by name; None is no plugin whatever, not even those that the
    configuration names. Without a `path`, `config` is in force as it is. `examine` finds what else may be wrong with
    the options of `[circus]`, now and whenever the configuration is read again.
    """
    made = Assembly(path=path, strict=strict, open_to_plugins=plugins is not None)
    if examine is not None:
        made.examine = examine
    for name, plugin in (plugins or {}).items():
        made.load(name, plugin)
    if path is None:
        made.config = config or Config()
        return made
    document = read(path)
    if plugins is None:
        made.config = made.judge(document, made.sections)
        return made
    chosen = plugin_sections(document, made.sections)
    known = tuple(made.sections["plugin"])
    for name, options in chosen.options.items():
        made.load_configured(name, options)
    if tuple(made.sections["plugin"]) != known:
        # One of them has options for all plugins.
        chosen = plugin_sections(document, made.sections)
    made.config = made.judge(document, made.sections, chosen)
    return made
