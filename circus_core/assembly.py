"""Put plugins, their declarations and a configuration together into what a supervisor runs on. It starts nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from circus_core import commands, lacking, lean, model
from circus_core import values as values_of
from circus_core.build import in_order
from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.bus import Bus
from circus_core.config import PluginSections, accept, build, parse, read
from circus_core.config import plugins as plugin_sections
from circus_core.document import Document, Written
from circus_core.errors import ConfigError, RequestError
from circus_core.finding import find, instance, plugin_options
from circus_core.model import Config, PluginOptions
from circus_core.overlay import Overlay
from circus_core.plugin import CircusPlugin, Registry
from circus_core.resolving import Resolver, declared_by, host_of, redeclare, whole, withdraw
from circus_core.structure import Problem, Setting, independent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circus_core.document import RawSection
    from circus_core.finding import Found
    from circus_core.loaded import Loaded
    from circus_core.model import SupervisorOptions, WatcherOptions
    from circus_core.options import Section
    from circus_core.plugin import Client
    from circus_core.requests import Command, Handler

Examine = Callable[[Config], Iterable[Problem]]
"""Finds what is wrong with a configuration for who runs it."""


@frozen
class Reading:
    """A configuration that was read and is not in force, the sections with what plugins added for it, and these.

    `warnings` are logged. `document` is what the files say, `overlay` what commands changed of it. `again` judges it
    anew if, since `seen` was in force, commands changed more.
    """

    config: Config
    sections: Mapping[str, Section]
    found: Mapping[str, Found] = field(factory=dict)
    warnings: tuple[str, ...] = ()
    document: Document = field(factory=Document)
    overlay: Overlay = field(factory=Overlay)
    seen: Overlay = field(factory=Overlay)
    again: Callable[[], Reading] | None = field(default=None, eq=False)


@define
class Assembly:
    """A bus with plugins, the sections and commands they declared, and the configuration read with these.

    `failed` are plugins for inside circusd that could not be loaded while it runs, and why.
    """

    bus: Bus = field(factory=Bus)
    sections: dict[str, Section] = field(factory=model.sections)
    commands: dict[str, tuple[Command, Handler]] = field(factory=commands.table)
    config: Config = field(factory=Config)
    path: str | None = None
    strict: bool = False
    open_to_plugins: bool = True
    failed: dict[str, str] = field(factory=dict)
    examine: Examine = field(default=lambda _config: ())
    _found: Mapping[str, Found] = field(factory=dict)
    _declared: Mapping[str, Section] = field(factory=dict)
    _written: Written = field(factory=Written)
    _overlay: Overlay = field(factory=Overlay)
    _given: Config = field(factory=Config)

    @property
    def folder(self) -> str:
        """The folder of the configuration."""
        return os.path.dirname(self.path or "")

    def load(self, name: str, plugin: object, use: str = "") -> Loaded:
        """Put a plugin on the bus; a dotted path is imported and a class is made an instance. Raises PluginError."""
        if isinstance(plugin, str):
            use = plugin
            plugin = find(plugin)
        made = instance(use or name, plugin)
        try:
            return self.bus.load(name, made, registry=Registry(name, self.sections, self.commands), use=use)
        except BaseException:
            withdraw(name, self.sections, self.commands)
            raise

    def unload(self, name: str) -> None:
        """Take a plugin off the bus, with all it declared."""
        self.bus.unload(name)
        withdraw(name, self.sections, self.commands)
        self._declare_elsewhere()

    def load_configured(self, name: str, options: PluginOptions) -> Loaded | None:
        """Load the plugin of `[plugin:NAME]`; None if it is not one for inside circusd. Raises PluginError."""
        if not options.inside:
            return None
        lean.allow_tls()
        return self.load(name, self._found[name].plugin, options.use)

    def equip(self, loaded: Loaded, client: Client) -> None:
        """Give a plugin its name, logger, client and options, if it is a CircusPlugin; raises ConfigError."""
        options, problems = plugin_options(loaded.name, loaded.plugin, self.config.raw_plugins.get(loaded.name, {}))
        if options is None:
            raise ConfigError(problems)
        if isinstance(loaded.plugin, CircusPlugin):
            loaded.plugin.equip(loaded.name, client, options, loaded)

    def judge(self, document: Document) -> Reading:
        """What a document says, with a watcher for each host of plugins; raises ConfigError with all its mistakes.

        What is in force stays in force, until `adopt`.
        """
        chosen, sections, bus = PluginSections({}, {}), self.sections, self.bus
        if self.open_to_plugins:
            chosen, sections, bus = self._resolve(document)
        hosts, problems = self._hosts(document, sections, chosen)
        problems += self._check_plugins(document, chosen)
        config, found = build(document, sections, strict=self.strict, chosen=chosen)
        problems += found
        problems += independent(document.placed(self._further(config, sections, bus)), problems)
        config = accept(config, in_order(document, problems))
        warnings = tuple(str(problem) for problem in in_order(document, problems) if problem.warning)
        return Reading(evolve(config, watchers={**config.watchers, **hosts}), sections, chosen.found, warnings)

    def _resolve(self, document: Document) -> tuple[PluginSections, dict[str, Section], Bus]:
        """The plugins of a document, the sections as they are with what these declare, and all plugins to be asked."""
        chosen = plugin_sections(document, self.sections)
        staying = {name: each for name, each in self.bus.loaded.items() if self._stays(name, chosen)}
        sections = {
            name: evolve(
                section, added={key: entry for key, entry in section.added.items() if declared_by(entry, staying)}
            )
            for name, section in self.sections.items()
            if declared_by(section, staying)
        }
        commands = {key: entry for key, entry in self.commands.items() if declared_by(entry[0], staying)}
        if not chosen.options and len(staying) == len(self.bus.loaded):
            return chosen, sections, self.bus
        before = tuple(self.sections["plugin"])
        resolver = Resolver(document, sections, commands, staying)
        resolver.find(chosen)
        if tuple(sections["plugin"]) != before:
            # One of them has options for all plugins.
            chosen = plugin_sections(document, sections)
        return resolver.settled(chosen), sections, resolver.bus

    def _stays(self, name: str, chosen: PluginSections) -> bool:
        """Whether a loaded plugin is circusd's own, or has the section that it had."""
        before, now = self.config.plugins.get(name), chosen.options.get(name)
        if before is None or now is None:
            return before is None
        same = evolve(now, host=host_of(self.bus.loaded[name].plugin, now)) == before
        return same and _texts(self.config.raw_plugins[name]) == _texts(chosen.settings[name])

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
            if options.inside and raw is not None and name in chosen.found:
                yield from plugin_options(name, chosen.found[name].plugin, chosen.settings[name], raw.place)[1]

    def _further(self, config: Config, sections: Mapping[str, Section], bus: Bus) -> Iterator[Problem]:
        """What is wrong for who runs this, for plugins inside circusd, and on this machine."""
        yield from self.examine(config)
        for _plugin, problems in bus.ask("circus_check_config", config=config):
            yield from problems
        yield from lacking.warnings(config, sections["watcher"])

    def reread(self) -> Reading:
        """The configuration as its files are now; raises ConfigError and PluginError.

        What is in force stays in force, until `adopt`.
        """
        if self.path is None:
            raise RequestError("there is no configuration file to read again", hint="the supervisor was made without")
        document = whole(read(self.path), self.bus)
        before = whole(parse(self._written), self.bus)
        return self._reading(document, lambda overlay: overlay.after(before, document))

    def change_plugin(self, name: str, change: Callable[[RawSection | None], RawSection | None]) -> Reading:
        """The configuration in force with another section of one plugin, or with none; raises ConfigError."""
        document = whole(parse(self._written), self.bus)

        def changed(overlay: Overlay) -> Overlay:
            return overlay.changed(name, change(overlay.over(document).find("plugin", name)))

        return self._reading(document, changed)

    def current(self, reading: Reading) -> Reading:
        """The reading, or if commands changed something since, what it is now; raises ConfigError."""
        return reading if reading.again is None or reading.seen is self._overlay else reading.again()

    def touches_files(self, reading: Reading) -> bool:
        """Whether files were read for it."""
        return reading.document.written is not self._written

    def renew(self, name: str) -> None:
        """Find the plugin of `[plugin:NAME]` anew; raises PluginError."""
        use = self.config.plugins[name].use
        self._found = {**self._found, name: evolve(self._found[name], plugin=instance(use, find(use)))}

    def found(self, name: str) -> object | None:
        """The plugin that `[plugin:NAME]` means, if it is to run."""
        return self._found[name].plugin if name in self._found else None

    def _reading(self, document: Document, change: Callable[[Overlay], Overlay]) -> Reading:
        overlay = change(self._overlay)
        judged = self.judge(overlay.over(document))
        if self.path is None:
            # Everything but plugins came with the program that embeds this.
            watchers = {**self._given.watchers, **judged.config.watchers}
            config = evolve(
                self._given, watchers=watchers, plugins=judged.config.plugins, raw_plugins=judged.config.raw_plugins
            )
            judged = evolve(judged, config=config)
        again = partial(self._reading, document, change)
        return evolve(judged, document=document, overlay=overlay, seen=self._overlay, again=again)

    def adopt(self, new: Reading) -> None:
        """Have a configuration in force, with what its plugins outside circusd declare; the others are to be loaded."""
        self.config, self._found, self._declared = new.config, new.found, new.sections
        self._written, self._overlay = new.document.written, new.overlay
        self._declare_elsewhere()

    def _declare_elsewhere(self) -> None:
        outside = {name for name, options in self.config.plugins.items() if not options.inside}
        redeclare(self.sections, self._declared, inside=self.bus.loaded, outside=outside)

    def keep_circus(self, plugin: str, before: SupervisorOptions) -> None:
        """Have those options of [circus] that a plugin declared in force as they were before."""
        section = self.sections["circus"]
        mine = [key for key, entry in section.added.items() if entry.plugin == plugin]
        values = {key: values_of.read(section, before, key) for key in mine}
        self.config = evolve(self.config, supervisor=values_of.write(section, self.config.supervisor, values))

    def keep(self, options: WatcherOptions) -> None:
        """Have one watcher's section in force as it was before."""
        self.config = evolve(self.config, watchers={**self.config.watchers, options.name.lower(): options})


def _texts(settings: Mapping[str, Setting]) -> dict[str, object]:
    return {key: setting.value for key, setting in settings.items()}


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
    a configuration, now and whenever it is read again.
    """
    made = Assembly(path=path, strict=strict, open_to_plugins=plugins is not None)
    if examine is not None:
        made.examine = examine
    for name, plugin in (plugins or {}).items():
        made.load(name, plugin)
    if path is None:
        made.config = made._given = config or Config()
        return made
    made.adopt(made.reread())
    for name, options in made.config.plugins.items():
        made.load_configured(name, options)
    return made
