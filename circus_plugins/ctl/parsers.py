"""Builds argparse parsers from the commands' declarations, for options, help and completion; it runs nothing."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from circus_core.requests import Argument, Command
from circus_plugins.ctl.conversion import convert, pair
from circus_plugins.ctl.mistakes import UsageError

GLOBALS = (
    Argument("endpoint", "text", "Where circusd listens, such as ipc:///run/circus/control.sock or "
             "tcp://127.0.0.1:5555. Else CIRCUSCTL_ENDPOINT counts, else the runtime directory."),
    Argument("timeout", "number", "Seconds to wait for an answer. Unless this is given, a command with --waiting "
             "goes on for as long as circusd shows that it is alive.", default=5.0),
    Argument("json", "boolean", "Print the reply as one line of JSON."),
    Argument("prettify", "boolean", "With --json: indent it."),
    Argument("key", "text", "The client's key file, where circusd asks for one. Else CIRCUSCTL_KEY counts."),
    Argument("ssh", "text", "Reach circusd through ssh: [USER@]HOST[:PORT]."),
    Argument("ssh_keyfile", "text", "The private key for --ssh."),
    Argument("version", "boolean", "Print circusctl's version."),
    Argument("help", "boolean", "Show this help, or that of a command."),
)  # fmt: skip


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
    parser = Parser(**_text(f"circusctl {command.name}", usage(command), command.summary, _epilog(command)))
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


def unhidden_globals(command: Command) -> tuple[Argument, ...]:
    """The global options that no option of the command hides."""
    own = {argument.flag for argument in command.arguments}
    return tuple(argument for argument in GLOBALS if argument.flag not in own)


def usage(command: Command) -> str:
    """The command's syntax in one line."""
    words = ["circusctl", command.name, "[options]"]
    for argument in positionals(command):
        word = f"{metavar(argument)}..." if argument.rest else metavar(argument)
        words.append(word if argument.required else f"[{word}]")
    return " ".join(words)


def positionals(command: Command) -> list[Argument]:
    """The arguments that are given without a flag, in order."""
    return [argument for argument in command.arguments if argument.positional]


def metavar(argument: Argument) -> str:
    """How an argument's value is called in help and messages."""
    if argument.kind == "object":
        return "KEY VALUE" if argument.positional else "KEY=VALUE"
    return argument.name.upper()


def flags(argument: Argument) -> list[str]:
    """Every way to write an option, the first being the usual one."""
    if argument.flag == "--help":
        return ["--help", "-h"]
    return list(dict.fromkeys([argument.flag, argument.flag.replace("_", "-")]))


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
            *names, dest=argument.name, action="append", type=pair, metavar=metavar(argument), help=shown
        )
    value = f"{{{','.join(argument.choices)}}}" if argument.choices else metavar(argument)
    return group.add_argument(
        *names, dest=argument.name, type=lambda text: convert(argument, text), metavar=value, help=shown
    )


def _help(argument: Argument) -> str:
    plain = argument.default is None or isinstance(argument.default, bool)
    return (argument.help + ("" if plain else f" (default: {argument.default})")).replace("%", "%%")


def _epilog(command: Command) -> str:
    parts = [command.help] if command.help else []
    if command.example:
        parts.append(f"example:\n  {command.example}")
    if command.replies:
        parts.append("with --json:\n" + "\n".join(f"  {key}: {meaning}" for key, meaning in command.replies.items()))
    parts.append(f"role needed: {command.role.name.lower()}")
    return "\n\n".join(parts)
