"""circusd-stats: the streamer by hand, with Circus' own command line (PROTOCOL.md 3.1). It becomes circus-plugin."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from circus_core import __version__, logs
from circus_core.kinds import LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = ("-m", "circus_plugins.host.main", "stats")
PASSED_ON = ("endpoint", "pubsub", "log_level", "log_output", "key")
"""Options that circus-plugin has too."""
OWN = {"statspoint": "stats_endpoint", "keys_dir": "keys_dir", "interval": "interval"}
"""Options, and what they are called in `[plugin:stats]`."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="circusd-stats", description="Publish what the processes of a circusd use.")
    add = made.add_argument
    add("--endpoint", help="where circusd takes orders; its default socket if not given")
    add("--pubsub", help="where circusd publishes events; circusd is asked if not given")
    add("--statspoint", help="where to publish; a socket that only this user can use, if not given")
    add("--interval", type=float, help="the seconds from one look to the next; 1 if not given")
    add("--keys-dir", metavar="FOLDER", help="where the keys of TCP clients are")
    add("--key", metavar="FILE", help="where circusd asks for keys: the file that `circusctl keys new` made")
    add("--log-level", help=f"{', '.join(LEVELS)}; {logs.DEFAULT_LEVEL} if not given")
    add("--log-output", help="a file, - for standard error, or syslog://...")
    add("--ssh", metavar="[USER@]HOST[:PORT]", help="refused: it reads the figures of the machine that it runs on")
    add("--version", action="version", version=f"circusd-stats {__version__}")
    return made


def arguments(argv: Sequence[str] | None = None) -> list[str]:
    """What circus-plugin is to be started with; exits where that makes no sense."""
    program = parser()
    given = vars(program.parse_args(argv))
    if given["ssh"]:
        program.error(
            "--ssh: statistics are read where the processes are; run circusd-stats there, and subscribe from here"
        )
    found = list(PROGRAM)
    for name in PASSED_ON:
        if given[name] is not None:
            found += [f"--{name.replace('_', '-')}", given[name]]
    own = [f"{key}:{given[name]}" for name, key in OWN.items() if given[name] is not None]
    return [*found, "--config", ":::".join(own)] if own else found


def main(argv: Sequence[str] | None = None) -> None:
    """Run circusd-stats with these arguments, or those of the process; it never returns."""
    os.execv(sys.executable, [sys.executable, *arguments(argv)])


if __name__ == "__main__":
    main()
