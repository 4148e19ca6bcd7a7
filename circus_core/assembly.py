"""Put plugins, their declarations and a configuration together into what a supervisor runs on. It starts nothing."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from attrs import define, field

from circus_core import commands, model
from circus_core.bus import Bus, Loaded
from circus_core.config import accept, build, read
from circus_core.config import plugins as configured_plugins
from circus_core.errors import ConfigError, PluginError, RequestError
from circus_core.model import Config, PluginOptions
from circus_core.options import Section, declared
from circus_core.plugin import CircusPlugin, Registry
from circus_core.structure import structure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from circus_core.plugin import Client
    from circus_core.requests import Command, Handler

log = logging.getLogger("circus.config")

ENTRY_POINTS = "circus.plugins"
DEFAULT_PLUGINS: Mapping[str, str] = {
    "control": "circus_plugins.control:Control",
    "publisher": "circus_plugins.publisher:Publisher",
    "virtualenv": "circus_plugins.virtualenv:Virtualenv",
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

    def load(self, name: str, plugin: object, use: str = "") -> Loaded:
        """Put a plugin on the bus; a dotted path is imported and a class is made an instance. Raises PluginError."""
        if isinstance(plugin, str):
            use = plugin
            plugin = find(plugin, os.path.dirname(self.path or ""))
        made = plugin() if isinstance(plugin, type) else plugin
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
        if options.host != "core":
            log.warning("[plugin:%s] is not loaded: this circusd hosts plugins with `host = core` only", name)
            return None
        return self.load(name, options.use, options.use)

    def equip(self, loaded: Loaded, client: Client) -> None:
        """Give a plugin its name, logger, client and checked options, if it is a CircusPlugin."""
        plugin = loaded.plugin
        if isinstance(plugin, CircusPlugin):
            plugin.name = loaded.name
            plugin.client = client
            plugin.log = logging.getLogger(f"circus.plugin.{loaded.name}")
            plugin.options = self._options(loaded.name, type(plugin))

    def _options(self, name: str, cls: type[CircusPlugin]) -> Any:
        own = declared(PluginOptions)
        settings = {key: entry for key, entry in self.config.raw_plugins.get(name, {}).items() if key not in own}
        if cls.Options is None:
            return {key: setting.value for key, setting in settings.items()}
        made, problems = structure(Section("plugin", cls.Options), settings, title=f"plugin:{name}", strict=True)
        if made is None:
            raise ConfigError(problems)
        return made

    def reread(self) -> Config:
        """The configuration as its files are now; raises ConfigError. What is in force stays in force."""
        if self.path is None:
            raise RequestError("there is no configuration file to read again", hint="the supervisor was made without")
        return accept(*build(read(self.path), self.sections, strict=self.strict))


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
    if plugins is not None:
        chosen, _settings = configured_plugins(document, made.sections)
        for name, options in chosen.items():
            made.load_configured(name, options)
    made.config = accept(*build(document, made.sections, strict=strict))
    return made


def find(use: str, folder: str = "") -> Any:
    """What `use` means: `package.module:Name`, `package.module.Name`, `file.py:Name`, or an entry point's name.

    A file is looked for in `folder`, that of the configuration. Raises PluginError.
    """
    module_name, colon, attribute = use.partition(":")
    if colon and module_name.endswith(".py"):
        module = _from_file(use, os.path.join(folder, module_name))
    elif "." not in use and not colon:
        return _from_entry_point(use)
    else:
        if not colon:
            module_name, _dot, attribute = use.rpartition(".")
        module = _import(use, module_name)
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise PluginError(f"plugin {use}: {module.__name__} has no {attribute or 'name after the colon'}") from None


def _import(use: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        searched = ", ".join(path or "." for path in sys.path)
        raise PluginError(
            f"plugin {use} cannot be imported: {type(error).__name__}: {error}", hint=f"looked in {searched}"
        ) from error


def _from_file(use: str, path: str) -> ModuleType:
    name = "circus_plugin_" + os.path.basename(path).removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not os.path.exists(path):
        raise PluginError(f"plugin {use}: there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PluginError(f"plugin {use}: {path} failed: {type(error).__name__}: {error}") from error
    return module


def _from_entry_point(use: str) -> Any:
    from importlib.metadata import entry_points

    found = entry_points(group=ENTRY_POINTS)
    if use not in found.names:
        installed = ", ".join(sorted(found.names)) or "none"
        raise PluginError(f"no plugin {use} is installed", hint=f"installed are: {installed}; or give a dotted path")
    try:
        return found[use].load()
    except Exception as error:
        raise PluginError(f"plugin {use} cannot be imported: {type(error).__name__}: {error}") from error
