"""From what `use` says to a plugin, and from its section's settings to its options; it loads and starts nothing."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from circus_core.declarations import HOSTS
from circus_core.errors import PluginError
from circus_core.installed import ALIASES, PLUGINS, entries, registered
from circus_core.nearest import did_you_mean
from circus_core.options import Section
from circus_core.plugin import CircusPlugin
from circus_core.structure import structure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.metadata import EntryPoint

    from circus_core.structure import Place, Problem, Setting

LATE = "if it was installed --editable while circusd ran, only the next circusd finds it"
EXPECTED = "such as package.module:Class, FILE.py:Class or the name of an installed plugin"
_PYTHON = re.compile(re.escape(__file__) + r"|<frozen|.*/importlib/")
"""Files through which an import goes before it comes to the module itself."""
UNKNOWN = "is not an option of this plugin"


@frozen
class Found:
    """The plugin that a section means, and the hooks it implements."""

    plugin: Any
    hooks: tuple[str, ...]


def find(use: str) -> Any:
    """What `use` means: `package.module:Name`, `package.module.Name`, `file.py:Name`, or an entry point's name.

    `package.module` and `file.py` mean the module itself. Raises PluginError.
    """
    if not use:
        raise PluginError("plugin is empty", hint=EXPECTED)
    if use.startswith("circus.") and (alias := registered(use, ALIASES)) is not None:
        return _load(alias)
    module_name, colon, attribute = use.partition(":")
    if module_name.endswith(".py"):
        module = _from_file(use, module_name)
        if not colon:
            return module
    elif not colon and not re.search(r"[./]", use):
        return _from_entry_point(use)
    else:
        if not colon:
            module_name, _dot, attribute = use.rpartition(".")
        if not module_name or not attribute or "/" in module_name:
            raise PluginError(f"plugin {use} is not the path of a class", hint=EXPECTED)
        module = _import(use, module_name)
    if attribute and hasattr(module, attribute):
        return getattr(module, attribute)
    if not colon and hasattr(module, "__path__") and importlib.util.find_spec(use) is not None:
        return _import(use, use)
    whose = os.path.basename(module_name) if module_name.endswith(".py") else module.__name__
    has = f"it has {', '.join(_classes(module)) or 'no classes'}"
    if not attribute:
        raise PluginError(f"plugin {use} has no name after the colon", hint=has)
    hint = did_you_mean(attribute, [name for name in dir(module) if not name.startswith("_")], has)
    raise PluginError(f"plugin {use}: {whose} has no {attribute}", hint=hint)


def refuse_no_plugin(use: str, found: object, hooks: Sequence[str]) -> None:
    """Raise PluginError for what implements no hook, unless it is a CircusPlugin, which may do without."""
    if hooks or isinstance(found, CircusPlugin):
        return
    classes = _classes(found) if isinstance(found, ModuleType) else []
    hint = "a plugin has methods that are named like hooks"
    if classes:
        hint = f"name one of its classes, as in {os.path.basename(use)}:{classes[0]}"
    raise PluginError(f"{use} is no plugin", hint=hint)


def _classes(module: ModuleType) -> list[str]:
    """The classes that a module defines itself, by name: one of them may be what was meant."""
    found = vars(module).items()
    return [name for name, each in found if isinstance(each, type) and each.__module__ == module.__name__]


def instance(use: str, found: object) -> object:
    """An instance, if a class was found; raises PluginError if the class cannot be called without arguments."""
    if not isinstance(found, type):
        return found
    try:
        return found()
    except PluginError:
        raise
    except Exception as error:
        hint = "it is made without arguments, and finds its options in `self.options` from circus_startup on"
        raise PluginError(f"plugin {use} cannot be made: {type(error).__name__}: {error}", hint=hint) from error


def plugin_options(
    name: str, plugin: object, settings: Mapping[str, Setting], place: Place | None = None
) -> tuple[Any | None, list[Problem]]:
    """The options of a plugin: an instance of the class `Options` it declares, without one a mapping of what is set.

    They are None if a problem is an error. `place` is that of its section. What is in force for all sections counts for
    a class that knows it.
    """
    declaration: type | None = getattr(plugin, "Options", None)
    if declaration is None:
        return {key: setting.value for key, setting in settings.items()}, []
    section = Section("plugin", declaration)
    settings = {key: each for key, each in settings.items() if not each.common or section.find(key)}
    made, problems = structure(section, settings, title=f"plugin:{name}", strict=True, place=place)
    return made, [_of_plugin(section, problem) for problem in problems]


def _of_plugin(section: Section, problem: Problem) -> Problem:
    """The problem of an unknown option, in the words of a plugin that knows all it has."""
    if not problem.key or section.find(problem.key) is not None:
        return problem
    near = section.nearest(problem.key)
    if problem.key == "host":
        return evolve(problem, message=f"is none of {', '.join(HOSTS)}, nor an option of this plugin", hint="")
    hint = f"did you mean {near}?" if near else f"it has {', '.join(entry.key for entry in section) or 'none'}"
    return evolve(problem, message=UNKNOWN, hint=hint)


def _import(use: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        searched = ", ".join(path or "." for path in sys.path)
        raise PluginError(
            f"plugin {use} cannot be imported: {type(error).__name__}: {error}",
            hint=_raised_in(error) or f"looked in {searched}",
        ) from error


def _from_file(use: str, path: str) -> ModuleType:
    name = "circus_plugin_" + os.path.basename(path).removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not os.path.exists(path):
        raise PluginError(f"plugin {use}: there is no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        message = f"plugin {use} failed: {type(error).__name__}: {error}"
        raise PluginError(message, hint=_raised_in(error)) from error
    return module


def _from_entry_point(use: str) -> Any:
    entry = registered(use)
    if entry is None:
        names = entries(PLUGINS).names
        installed = f"installed are: {', '.join(sorted(names)) or 'none'}; or give a dotted path"
        raise PluginError(f"no plugin {use} is installed", hint=did_you_mean(use, names, installed))
    return _load(entry)


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        message = f"plugin {entry.name} cannot be imported: {type(error).__name__}: {error}"
        raise PluginError(message, hint=_raised_in(error) or LATE) from error


def _raised_in(error: BaseException) -> str:
    """The line of the plugin's code that raised while it was imported; empty if it did not come that far."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"line {frame.lineno} of {frame.filename}" for frame in frames if not _PYTHON.match(frame.filename)]
    return lines[-1] if lines else ""
