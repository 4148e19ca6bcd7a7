"""The functions and constants of `circus.util` that plugins and clients import; they know nothing of circusd."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import pkgutil
from typing import TYPE_CHECKING, Any, TypeVar

from circus import missing
from circus.exc import ConflictError
from circus_core.kinds import FALSE, TRUE, parse_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import zmq

__all__ = [
    "DEFAULT_ENDPOINT_DEALER", "DEFAULT_ENDPOINT_MULTICAST", "DEFAULT_ENDPOINT_STATS", "DEFAULT_ENDPOINT_SUB",
    "FALSY_STRINGS", "IS_WINDOWS", "LOG_DATE_FMT", "LOG_FMT", "LOG_LEVELS", "TRUTHY_STRINGS", "ConflictError",
    "ImportStringError", "bytes2human", "debuglog", "env_to_str", "get_connection", "human2bytes", "parse_env_dict",
    "parse_env_str", "resolve_name", "to_bool", "to_bytes", "to_signum", "to_str", "tornado_sleep",
]  # fmt: skip

DEFAULT_ENDPOINT_DEALER = "tcp://127.0.0.1:5555"
"""Circus' default, where a circusd of circus-bus is only if its configuration says so."""
DEFAULT_ENDPOINT_SUB = "tcp://127.0.0.1:5556"
DEFAULT_ENDPOINT_STATS = "tcp://127.0.0.1:5557"
DEFAULT_ENDPOINT_MULTICAST = "udp://237.219.251.97:12027"
IS_WINDOWS = False
TRUTHY_STRINGS = ("yes", "true", "on", "1")
FALSY_STRINGS = ("no", "false", "off", "0")
LOG_FMT = "%(asctime)s %(name)s[%(process)d] [%(levelname)s] %(message)s"
LOG_DATE_FMT = "%Y-%m-%d %H:%M:%S"
LOG_LEVELS = {name.lower(): getattr(logging, name) for name in ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")}

_UNITS = "BKMGTPEZY"
_F = TypeVar("_F")


class ImportStringError(ImportError):
    """What `resolve_name` was asked for is not there."""


def to_bool(value: bool | str | None) -> bool:
    """The truth of `yes`, `true`, `on`, `1` and their opposites, any case; raises ValueError for other texts."""
    if value is None or isinstance(value, bool):
        return bool(value)
    word = value.strip().lower()
    if word not in TRUE | FALSE:
        raise ValueError(f"{value!r} is not a boolean")
    return word in TRUE


def to_str(value: object, encoding: str = "utf8", errors: str = "replace") -> str:
    """Bytes decoded; anything else as `str` writes it."""
    return value.decode(encoding, errors) if isinstance(value, bytes) else str(value)


def to_bytes(value: object, encoding: str = "utf8") -> bytes:
    """A text encoded; bytes as they are; anything else as `str` writes it."""
    return value if isinstance(value, bytes) else str(value).encode(encoding)


def to_signum(value: str | int) -> int:
    """The number of a signal by name or number, such as `SIGRTMIN+1`; raises ValueError."""
    return parse_signal(value)


def bytes2human(size: int) -> str:
    """A size with the largest unit that fits, as `1.50K`."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.2f}{_UNITS[unit]}" if unit else f"{size}B"


def human2bytes(text: str) -> int:
    """A size in bytes from what `bytes2human` writes; raises ValueError, also for a number without unit."""
    number, unit = text[:-1], text[-1:].upper()
    if not unit or unit not in _UNITS:
        raise ValueError(f"can't interpret {text!r}")
    return int(float(number) * 1024 ** _UNITS.index(unit))


def parse_env_str(text: str) -> dict[str, str]:
    """The environment in `A=1,B=2`; `$NAME` in a value stands for a variable of this process."""
    pairs = (item.partition("=") for item in text.split(",") if item.strip())
    return parse_env_dict({name.strip(): value.strip() for name, _equals, value in pairs})


def parse_env_dict(env: Mapping[str, str]) -> dict[str, str]:
    """The same variables, with what `$NAME` stands for in this process."""
    return {name: os.path.expandvars(value) for name, value in env.items()}


def env_to_str(env: Mapping[str, str]) -> str:
    """An environment as `A=1,B=2`, sorted."""
    return ",".join(f"{name}={value}" for name, value in sorted(env.items()))


def resolve_name(import_name: str, silent: bool = False, reload: bool = False) -> Any:
    """What `package.module.name` or `package.module:name` means; with `silent` None if it is not there.

    Raises ImportStringError. `reload` reads no module a second time.
    """
    try:
        return pkgutil.resolve_name(import_name)
    except (ImportError, AttributeError, ValueError) as error:
        if silent:
            return None
        raise ImportStringError(f"{import_name!r} cannot be imported: {error}") from error


def get_connection(
    socket: zmq.Socket[Any], endpoint: str, ssh_server: str | None = None, ssh_keyfile: str | None = None
) -> None:
    """Connect a ZeroMQ socket, through an SSH server if one is given."""
    if ssh_server is None:
        socket.connect(endpoint)
        return
    from zmq import ssh

    tunnel: Any = ssh.tunnel_connection
    tunnel(socket, endpoint, ssh_server, keyfile=ssh_keyfile)


def debuglog(function: Callable[..., _F]) -> Callable[..., _F]:
    """Have calls of a function or method noted in the debug log."""

    @functools.wraps(function)
    def logged(*args: Any, **kwargs: Any) -> _F:
        logging.getLogger("circus").debug("%s is called", function.__qualname__)
        return function(*args, **kwargs)

    return logged


async def tornado_sleep(duration: float) -> None:
    """Wait for so many seconds, while others have their turn."""
    await asyncio.sleep(duration)


def __getattr__(name: str) -> Any:
    missing.absent(__name__, name)
