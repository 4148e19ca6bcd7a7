"""One run of circusd, from its arguments to its exit status: log, pid file, supervisor, and what signals mean to it.

It prints nothing and decides on no watcher: errors are raised for `circus_core.main` to show.
"""

from __future__ import annotations

import asyncio
import gc
import linecache
import logging
import os
import signal
from contextlib import nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from circus_core import __version__, logs, open_files
from circus_core.assembly import Assembly, assemble
from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.daemon import STOP
from circus_core.errors import OptionError
from circus_core.events import LogsReopened
from circus_core.loghandlers import unwritable
from circus_core.pidfile import PidFile
from circus_core.plan import Action, first_plan
from circus_core.structure import Problem
from circus_core.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from circus_core.inherited import Inherited
    from circus_core.main import Arguments
    from circus_core.model import Config, SupervisorOptions

log = logging.getLogger("circus")

ON_COMMAND_LINE = {"logoutput": "log_output", "loggerconfig": "logger_config"}
"""The arguments that go before options of [circus]."""

NOTIFYING = {"systemd": "circus_plugins.systemd:Systemd"}
"""Loaded where whoever started circusd wants to be told how it fares."""

MEANINGLESS = (
    signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO,
    signal.SIGPWR, signal.SIGSTKFLT, *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
)  # fmt: skip
"""All but SIGWINCH would end circusd and leave its processes alone (PROTOCOL.md O-51). Left out are those that tell of
a fault of circusd itself, and SIGXCPU, by which somebody who set a limit ends it."""


def check(arguments: Arguments) -> tuple[Action, ...]:
    """What would be done, in order; raises what would keep circusd from starting, as far as files can tell."""
    assembly = _assemble(arguments)
    for key, message, hint in _log_mistakes(arguments, assembly.config):
        if getattr(arguments, ON_COMMAND_LINE[key]) is not None:
            raise OptionError(message, hint=hint)
    return first_plan(assembly.config)


def serve(arguments: Arguments, inherited: Inherited, started: Callable[[], None]) -> int:
    """Run until everything has stopped; answers the exit status. `started` is called when every watcher was started.

    `inherited` is what whoever started circusd handed to it.
    """
    # attrs leaves the text of the code it generated, 0.1 MB of it; what comes next takes its place.
    linecache.clearcache()
    assembly = _assemble(arguments, NOTIFYING if inherited.notify_socket else {})
    options = assembly.config.supervisor
    if options.umask is not None:
        os.umask(options.umask)
    logs.configure(
        _log_level(arguments, options),
        arguments.log_output or options.logoutput,
        arguments.logger_config or options.loggerconfig,
    )
    open_files.allow_raising()
    if options.debug_gc:
        gc.set_debug(gc.DEBUG_LEAK)
    # What is here by now stays, and the collector need not walk through it again and again.
    gc.freeze()
    _set_title()
    pidfile = arguments.pidfile or options.pidfile
    with PidFile(pidfile) if pidfile else nullcontext():
        return asyncio.run(_supervise(assembly, inherited, started))


def _assemble(arguments: Arguments, more: Mapping[str, str] = {}) -> Assembly:
    plugins = None if arguments.no_plugins else {**DEFAULT_PLUGINS, **more}
    return assemble(
        arguments.config, plugins=plugins, strict=arguments.strict, examine=partial(_mistakes_in_file, arguments)
    )


def _mistakes_in_file(arguments: Arguments, config: Config) -> Iterator[Problem]:
    """What in a configuration would keep circusd from starting with these arguments: its log, and its pid file now."""
    for key, message, hint in _log_mistakes(arguments, config):
        if getattr(arguments, ON_COMMAND_LINE[key]) is None:
            yield Problem("circus", key, message.removeprefix(f"{key} "), hint)
    path = config.supervisor.pidfile
    if path and arguments.pidfile is None and (reason := unwritable(path)):
        message, hint = f"'{path}' cannot be opened: {reason}", "make its folder, or name another file"
        yield Problem("circus", "pidfile", message, hint, warning=True)


def _log_mistakes(arguments: Arguments, config: Config) -> Iterator[tuple[str, str, str]]:
    options = config.supervisor
    return logs.mistakes(arguments.log_output or options.logoutput, arguments.logger_config or options.loggerconfig)


def _log_level(arguments: Arguments, options: SupervisorOptions) -> str | None:
    level: str | None = arguments.log_level
    return level or ("debug" if options.debug else options.loglevel)


async def _supervise(assembly: Assembly, inherited: Inherited, started: Callable[[], None]) -> int:
    log.info("circusd %s starts, pid %d", __version__, os.getpid())
    supervisor = Supervisor(assembly, daemon=True, inherited=inherited)
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
        started()
    status = await supervisor.finished
    starting.cancel()
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
            # What was before would raise an exception wherever circusd is in its last moments.
            on(signum, partial(self.stop, signum.name), after=signal.SIG_IGN)
        for signum in MEANINGLESS:
            name = signum.name if isinstance(signum, signal.Signals) else f"signal {signum}"
            on(signum, partial(log.info, "%s means nothing to circusd", name))
        on(signal.SIGHUP, self.reload)

    def stop(self, name: str) -> None:
        if self.told_to_stop:
            log.warning("%s again: killing whatever is left", name)
            self.supervisor.kill()
        self.told_to_stop = True
        self.supervisor.begin_stop(name)

    def reload(self) -> None:
        logs.reopen()
        self.supervisor.bus.publish(LogsReopened())
        if not self.supervisor.stopping:
            log.info("SIGHUP: reloading every watcher")
            self.supervisor.client.cast("reload")


def _set_title() -> None:
    with suppress(ImportError):
        from setproctitle import setproctitle  # type: ignore[import-not-found, import-untyped, unused-ignore]

        setproctitle("circusd")
