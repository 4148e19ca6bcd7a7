"""Reads a command line by the commands' declarations; it knows no command by name and contacts nobody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from circus_plugins.ctl.conversion import ConversionError, convert, convert_rest
from circus_plugins.ctl.grammar import GLOBALS, flags, metavar, positionals, spoken, unhidden_globals, usage
from circus_plugins.ctl.mistakes import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from circus_core.requests import Argument, Command

_NUMBER = re.compile(r"-(\d+(\.\d*)?|\.\d+)$")


def split(words: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The global options before the command, and the words from the command on; raises UsageError."""
    at = 0
    while at < len(words) and _like_option(words[at]):
        at += 2 if _takes_value(words[at], GLOBALS) else 1
    return _parse(None, words[:at], GLOBALS), words[at:]


def read(command: Command, words: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The properties of a request, and the global options that stand after the command; raises UsageError.

    The properties hold only what was given: circusd knows the defaults. Options by key stay texts (see `watching`).
    """
    arguments = command.arguments + unhidden_globals(command)
    options, found = _sort(command, words)
    given = _parse(command, options, arguments)
    own = {argument.name: argument for argument in command.arguments}
    properties = {name: value for name, value in given.items() if name in own}
    settings = {name: value for name, value in given.items() if name not in own}
    for name, value in properties.items():
        if own[name].kind == "object":
            properties[name] = dict(value)
    if not settings.get("help"):
        missing = [each for each in command.arguments if each.required and each.flag and each.name not in properties]
        if missing:
            hint = "\n".join(f"{each.flag}: {each.help}" for each in missing)
            flags = " and ".join(each.flag for each in missing)
            raise UsageError(f"{spoken(command.name)}: {flags} missing", hint=hint, usage=f"usage: {usage(command)}")
        properties |= _assign(command, found)
    return properties, settings


def _parse(command: Command | None, words: list[str], arguments: tuple[Argument, ...]) -> dict[str, Any]:
    if not words:
        return {}
    from circus_plugins.ctl.parsers import command_parser, global_parser

    parser = global_parser() if command is None else command_parser(command)
    given, unknown = parser.parse_known_args(words)
    if unknown:
        flag = unknown[0].partition("=")[0]
        hint = nearest(flag, [name for argument in arguments if argument.flag for name in flags(argument)])
        raise UsageError(f"{parser.prog}: unknown option {flag}", hint=hint, usage=parser.format_usage().strip())
    return vars(given)


def _sort(command: Command, words: list[str]) -> tuple[list[str], list[str]]:
    """The options of a command line, and its other words; after `--` nothing is an option.

    Words that a command takes to the end are options only where they are known ones (`set`, `get`); in a program's
    command line (`add`) only the last ones may be, and only switches of the command itself.
    """
    arguments = command.arguments + unhidden_globals(command)
    declared = positionals(command)
    rest = declared[-1] if declared and declared[-1].rest else None
    options: list[str] = []
    found: list[str] = []
    left = iter(words)
    for word in left:
        in_rest = rest is not None and len(found) >= len(declared)
        if in_rest and rest is not None and rest.kind == "text":
            found.append(word)
        elif word == "--":
            return options, [*found, *left]
        elif _find(word, arguments) or (_like_option(word) and not in_rest):
            options.append(word)
            if _takes_value(word, arguments):
                options.extend(_next(left))
        else:
            found.append(word)
    if rest is not None and rest.kind == "text":
        while len(found) > len(declared) and _is_switch(found[-1], command.arguments):
            options.append(found.pop())
    return options, found


def _next(words: Iterable[str]) -> list[str]:
    for word in words:
        return [word]
    return []


def _assign(command: Command, words: list[str]) -> dict[str, Any]:
    """The values of the positional arguments. Required ones come first in line for words, the others in their order."""
    name, syntax = spoken(command.name), f"usage: {usage(command)}"
    declared = positionals(command)
    needed = [argument for argument in declared if argument.required]
    if len(words) < len(needed):
        missing = " and ".join(metavar(argument) for argument in needed[len(words) :])
        raise UsageError(f"{name}: {missing} missing", usage=syntax)
    spare = len(words) - len(needed)
    left = list(words)
    values: dict[str, Any] = {}
    for argument in declared:
        if not left or not (argument.required or spare):
            continue
        spare -= 0 if argument.required else 1
        try:
            if argument.rest:
                values[argument.name], left = convert_rest(argument, left), []
            else:
                values[argument.name] = convert(argument, left.pop(0))
        except ConversionError as error:
            raise UsageError(f"{name}: {metavar(argument)}: {error}", usage=syntax) from None
    if left:
        takes = " ".join(metavar(argument) for argument in declared) or "no words"
        raise UsageError(f"{name}: too many words: {' '.join(left)}", hint=f"it takes {takes}", usage=syntax)
    return values


def _like_option(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and not _NUMBER.match(word)


def _find(word: str, arguments: tuple[Argument, ...]) -> Argument | None:
    flag = word.partition("=")[0]
    found = next((argument for argument in arguments if argument.flag and flag in flags(argument)), None)
    if found is None and len(word) > 2:  # as in -n20
        found = next((argument for argument in arguments if argument.short and argument.short == word[:2]), None)
    return found


def _takes_value(word: str, arguments: tuple[Argument, ...]) -> bool:
    found = _find(word, arguments)
    attached = found is not None and found.short and word[:2] == found.short and len(word) > 2
    return found is not None and found.kind != "boolean" and "=" not in word and not attached


def _is_switch(word: str, arguments: tuple[Argument, ...]) -> bool:
    found = _find(word, arguments)
    return found is not None and found.kind == "boolean" and "=" not in word
