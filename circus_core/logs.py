"""Where circusd's own log goes and how it looks; it refuses to let a log hold up or end the loop.

The format is Circus' (PROTOCOL.md 4.8). A log that cannot be written is lost line by line, said once on standard error,
and counted in the log itself once it can be written again. Only circusd calls this: a program that embeds the
supervisor has its own logging.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeGuard

from circus_core.errors import CircusError, OptionError, SystemCallError
from circus_core.kinds import LEVEL
from circus_core.loghandlers import FileHandler, LineHandler, StderrHandler, SyslogHandler, complain, unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = "%(asctime)s %(name)s[%(process)d] [%(levelname)s] %(message)s"
DATE = "%Y-%m-%d %H:%M:%S"
DEFAULT_LEVEL = "info"
DEFAULT_OUTPUT = "-"
STANDARD = ("-", "stdout")
"""Circus documents standard output for the second, and uses standard error (PROTOCOL.md O-41)."""
SYSLOG_PORT = 514

_output_now = DEFAULT_OUTPUT


class Held(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def warnings(self) -> list[str]:
        """The warnings and errors among them, for who has no log."""
        return [record.getMessage() for record in self.records if record.levelno >= logging.WARNING]


def configure(level: str | None = None, output: str | None = None, config: str | None = None) -> None:
    """Send the log of this process to `output`, from `level` up, or do what the file `config` says instead.

    May be called again; the earlier output is closed. Raises OptionError for a value that cannot be, SystemCallError
    for a file that cannot be opened.
    """
    root = logging.getLogger()
    held = [record for handler in root.handlers if isinstance(handler, Held) for record in handler.records]
    if _is_file(config):
        from circus_core import loggerconfig

        _close(root.handlers)
        loggerconfig.apply(os.path.abspath(config))
        for each in _handlers():
            _isolate(each)
    else:
        number = level_number(level or DEFAULT_LEVEL)
        handler = _output(output or DEFAULT_OUTPUT)
        handler.setFormatter(logging.Formatter(FORMAT, DATE))
        _close(root.handlers)
        root.addHandler(handler)
        root.setLevel(number)
    global _output_now
    _output_now = (output or DEFAULT_OUTPUT) if config is None else DEFAULT_OUTPUT
    for record in held:
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


def mistakes(output: str | None = None, config: str | None = None) -> Iterator[tuple[str, str, str]]:
    """Why `configure` could not do it, as (option, what is wrong, what to do), as far as that is seen without doing it.

    Nothing is opened for good, made, or sent anywhere; the handlers that a file `config` names are imported.
    """
    try:
        if _is_file(config):
            from circus_core import loggerconfig

            loggerconfig.check(os.path.abspath(config))
        elif output is not None and output.startswith("syslog://"):
            _syslog_address(output)
        elif output is not None and output not in STANDARD and (reason := unwritable(output)):
            raise _cannot_open(output, reason)
    except CircusError as error:
        yield "loggerconfig" if _is_file(config) else "logoutput", error.message, error.hint


def _is_file(config: str | None) -> TypeGuard[str]:
    return config is not None and config.strip().lower() not in ("", "default")


def output() -> str:
    """Where the log of this process goes, as `configure` takes it."""
    return _output_now


@contextmanager
def elsewhere(output: str) -> Iterator[None]:
    """Have processes that log where this one does log elsewhere, while this lasts."""
    global _output_now
    before, _output_now = _output_now, output
    try:
        yield
    finally:
        _output_now = before


def hold() -> Held:
    """Keep what is logged until `configure` knows where it goes: the configuration says so, and is read first."""
    held = Held()
    root = logging.getLogger()
    _close(root.handlers)
    root.addHandler(held)
    root.setLevel(logging.DEBUG)
    return held


def on_stderr() -> bool:
    """Whether the log is on standard error."""
    return any(isinstance(handler, StderrHandler) for handler in logging.getLogger().handlers)


def reopen() -> None:
    """Open every log file anew, so that one that was renamed is let go; what cannot be opened is used as it is."""
    for handler in _handlers():
        if isinstance(handler, LineHandler):
            handler.reopen()
        elif isinstance(handler, logging.FileHandler):
            # It opens the file again at the next line.
            handler.close()


def level_number(level: str) -> int:
    """The number of a level that is given by name, in any case; raises OptionError."""
    try:
        return logging.getLevelNamesMapping()[LEVEL.parse(level).upper()]
    except ValueError as error:
        raise OptionError(f"there is no log level {level!r}", hint=str(error)) from None


def _output(output: str) -> LineHandler:
    if output in STANDARD:
        return StderrHandler()
    if output.startswith("syslog://"):
        return SyslogHandler(*_syslog_address(output))
    try:
        return FileHandler(output)
    except OSError as error:
        raise _cannot_open(output, error.strerror or str(error)) from None


def _cannot_open(output: str, reason: str) -> SystemCallError:
    return SystemCallError(
        f"the log file '{output}' cannot be opened: {reason}",
        hint="give a file that circusd may write, in a folder that is there, or - for standard error",
    )


def _syslog_address(output: str) -> tuple[str | tuple[str, int], int]:
    """Where it is, and the facility; raises OptionError."""
    from logging.handlers import SysLogHandler
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(output)
        port = parts.port or SYSLOG_PORT
    except ValueError as error:
        raise OptionError(
            f"the log output {output!r} cannot be read: {error}",
            hint="expected syslog://HOST:PORT?FACILITY or syslog:///PATH?FACILITY",
        ) from None
    name = parts.query.lower().removeprefix("log_") or "user"
    facilities = SysLogHandler.facility_names
    if name not in facilities:
        raise OptionError(f"there is no syslog facility {name!r}", hint=f"possible are {', '.join(sorted(facilities))}")
    address = (parts.hostname, port) if parts.hostname else parts.path or "/dev/log"
    return address, facilities[name]


def _handlers() -> list[logging.Handler]:
    """Every handler that some logger has."""
    root = logging.getLogger()
    loggers = [root, *(one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger))]
    return list(dict.fromkeys(handler for logger in loggers for handler in logger.handlers))


def _close(handlers: list[logging.Handler]) -> None:
    for handler in handlers[:]:
        handlers.remove(handler)
        handler.close()


def _isolate(handler: logging.Handler) -> None:
    """Keep a handler of logging's own, or of somebody else's, from raising where something is logged."""
    emit, said = handler.emit, False

    def handle_error(record: logging.LogRecord) -> None:
        nonlocal said
        if not said:
            complain(f"{handler!r} cannot log: {sys.exc_info()[1]!r}; what it cannot log is lost")
        said = True

    def isolated(record: logging.LogRecord) -> None:
        try:
            emit(record)
        except Exception:
            handle_error(record)

    handler.emit, handler.handleError = isolated, handle_error  # type: ignore[method-assign]
