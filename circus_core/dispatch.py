"""From a command's name and properties to its handler: the name, the role and the arguments are checked on the way.

A handler's answer is a dict, or a coroutine where the client waits. Work starts before the answer, so that requests
take effect in the order in which they arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_core.errors import ConflictError, ForbiddenError, RequestError, UnknownCommandError
from circus_core.kinds import BOOLEAN, COMMAND, INTEGER, NUMBER, SIGNAL, TEXT
from circus_core.nearest import did_you_mean
from circus_core.requests import Command, Handler, Reply, Request, Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from circus_core.options import Kind
    from circus_core.requests import Argument, Guard, Progress
    from circus_core.supervisor import Supervisor

HANDLERS: dict[str, Handler] = {}
KINDS: dict[str, Kind[Any]] = {
    "text": TEXT,
    "integer": INTEGER,
    "number": NUMBER,
    "boolean": BOOLEAN,
    "signal": SIGNAL,
    "words": COMMAND,
}


def handles(name: str) -> Callable[[Handler], Handler]:
    """Enter a handler for the command `name`."""

    def enter(handler: Handler) -> Handler:
        HANDLERS[name] = handler
        return handler

    return enter


def dispatch(
    supervisor: Supervisor,
    name: str,
    properties: Mapping[str, Any],
    role: Role,
    progress: Progress | None,
    guard: Guard | None = None,
) -> Reply | Awaitable[Reply]:
    """Check a request and run it; raises CircusError for what is refused."""
    found = supervisor.assembly.commands.get(name.lower())
    if found is None:
        raise UnknownCommandError(f"unknown command: {name!r}", hint=did_you_mean(name, supervisor.assembly.commands))
    command, handler = found
    if role < command.role:
        raise ForbiddenError(
            f"{command.name} needs the role {command.role.name.lower()}",
            hint=f"your key has the role {role.name.lower()}; `circusctl keys new` makes keys with others",
        )
    loaded = supervisor.bus.loaded.get(command.plugin)
    if loaded is not None and not loaded.started:
        raise ConflictError(
            f"{command.name} cannot be run: the plugin {command.plugin} has not started", hint="try again"
        )
    return handler(supervisor, Request(command, _check(command, properties), progress, guard))


def _check(command: Command, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with defaults filled in; keys that no argument has are passed over, as Circus does."""
    checked = {}
    for argument in command.arguments:
        value = properties.get(argument.name)
        if value is None:
            if argument.required:
                raise RequestError(f"message invalid {argument.name!r} is missing", hint=argument.help)
            checked[argument.name] = argument.default
        else:
            checked[argument.name] = _typed(argument, value)
    return checked


def _typed(argument: Argument, value: Any) -> Any:
    if argument.kind == "object":
        if not isinstance(value, dict):
            raise RequestError(f"{argument.name!r} property should be an object")
        return value
    if argument.kind == "list":
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise RequestError(f"{argument.name!r} property should be a list of names")
        return value
    kind = KINDS.get(argument.kind)
    if kind is None:
        return value
    try:
        # Circus' own circusctl sends numbers as text (O-12).
        value = kind.parse(value) if isinstance(value, str) else kind.check(value)
    except ValueError as error:
        complaint = "signal invalid" if argument.kind == "signal" else f"{argument.name!r} {kind.complaint}"
        raise RequestError(complaint, hint=str(error)) from None
    if argument.choices and value not in argument.choices:
        raise RequestError(f"unknown match method {value}", hint=f"possible are {', '.join(argument.choices)}")
    return value
