"""The texts of `--help`, as wide as the terminal: of circusctl as a whole, and of one command; it asks nobody."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from circus_plugins.ctl.catalogue import OWN, local
from circus_plugins.ctl.grammar import spoken, unhidden_globals
from circus_plugins.ctl.parsers import Layout, command_parser, global_parser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from circus_core.requests import Command

WIDEST = 100
"""Columns that are used at most: longer lines are hard to read."""
_OPENING = "Tells circusd what to do with the watchers that it keeps, and shows how they are."
_CLOSING = (
    "`circusctl COMMAND --help` explains a command. Global options may also stand after the command.",
    "Without a command there is a prompt; if standard input is no terminal, its lines are the commands.",
)
_STATUS = {"0": "done", "1": "no answer in time, or interrupted", "2": "wrong usage", "3": "circusd refused",
           "130": "Ctrl-C, where something was followed"}  # fmt: skip


def overview(learned: Iterable[Command]) -> str:
    """Help for circusctl as a whole; `learned` are commands that only the running circusd knows."""
    known = local()
    extra = {command.name: command for command in learned if command.name not in known}
    groups = {
        "commands": {name: command for name, command in known.items() if name not in OWN},
        "commands of plugins in this circusd": extra,
        "circusctl itself": OWN,
    }
    names = max(len(spoken(command.name)) for group in groups.values() for command in group.values())
    parts = []
    for title, group in groups.items():
        if group:
            rows = [_entry(spoken(name), group[name].summary, names) for name in sorted(group)]
            parts.append("\n".join([f"{title}:", *rows]))
    parts += [_paragraph(text) for text in _CLOSING]
    parts.append("\n".join(["exit status:", *(_entry(code, meaning, 1) for code, meaning in _STATUS.items())]))
    return global_parser(_layout(_paragraph(_OPENING), "\n\n".join(parts))).format_help()


def explanation(command: Command, learned: Iterable[Command] = ()) -> str:
    """Help for one command; `learned` is as for the overview."""
    parts = []
    if command.example:
        parts.append(f"example:\n  {command.example}")
    if command.replies:
        names = max(map(len, command.replies))
        rows = [_entry(key, meaning, names) for key, meaning in command.replies.items()]
        parts.append("\n".join(["with --json, the reply has:", *rows]))
    below = below_of(command, [*local().values(), *learned])
    if below:
        names = max(len(spoken(each.name)) for each in below)
        parts.append("\n".join(["see also:", *(_entry(spoken(each.name), each.summary, names) for each in below)]))
    flags = " ".join(argument.flag for argument in unhidden_globals(command))
    parts.append(_paragraph(f"global options (see circusctl --help): {flags}", hanging="  "))
    if command.name not in OWN:
        parts.append(_paragraph(f"role that clients with keys need: {command.role.name.lower()}"))
    description = "\n\n".join(_paragraph(text) for text in (command.summary, command.help) if text)
    return command_parser(command, _layout(description, "\n\n".join(parts))).format_help()


def below_of(command: Command, known: Iterable[Command]) -> list[Command]:
    """The commands that begin with the name of this one, by name: `plugins add` is one below `plugins`."""
    found = {each.name: each for each in known if each.name.startswith(f"{command.name}_")}
    return [found[name] for name in sorted(found)]


def _layout(description: str, epilog: str) -> Layout:
    return Layout(_columns(), description, epilog)


def _columns() -> int:
    # As wide as argparse's own: the last two columns stay free.
    return min(shutil.get_terminal_size().columns, WIDEST) - 2


def _entry(name: str, meaning: str, names: int) -> str:
    """A line of a list, whose first column is `names` wide; where that takes half of the width, two lines."""
    if names * 2 > _columns():
        return f"  {name}\n{_paragraph(meaning, indent='    ', hanging='    ')}"
    return _paragraph(f"{name:{names}}  {meaning}", indent="  ", hanging=" " * (names + 4))


def _paragraph(text: str, *, indent: str = "", hanging: str = "") -> str:
    return textwrap.fill(
        text, _columns(), initial_indent=indent, subsequent_indent=hanging,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
