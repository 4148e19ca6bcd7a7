"""What a user sees when something goes wrong; no error here knows where it will be shown.

Each class carries a stable `code` (for programs), an `errno` (Circus' numbers, PROTOCOL.md 1.2) and a `hint`: what to
do about it. `ERRORS` lists every class, for the reference and for clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

ERRORS: dict[str, type[CircusError]] = {}


class CircusError(Exception):
    """Anything that circus-bus refuses or fails to do."""

    code: ClassVar[str] = "failed"
    errno: ClassVar[int] = 5

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __init_subclass__(cls) -> None:
        ERRORS[cls.code] = cls

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


ERRORS[CircusError.code] = CircusError


class SeveralError(CircusError):
    """More than one thing failed: `errors` has each, and the message a line for each."""

    code = "several"

    def __init__(self, errors: Iterable[CircusError], what: str = "") -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join((what or f"{len(self.errors)} errors:", *map(str, self.errors))))


class InvalidJSONError(CircusError):
    """The request is not JSON."""

    code = "invalid-json"
    errno = 1


class UnknownCommandError(CircusError):
    """No command has this name."""

    code = "unknown-command"
    errno = 2


class RequestError(CircusError):
    """The request is understood and wrong: an argument is missing, has the wrong type, or names nothing."""

    code = "bad-request"
    errno = 3


class UnknownWatcherError(RequestError):
    """No watcher has this name."""

    code = "unknown-watcher"

    def __init__(self, name: str, *, hint: str = "") -> None:
        super().__init__(f"program {name} not found", hint=hint)


class OptionError(RequestError):
    """An option has no such name, or cannot have this value."""

    code = "bad-option"


class SystemCallError(CircusError):
    """The operating system refused."""

    code = "os-error"
    errno = 4


class SpawnError(SystemCallError):
    """A process could not be started; the message says which program, and the hint what the system lacks."""

    code = "spawn-failed"


class ConflictError(CircusError):
    """The name is taken, or the order contradicts what is already there."""

    code = "conflict"


class SupersededError(CircusError):
    """A later stop, restart or removal of the same watcher overtook this operation."""

    code = "superseded"


class VetoedError(CircusError):
    """A plugin refused the action; the message names the plugin's reason."""

    code = "vetoed"


class ForbiddenError(CircusError):
    """The client's key has too small a role for this command."""

    code = "forbidden"
    errno = 7


class PluginError(CircusError):
    """A plugin cannot be loaded, has bad options, or implements a hook that does not exist."""

    code = "plugin"


class EndpointError(SystemCallError):
    """An endpoint cannot be opened, or would be open to people it should not be open to."""

    code = "endpoint"


class PidFileError(CircusError):
    """Another circusd holds the pid file."""

    code = "pidfile"


class ConfigError(CircusError):
    """The configuration has mistakes; `problems` has one line for each, all of them found in one reading."""

    code = "bad-config"
    errno = 3

    def __init__(self, problems: Iterable[object], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems), hint=hint)
