"""circusd: its command line, its exit status, and what Unix signals mean to it; what it runs is the supervisor's.

Exit status: 0 after a normal end, 2 for bad options or a bad configuration, 1 for whatever else kept it from starting,
and the status of the process that failed where `exit_on_failure` ended it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
import traceback
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from circus_core import __version__, logs
from circus_core.assembly import DEFAULT_PLUGINS, assemble
from circus_core.daemon import detach, open_standard
from circus_core.errors import CircusError, ConfigError, OptionError
from circus_core.pidfile import PidFile
from circus_core.plan import first_plan
from circus_core.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circus_core.assembly import Assembly
    from circus_core.daemon import Report
    from circus_core.model import SupervisorOptions

log = logging.getLogger("circus")

STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
MEANINGLESS = (
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO,
    signal.SIGPWR,
)  # fmt: skip
"""All but SIGWINCH would end circusd and leave its processes alone (PROTOCOL.md O-51)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run circusd with these arguments, or those of the process; answers the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.config is None:
        if arguments.check:
            parser.error("--check needs a configuration file")
        parser.print_usage()
        return 0
    open_standard()
    held = logs.hold()
    report: Report = _print
    try:
        if arguments.check:
            return _check(arguments, held)
        if arguments.daemon:
            report = detach()
        for signum in STOP:
            signal.signal(signum, _leave)
        status = _serve(arguments, held, report)
        if arguments.daemon:
            report(status or 1, "circusd: stopped before it was up")
        return status
    except Exception as error:
        code, text = _explain(error)
        if held in logging.getLogger().handlers:
            # Nobody knows yet where the log is.
            text = "\n".join([*(f"warning: {warning}" for warning in held.warnings()), text])
        elif arguments.daemon or not logs.on_stderr():
            log.critical("%s", text)
        report(code, text)
        return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="circusd",
        description="Keep the programs of a configuration running.",
        epilog="SIGTERM, SIGINT and SIGQUIT stop everything, and a second one at once. SIGHUP opens the log anew and "
        "reloads every watcher gracefully.",
        # The width of the terminal is found by modules that would then stay in memory for good.
        formatter_class=partial(argparse.HelpFormatter, width=100),
    )
    add = parser.add_argument
    add("config", nargs="?", help="the configuration, a .ini or .toml file")
    add("--check", action="store_true", help="find every mistake in the configuration, print what would start, and end")
    add("--strict", action="store_true", help="take options and sections that nobody knows as mistakes")
    add("--no-plugins", action="store_true", help="load no plugin, so that circusd cannot be reached by circusctl")
    add("--daemon", action="store_true", help="go into the background; return once it runs, or say why it does not")
    add("--pidfile", metavar="FILE", help="keep the pid in this file, which only one circusd can hold")
    add(
        "--log-level", metavar="LEVEL", type=_level, help=f"{', '.join(logs.LEVELS)}; {logs.DEFAULT_LEVEL} if not given"
    )
    add(
        "--log-output",
        metavar="OUTPUT",
        help="a file, - for standard error (which is the default), or syslog://[HOST[:PORT]][/PATH][?FACILITY]",
    )
    add("--logger-config", metavar="FILE", help="a .ini, .json or .toml file for Python's logging.config")
    add("--version", action="version", version=__version__)
    return parser


def _level(text: str) -> str:
    try:
        logs.level_number(text)
    except OptionError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _assemble(arguments: argparse.Namespace) -> Assembly:
    plugins = None if arguments.no_plugins else DEFAULT_PLUGINS
    return assemble(arguments.config, plugins=plugins, strict=arguments.strict)


def _check(arguments: argparse.Namespace, held: logs.Held) -> int:
    assembly = _assemble(arguments)
    supervisor = Supervisor(assembly, daemon=True)
    problems: list[object] = []
    for loaded in assembly.bus.loaded.values():
        try:
            assembly.equip(loaded, supervisor.client)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    _level(_log_level(arguments, assembly.config.supervisor) or logs.DEFAULT_LEVEL)
    for warning in held.warnings():
        print(f"warning: {warning}", file=sys.stderr)
    for action in first_plan(assembly.config):
        print(action)
    return 0


def _serve(arguments: argparse.Namespace, held: logs.Held, report: Report) -> int:
    assembly = _assemble(arguments)
    options = assembly.config.supervisor
    if options.umask is not None:
        os.umask(options.umask)
    logs.configure(
        _log_level(arguments, options),
        arguments.log_output or options.logoutput,
        arguments.logger_config or options.loggerconfig,
    )
    if options.debug_gc:
        gc.set_debug(gc.DEBUG_LEAK)
    _set_title()
    pidfile = arguments.pidfile or options.pidfile
    # Who started a daemon sees no log on standard error, so the warnings are for them.
    warnings = "\n".join(held.warnings()) if arguments.daemon else ""
    with PidFile(pidfile) if pidfile else nullcontext():
        return asyncio.run(_supervise(assembly, report, warnings))


def _log_level(arguments: argparse.Namespace, options: SupervisorOptions) -> str | None:
    level: str | None = arguments.log_level
    return level or ("debug" if options.debug else options.loglevel)


async def _supervise(assembly: Assembly, report: Report, warnings: str) -> int:
    log.info("circusd %s starts, pid %d", __version__, os.getpid())
    supervisor = Supervisor(assembly, daemon=True)
    starting = asyncio.ensure_future(supervisor.start())
    # By its first pause it has taken the signals over, and has not started any process.
    await asyncio.sleep(0)
    if not starting.done():
        _Orders(supervisor).obey()
        # A stop does not wait for a plugin that never comes up.
        either: list[asyncio.Future[Any]] = [starting, supervisor.finished]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
    if not supervisor.stopping:
        log.info("circusd is up")
        report(0, warnings)
    status = await supervisor.finished
    starting.cancel()
    for signum in STOP:
        signal.signal(signum, signal.SIG_IGN)
    log.info("circusd ends with status %d", status)
    return status


class _Orders:
    """What signals tell the supervisor to do."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.told_to_stop = False

    def obey(self) -> None:
        on = self.supervisor.signals.on
        for signum in STOP:
            on(signum, partial(self.stop, signum.name))
        for signum in MEANINGLESS:
            on(signum, partial(log.info, "%s means nothing to circusd", signum.name))
        on(signal.SIGHUP, self.reload)

    def stop(self, name: str) -> None:
        if self.told_to_stop:
            log.warning("%s again: killing whatever is left", name)
            self.supervisor.kill()
        self.told_to_stop = True
        self.supervisor.begin_stop(name)

    def reload(self) -> None:
        logs.reopen()
        if not self.supervisor.stopping:
            log.info("SIGHUP: reloading every watcher")
            self.supervisor.client.cast("reload")


def _leave(_signum: int, _frame: object) -> None:
    """Told to stop before anything was started: there is nothing to stop."""
    raise SystemExit(0)


def _print(_code: int, text: str) -> None:
    """The report of a circusd that is not a daemon."""
    if text:
        with suppress(OSError):
            print(text, file=sys.stderr, flush=True)


def _explain(error: Exception) -> tuple[int, str]:
    """The exit status for an error, and what to say."""
    if isinstance(error, ConfigError):
        return 2, str(error)
    if isinstance(error, CircusError):
        return 2 if isinstance(error, OptionError) else 1, f"circusd: {error}"
    if isinstance(error, argparse.ArgumentTypeError):
        return 2, f"circusd: {error}"
    return 1, f"circusd has a defect, please report it:\n{''.join(traceback.format_exception(error))}"


def _set_title() -> None:
    with suppress(ImportError):
        from setproctitle import setproctitle  # type: ignore[import-not-found, import-untyped, unused-ignore]

        setproctitle("circusd")


if __name__ == "__main__":
    sys.exit(main())
