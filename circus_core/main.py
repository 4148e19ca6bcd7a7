"""circusd's command line and exit status; what it runs is `circus_core.service`'s, and is imported only to run it.

Exit status: 0 after a normal end, 2 for bad options or a bad configuration, 1 for whatever else kept it from starting,
and the status of the process that failed where `exit_on_failure` ended it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from circus_core import __version__, lean, logs
from circus_core.daemon import STOP, detach, open_standard
from circus_core.errors import CircusError, ConfigError, OptionError
from circus_core.inherited import Inherited, take
from circus_core.kinds import LEVELS

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

    from circus_core.daemon import Report

log = logging.getLogger("circus")


class Arguments:
    """What the command line said; where it says nothing, these."""

    config: str | None = None
    check = False
    strict = False
    no_plugins = False
    daemon = False
    pidfile: str | None = None
    log_level: str | None = None
    log_output: str | None = None
    logger_config: str | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run circusd with these arguments, or those of the process; answers the exit status."""
    arguments = _read(sys.argv[1:] if argv is None else list(argv))
    if arguments is None:
        return 0
    try:
        return _obey(arguments)
    except _ToldToLeave:
        return 0


def _obey(arguments: Arguments) -> int:
    if not arguments.check:
        for signum in STOP:
            signal.signal(signum, _leave)
    open_standard()
    held = logs.hold()
    report: Report = _print
    try:
        # Before circusd gets another pid, and opens files.
        given = Inherited() if arguments.check else take(os.environ)
        if arguments.daemon and not arguments.check:
            report = detach(keep=given.descriptors)
        status = _run(arguments, given, held, report)
    except Exception as error:
        status, text = _explain(error)
        if held in logging.getLogger().handlers:
            # Nobody knows yet where the log is.
            text = "\n".join([*_warnings(held), text])
        elif logging.getLogger().handlers and (arguments.daemon or not logs.on_stderr()):
            # Without a handler Python would print it, and so does the report.
            log.critical("%s", text)
        report(status, text)
        return status
    if arguments.daemon:
        report(status or 1, "circusd: stopped before it was up")
    return status


def _run(arguments: Arguments, given: Inherited, held: logs.Held, report: Report) -> int:
    lean.import_asyncio()
    from circus_core import service

    if not arguments.check:
        return service.serve(arguments, given, started=lambda: report(0, "\n".join(_warnings(held))))
    actions = service.check(arguments)
    for line in _warnings(held):
        print(line, file=sys.stderr)
    for action in actions:
        print(action)
    if not actions:
        print("no watcher and no plugin: circusd would start nothing, and wait for commands such as `circusctl add`")
    return 0


def _read(argv: list[str]) -> Arguments | None:
    """The arguments, or None if there is nothing to run; exits as argparse does for those that cannot be read."""
    arguments = Arguments()
    if len(argv) == 1 and not argv[0].startswith("-"):
        # The common case, without a parser that would stay in memory for as long as circusd runs.
        arguments.config = argv[0]
        return arguments
    parser = _parser()
    parser.parse_args(argv, namespace=arguments)
    if arguments.config is None:
        if arguments.check:
            parser.error("--check needs a configuration file")
        parser.print_usage()
        return None
    return arguments


def _parser() -> ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="circusd",
        description="Keep the programs of a configuration running.",
        epilog="SIGTERM, SIGINT and SIGQUIT stop everything, and a second one at once. SIGHUP opens the log anew and "
        "reloads every watcher gracefully.",
        # The width of the terminal is found by modules that would then stay in memory for good.
        formatter_class=partial(argparse.HelpFormatter, width=100),
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("config", nargs="?", default=argparse.SUPPRESS, help="the configuration, a .ini or .toml file")
    add(
        "--check",
        action="store_true",
        default=argparse.SUPPRESS,
        help="find every mistake in the configuration, print what would start, and end",
    )
    add(
        "--strict",
        action="store_true",
        default=argparse.SUPPRESS,
        help="take options and sections that nobody knows as mistakes",
    )
    add(
        "--no-plugins",
        action="store_true",
        default=argparse.SUPPRESS,
        help="load no plugin, so that circusd cannot be reached by circusctl",
    )
    add(
        "--daemon",
        action="store_true",
        default=argparse.SUPPRESS,
        help="go into the background; return once it runs, or say why it does not",
    )
    add("--pidfile", metavar="FILE", help="keep the pid in this file, which only one circusd can hold")
    add("--log-level", metavar="LEVEL", type=_level, help=f"{', '.join(LEVELS)}; {logs.DEFAULT_LEVEL} if not given")
    add(
        "--log-output",
        metavar="OUTPUT",
        help="a file, - for standard error (which is the default), or syslog://[HOST[:PORT]][/PATH][?FACILITY]",
    )
    add(
        "--logger-config",
        metavar="FILE",
        help="a .ini, .json, .toml or (with PyYAML) .yaml file for Python's logging.config",
    )
    add("--version", action="version", version=__version__)
    return parser


def _level(text: str) -> str:
    import argparse

    try:
        logs.level_number(text)
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


class _ToldToLeave(BaseException):
    """Told to stop before anything was started. No SystemExit, for that is what a plugin's import may raise."""


def _leave(_signum: int, _frame: object) -> None:
    raise _ToldToLeave


def _print(_status: int, text: str) -> None:
    """The report of a circusd that is not a daemon. Its warnings are in the log."""
    if _status and text:
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def _warnings(held: logs.Held) -> list[str]:
    return [f"warning: {warning}" for warning in held.warnings()]


def _explain(error: Exception) -> tuple[int, str]:
    """The exit status for an error, and what to say."""
    if isinstance(error, ConfigError):
        return 2, str(error)
    if isinstance(error, CircusError):
        return 2 if isinstance(error, OptionError) else 1, f"circusd: {error}"
    import traceback

    return 1, f"circusd has a defect, please report it:\n{''.join(traceback.format_exception(error))}"


if __name__ == "__main__":
    sys.exit(main())
