"""Builds argparse parsers from the commands' declarations, for options, help and completion; it runs nothing."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from circus_plugins.ctl.conversion import ConversionError, convert, pair
from circus_plugins.ctl.grammar import GLOBALS, flags, metavar, spoken, unhidden_globals, usage
from circus_plugins.ctl.mistakes import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.requests import Argument, Command

PLAIN: dict[str, Any] = {"argument_default": argparse.SUPPRESS, "add_help": False, "allow_abbrev": False}
"""Settings of every parser: no values of its own, no guessing."""


class Parser(argparse.ArgumentParser):
    """argparse, except that a mistake is raised and not printed."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "), usage=self.format_usage().strip())


class Layout(NamedTuple):
    """What a parser's help has besides its arguments, and how many columns wide it is; the texts are laid out."""

    columns: int
    description: str
    epilog: str


def global_parser(layout: Layout | None = None) -> Parser:
    """The parser of the options that stand before the command."""
    parser = Parser(**_settings("circusctl", "circusctl [options] [COMMAND ...]", layout))
    group = parser.add_argument_group("options")
    for argument in GLOBALS:
        _add_option(group, argument)
    return parser


def command_parser(command: Command, layout: Layout | None = None) -> Parser:
    """The parser of everything that may stand after a command. Its help leaves the global options out.

    Positional words are in it for help and completion only: `syntax` sorts them out first, because argparse can take
    neither an optional word before a required one with options in between, nor a command line with options of its own.
    """
    parser = Parser(**_settings(f"circusctl {spoken(command.name)}", usage(command), layout))
    own = set(command.arguments)
    for action, argument in fill(parser, command, words_needed=False):
        if argument not in own:
            action.help = argparse.SUPPRESS
    return parser


def fill(parser: Parser, command: Command, *, words_needed: bool = True) -> list[tuple[argparse.Action, Argument]]:
    """Add a command's arguments to a parser, all its words optional unless they are `words_needed`."""
    words = parser.add_argument_group("arguments")
    options = parser.add_argument_group("options")
    further = parser.add_argument_group("global options")
    made = []
    for argument in command.arguments:
        if argument.positional:
            nargs = "*" if argument.rest else None if argument.required else "?"
            nargs = nargs if words_needed else "?"
            action = words.add_argument(argument.name, nargs=nargs, metavar=metavar(argument), help=_help(argument))
        else:
            action = _add_option(options, argument)
        made.append((action, argument))
    made += [(_add_option(further, argument), argument) for argument in unhidden_globals(command)]
    return made


def _settings(prog: str, usage: str, layout: Layout | None) -> dict[str, Any]:
    settings = {"prog": prog, "usage": usage, **PLAIN}
    if layout is not None:
        settings["description"] = layout.description.replace("%", "%%")
        settings["epilog"] = layout.epilog.replace("%", "%%")
        settings["formatter_class"] = partial(argparse.RawDescriptionHelpFormatter, width=layout.columns)
    return settings


def _add_option(group: argparse._ArgumentGroup, argument: Argument) -> argparse.Action:
    names, shown = flags(argument), _help(argument)
    if argument.kind == "boolean":
        const = argument.default is not True
        return group.add_argument(*names, dest=argument.name, action="store_const", const=const, help=shown)
    if argument.kind == "object":
        return group.add_argument(
            *names, dest=argument.name, action="append", type=_told(pair), metavar=metavar(argument), help=shown
        )
    value = f"{{{','.join(argument.choices)}}}" if argument.choices else metavar(argument)
    return group.add_argument(
        *names, dest=argument.name, type=_told(lambda text: convert(argument, text)), metavar=value, help=shown
    )


def _told(read: Callable[[str], object]) -> Callable[[str], object]:
    """As `read`; argparse passes the text of one sort of error on."""

    def told(text: str) -> object:
        try:
            return read(text)
        except ConversionError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return told


def _help(argument: Argument) -> str:
    text = argument.help
    if argument.kind == "boolean":
        text = (argument.off or f"Turns `{argument.name}` off: {text}") if argument.default is True else text
    elif argument.default is not None:
        text += f" (default: {argument.default})"
    elif argument.positional and argument.choices:
        *some, last = argument.choices
        text = f"{text.removesuffix('.')}: {', '.join(some)} or {last}."
    return text.replace("%", "%%")
