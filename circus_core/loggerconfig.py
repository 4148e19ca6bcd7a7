"""Reads a file for Python's logging.config, and finds what is wrong with it; it applies none, and opens no log.

What is checked is what logging.config refuses: the form, the names that refer to each other, and whether handlers,
formatters and filters can be found and take the arguments they are given. Whoever checks imports what the file names.
"""

from __future__ import annotations

import inspect
import logging
import os
import pkgutil
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from circus_core.errors import CircusError, OptionError
from circus_core.loghandlers import unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from configparser import ConfigParser

T = TypeVar("T")
NO_ARGUMENTS = frozenset({"class", "()", ".", "level", "formatter", "filters"})
"""What logging.config takes out of a handler's table before it calls the class."""


def read(path: str) -> ConfigParser | dict[str, Any]:
    """The file as fileConfig or dictConfig take it; raises OptionError."""
    return _guarded(path, lambda: _read(path))


def check(path: str) -> None:
    """Raise OptionError for the first thing that is wrong with the file."""
    found = read(path)
    _guarded(path, lambda: _check_table(found) if isinstance(found, dict) else _check_ini(found))


def apply(path: str) -> None:
    """Set logging up as the file says; raises OptionError, and logging may then be half set up."""
    from logging.config import dictConfig, fileConfig

    found = read(path)
    if isinstance(found, dict):
        _guarded(path, lambda: dictConfig({"disable_existing_loggers": False, **found}))
    else:
        _guarded(path, lambda: fileConfig(found, disable_existing_loggers=False))


def _guarded(path: str, work: Callable[[], T]) -> T:
    """Do what may raise anything, as classes that the file names are called: it is the file's mistake."""
    try:
        return work()
    except CircusError:
        raise
    except OSError as error:
        raise OptionError(f"loggerconfig '{path}' cannot be read: {error.strerror or error}") from None
    except Exception as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise OptionError(
            f"loggerconfig '{path}' is wrong: {type(error).__name__}: {error}{cause}",
            hint="see 'Configuration file format' or 'Configuration dictionary schema' of Python's logging.config",
        ) from None


def _read(path: str) -> ConfigParser | dict[str, Any]:
    kind = os.path.splitext(path)[1].lower()
    with open(path, "rb") as file:
        if kind == ".ini":
            import configparser

            parser = configparser.ConfigParser()
            parser.read_string(file.read().decode(), os.path.basename(path))
            return parser
        if kind == ".json":
            import json

            return _table(path, json.load(file))
        if kind == ".toml":
            import tomllib

            return tomllib.load(file)
        if kind in (".yaml", ".yml"):
            try:
                import yaml  # type: ignore[import-untyped, import-not-found, unused-ignore]
            except ImportError:
                raise OptionError(
                    f"loggerconfig '{path}' is YAML, and PyYAML is not installed",
                    hint=f"install PyYAML for {sys.executable}, or write the file as .ini, .json or .toml",
                ) from None
            return _table(path, yaml.safe_load(file))
    raise OptionError(
        f"loggerconfig '{path}' has an unknown format", hint="expected a .ini, .json, .toml or .yaml file"
    )


def _table(path: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OptionError(f"loggerconfig '{path}' holds no table", hint="expected version, handlers, root and so on")
    return value


def _check_table(table: Mapping[str, Any]) -> None:
    if "version" not in table:
        raise ValueError("dictionary doesn't specify a version")
    if table["version"] != 1:
        raise ValueError(f"version is {table['version']!r}, and can only be 1")
    parts = {kind: dict(table.get(kind, {})) for kind in ("formatters", "filters", "handlers", "loggers")}
    for kind in ("formatters", "filters"):
        for name, entry in parts[kind].items():
            _found(f"{kind} {name}", entry.get("()") or entry.get("class") or "logging.Formatter")
    for name, entry in parts["handlers"].items():
        where = f"handlers {name}"
        if not {"()", "class"} & entry.keys():
            raise ValueError(f"{where} has no class")
        _check_level(where, entry.get("level"))
        _check_names(where, "formatter", [entry["formatter"]] if entry.get("formatter") else [], parts["formatters"])
        _check_names(where, "filter", entry.get("filters", ()), parts["filters"])
        arguments = {key: value for key, value in entry.items() if key not in NO_ARGUMENTS}
        _check_call(where, _found(where, entry.get("()") or entry["class"]), (), arguments)
    for name, entry in {**parts["loggers"], "root": table.get("root", {})}.items():
        _check_level(name, entry.get("level"))
        _check_names(f"logger {name}", "handler", entry.get("handlers", ()), parts["handlers"])
        _check_names(f"logger {name}", "filter", entry.get("filters", ()), parts["filters"])


def _check_ini(parser: ConfigParser) -> None:
    names = {kind: _words(parser[kind]["keys"]) for kind in ("loggers", "handlers", "formatters")}
    if "root" not in names["loggers"]:
        raise ValueError("[loggers] keys has no root")
    for name in names["formatters"]:
        _found(f"formatter_{name}", parser[f"formatter_{name}"].get("class") or "logging.Formatter")
    for name in names["handlers"]:
        entry, where = parser[f"handler_{name}"], f"handler_{name}"
        _check_level(where, entry.get("level"))
        _check_names(where, "formatter", _words(entry.get("formatter", "")), names["formatters"])
        _check_call(where, _found(where, entry["class"], "logging."), *_literal(entry))
    for name in names["loggers"]:
        entry, where = parser[f"logger_{name}"], f"logger_{name}"
        _check_level(where, entry.get("level"))
        _check_names(where, "handler", _words(entry.get("handlers", "")), names["handlers"])


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _literal(entry: Mapping[str, str]) -> tuple[tuple[Any, ...], dict[str, Any]] | tuple[None, None]:
    """The arguments of a handler, or None where only running them would tell: no code of the file is run here."""
    import ast

    texts = [entry.get("args", "()"), entry.get("kwargs", "{}")]
    for text in texts:
        ast.parse(text.strip(), mode="eval")
    try:
        arguments, keywords = map(ast.literal_eval, map(str.strip, texts))
    except ValueError:
        return None, None
    return tuple(arguments), dict(keywords)


def _found(where: str, named: Any, shorthand: str = "") -> Any:
    """The class or function that is named; raises ValueError."""
    if not isinstance(named, str):
        return named

    reason = ""
    for name in (shorthand + named, named):
        try:
            return pkgutil.resolve_name(name)
        except (ImportError, AttributeError, ValueError) as error:
            reason = str(error)
    raise ValueError(f"{where}: {named} cannot be found: {reason}")


def _check_level(where: str, level: Any) -> None:
    known = logging.getLevelNamesMapping()
    if level not in (None, "") and not isinstance(level, int) and level not in known:
        raise ValueError(f"{where}: unknown level {level!r}, known are {', '.join(known)}")


def _check_names(where: str, kind: str, asked: Iterable[str], known: Iterable[str]) -> None:
    for name in asked:
        if name not in known:
            raise ValueError(f"{where} has the {kind} {name!r}, which is nowhere in the file")


def _check_call(where: str, made: Any, arguments: Any, keywords: Any) -> None:
    if arguments is None:
        return
    for value in keywords.values():
        if isinstance(value, str) and value.startswith("ext://"):
            _found(where, value.removeprefix("ext://"))
    if not (isinstance(made, type) and issubclass(made, logging.FileHandler)):
        return
    bound = inspect.signature(made).bind(*arguments, **keywords)
    path = bound.arguments.get("filename")
    reason = unwritable(path) if isinstance(path, str) else ""
    if reason:
        raise ValueError(f"{where}: the log file '{path}' cannot be opened: {reason}")
