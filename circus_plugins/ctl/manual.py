"""The text of `circusctl --help`: options, and the commands by what they need; it lists, and explains no command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_plugins.ctl.catalogue import OWN, local
from circus_plugins.ctl.parsers import global_parser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from circus_core.requests import Command

_CLOSING = """\
`circusctl COMMAND --help` explains a command. Global options may also stand after the command.
Without a command there is a prompt; if standard input is no terminal, its lines are the commands.

exit status: 0 done, 1 no answer in time or interrupted, 2 wrong usage, 3 circusd refused"""


def overview(learned: Iterable[Command]) -> str:
    """Help for circusctl as a whole; `learned` are commands that only the running circusd knows."""
    known = local()
    extra = {command.name: command for command in learned if command.name not in known}
    groups = {
        "commands": {name: command for name, command in known.items() if name not in OWN},
        "commands of plugins in this circusd": extra,
        "circusctl itself": OWN,
    }
    width = max(len(name) for group in groups.values() for name in group)
    parts = []
    for title, group in groups.items():
        if group:
            rows = [f"  {name:{width}}  {group[name].summary}" for name in sorted(group)]
            parts.append("\n".join([f"{title}:", *rows]))
    return global_parser("\n\n".join([*parts, _CLOSING])).format_help()
