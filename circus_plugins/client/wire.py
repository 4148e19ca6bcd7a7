"""What both clients say and hear, as values: requests to bytes, replies to results or errors. It has no socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from circus_core.errors import ERRORS, CircusError, ConfigError, InvalidJSONError, RequestError, SystemCallError
from circus_core.errors import UnknownCommandError as UnknownCommand
from circus_plugins.doors import address

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 5.0
"""Seconds without any answer, also without any progress, after which a call fails."""

ENDING = 3.0
"""Seconds in which a circusd that answers no more, as it is about to end, closes its event endpoint too."""

FAR_ENDPOINT = "tcp://127.0.0.1:5555"
"""Where circusd is looked for behind a tunnel unless told otherwise: at Circus' default, ours has no fixed place."""

SIGN_OF_LIFE: tuple[str, dict[str, Any]] = ("numwatchers", {})
"""The request that shows whether circusd is alive while another one lasts: cheap, and every role may make it."""

_BY_ERRNO: dict[object, type[CircusError]] = {
    cls.errno: cls for cls in (InvalidJSONError, UnknownCommand, RequestError, SystemCallError)
}


class NoAnswerError(CircusError):
    """Nothing answered in time; `timed_out` is False where the time was cut short, as nobody was there to answer."""

    code = "no-answer"
    timed_out = True


def no_answer(endpoint: str, timeout: float, through: str | None = None, doubt: str = "") -> NoAnswerError:
    """Timed out, with the cause if this machine knows it, as it does not `through` a tunnel; else with a `doubt`."""
    why = (address.silence(endpoint) if through is None else "") or doubt
    where = endpoint if through is None else f"{endpoint} through {through}"
    return NoAnswerError(
        f"no answer from {where} within {timeout:g} seconds" + (f": {why}" if why else ""),
        hint="is circusd running, and is this its endpoint?" if why else "a command with `waiting` may need more time",
    )


def nobody(endpoint: str, absence: str) -> NoAnswerError:
    """Not timed out, for the reason `absence` there is nobody to wait for."""
    error = NoAnswerError(f"no answer from {endpoint}: {absence}", hint="is circusd running, and is this its endpoint?")
    error.timed_out = False
    return error


def request(
    number: int, command: str, properties: Mapping[str, Any], *, cast: bool = False, progress: bool = False
) -> bytes:
    """A request as circusd reads it."""
    message: dict[str, Any] = {"id": number, "command": command, "properties": dict(properties)}
    if cast:
        message["msg_type"] = "cast"
    if progress:
        message["progress"] = True
    return json.dumps(message).encode()


def is_patient(properties: Mapping[str, Any] | None, timeout: float | None) -> bool:
    """Whether a request may last as long as circusd is alive: it waits for something, and nobody set a limit."""
    return timeout is None and (properties or {}).get("waiting") is True


def reply(raw: bytes) -> dict[str, Any]:
    """A reply, whatever it says; raises CircusError if it is none."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CircusError("the answer is not one of circusd's", hint="is this the endpoint of a circusd?")
    return found


def result(answer: dict[str, Any]) -> dict[str, Any]:
    """The reply again, or the CircusError that it tells of is raised."""
    if answer.get("status") == "error":
        raise error(answer)
    return answer


def error(answer: Mapping[str, Any]) -> CircusError:
    """The error of a reply: of its `code`, or, from Circus, which has none, of its `errno`."""
    cls = ERRORS.get(answer.get("code", "")) or _BY_ERRNO.get(answer.get("errno", 5)) or CircusError
    made = cls.__new__(cls)
    CircusError.__init__(made, str(answer.get("reason")), hint=str(answer.get("hint") or ""))
    if isinstance(made, ConfigError):
        made.problems = tuple(made.message.splitlines())
    return made


def events_endpoint(control: str, told: str) -> str:
    """Where to subscribe: what circusd told, with the host by which we reach it in place of `every address`."""
    for every in ("tcp://0.0.0.0:", "tcp://*:", "tcp://[::]:"):
        if told.startswith(every) and control.startswith("tcp://"):
            return f"{control.rpartition(':')[0]}:{told.removeprefix(every)}"
    return told
