"""Where circusd's own log goes and how it looks; it refuses to let a log hold up or end the loop.

The format is Circus' (PROTOCOL.md 4.8). A log that cannot be written is lost line by line, said once on standard error,
and counted in the log itself once it can be written again. Only circusd calls this: a program that embeds the
supervisor has its own logging.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from circus_core.errors import CircusError, OptionError, SystemCallError
from circus_core.kinds import LEVEL
from circus_core.loghandlers import FileHandler, LineHandler, StderrHandler, SyslogHandler, complain

FORMAT = "%(asctime)s %(name)s[%(process)d] [%(levelname)s] %(message)s"
DATE = "%Y-%m-%d %H:%M:%S"
DEFAULT_LEVEL = "info"
DEFAULT_OUTPUT = "-"
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
    if config is not None and config.strip().lower() not in ("", "default"):
        _close(root.handlers)
        _read(os.path.abspath(config))
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


def output() -> str:
    """Where the log of this process goes, as `configure` takes it."""
    return _output_now


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
    if output in ("-", "stdout"):
        # Circus documents standard output and uses standard error (PROTOCOL.md O-41).
        return StderrHandler()
    if output.startswith("syslog://"):
        return _syslog(output)
    try:
        return FileHandler(output)
    except OSError as error:
        raise SystemCallError(
            f"the log file '{output}' cannot be opened: {error.strerror}",
            hint="give a file that circusd may write, in a folder that is there, or - for standard error",
        ) from None


def _syslog(output: str) -> SyslogHandler:
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
    return SyslogHandler(address, facilities[name])


def _read(path: str) -> None:
    """Hand a file to logging.config; it may do anything, so whatever it raises is the file's mistake."""
    kind = os.path.splitext(path)[1].lower()
    try:
        if kind == ".ini":
            from logging.config import fileConfig

            fileConfig(path, disable_existing_loggers=False)
        else:
            from logging.config import dictConfig

            dictConfig({"disable_existing_loggers": False, **_parse(path, kind)})
    except CircusError:
        raise
    except OSError as error:
        raise OptionError(f"loggerconfig '{path}' cannot be read: {error.strerror or error}") from None
    except Exception as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise OptionError(
            f"loggerconfig '{path}' is wrong: {type(error).__name__}: {error}{cause}",
            hint="see 'Configuration file format' or 'Configuration dictionary schema' of Python's logging.config",
        ) from None


def _parse(path: str, kind: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        if kind == ".json":
            import json

            return _table(path, json.load(file))
        if kind == ".toml":
            import tomllib

            return tomllib.load(file)
        if kind in (".yaml", ".yml"):
            try:
                import yaml  # type: ignore[import-untyped, import-not-found, unused-ignore]
            except ImportError:
                raise OptionError(
                    f"loggerconfig '{path}' is YAML, and PyYAML is not installed",
                    hint=f"install PyYAML for {sys.executable}, or write the file as .ini, .json or .toml",
                ) from None
            return _table(path, yaml.safe_load(file))
    raise OptionError(
        f"loggerconfig '{path}' has an unknown format", hint="expected a .ini, .json, .toml or .yaml file"
    )


def _table(path: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OptionError(f"loggerconfig '{path}' holds no table", hint="expected version, handlers, root and so on")
    return value


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
