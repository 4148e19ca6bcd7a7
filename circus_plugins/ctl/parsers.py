"""Builds argparse parsers from the commands' declarations, for options, help and completion; it runs nothing."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

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


def global_parser(epilog: str = "") -> Parser:
    """The parser of the options that stand before the command."""
    parser = Parser(**_text("circusctl", "circusctl [options] [COMMAND ...]", epilog=epilog))
    group = parser.add_argument_group("options")
    for argument in GLOBALS:
        _add_option(group, argument)
    return parser


def command_parser(command: Command) -> Parser:
    """The parser of everything that may stand after a command.

    Positional words are in it for help and completion only: `syntax` sorts them out first, because argparse can take
    neither an optional word before a required one with options in between, nor a command line with options of its own.
    """
    parser = Parser(**_text(f"circusctl {spoken(command)}", usage(command), command.summary, _epilog(command)))
    fill(parser, command, words_needed=False)
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


def _text(prog: str, usage: str, description: str = "", epilog: str = "") -> dict[str, Any]:
    return {
        "prog": prog,
        "usage": usage,
        "description": description.replace("%", "%%"),
        "epilog": epilog.replace("%", "%%"),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        **PLAIN,
    }


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
        text = f"Turns `{argument.name}` off: {text}" if argument.default is True else text
    elif argument.default is not None:
        text += f" (default: {argument.default})"
    return text.replace("%", "%%")


def _epilog(command: Command) -> str:
    parts = [command.help] if command.help else []
    if command.example:
        parts.append(f"example:\n  {command.example}")
    if command.replies:
        parts.append("with --json:\n" + "\n".join(f"  {key}: {meaning}" for key, meaning in command.replies.items()))
    parts.append(f"role needed: {command.role.name.lower()}")
    return "\n\n".join(parts)
