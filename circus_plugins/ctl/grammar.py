"""How a command line is written: global options, flags, words and usage, all from declarations; it parses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_core.requests import COMMANDS, Argument

if TYPE_CHECKING:
    from circus_core.requests import Command

GLOBALS = (
    Argument("endpoint", "text", "Where circusd listens, such as ipc:///run/circus/control.sock or "
             "tcp://127.0.0.1:5555. If it is not given, CIRCUSCTL_ENDPOINT counts, else the socket in the "
             "runtime directory."),
    Argument("timeout", "number", "Seconds to wait for an answer. Unless this is given, a command with --waiting "
             "goes on for as long as circusd shows that it is alive; and where nobody listens, any command ends "
             "after a second.", default=5.0),
    Argument("json", "boolean", "Print the reply as one line of JSON."),
    Argument("prettify", "boolean", "With --json: indent it."),
    Argument("key", "text", "The client's key file, where circusd asks for one. If it is not given, CIRCUSCTL_KEY "
             "counts."),
    Argument("ssh", "text", "Reach circusd through this ssh server, [USER@]HOST[:PORT]. --endpoint is then the one "
             "it has there, and tcp://127.0.0.1:5555 if none is given."),
    Argument("ssh_keyfile", "text", "The private key file for --ssh."),
    Argument("version", "boolean", "Print circusctl's version."),
    Argument("help", "boolean", "Show this help, or that of a command."),
)  # fmt: skip


def unhidden_globals(command: Command) -> tuple[Argument, ...]:
    """The global options that no option of the command hides."""
    own = {argument.flag for argument in command.arguments}
    return tuple(argument for argument in GLOBALS if argument.flag not in own)


def spoken(name: str) -> str:
    """How a command is called: `plugins_add` is `plugins add`, since `plugins` is a command too."""
    first, _, second = name.partition("_")
    return f"{first} {second}" if second and first in COMMANDS else name


def usage(command: Command) -> str:
    """The command's syntax in one line."""
    needed = [argument for argument in command.arguments if argument.required and argument.flag]
    words = ["circusctl", spoken(command.name), *(f"{each.flag} {metavar(each)}" for each in needed), "[options]"]
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
    names = [argument.flag, argument.flag.replace("_", "-"), argument.short]
    return list(dict.fromkeys(name for name in names if name))
