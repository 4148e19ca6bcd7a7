"""Requests and replies as Circus writes them (PROTOCOL.md 1.2): bytes to values and back, and nothing else."""

from __future__ import annotations

import json
from time import time
from typing import Any

from circus_core.errors import CircusError, InvalidJSONError, RequestError

encode = json.JSONEncoder(check_circular=False).encode

SERVER_ERROR = 6
"""The errno of a `waiting` request that failed in an unforeseen way."""


class Envelope:
    """A request as it came: what to run, and how to answer. `problem` is set if it cannot be run."""

    __slots__ = ("cast", "command", "id", "problem", "progress", "properties")

    def __init__(self, problem: CircusError | None = None) -> None:
        self.problem = problem
        self.id: Any = None
        self.command = ""
        self.properties: dict[str, Any] = {}
        self.cast = False
        self.progress = False


def read(raw: bytes) -> Envelope:
    """The request in one frame; never raises, whatever the frame has."""
    text = raw.strip()
    if not text:
        return Envelope(RequestError("the message is blank", hint='expected {"command": NAME, "properties": {...}}'))
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return Envelope(InvalidJSONError("json invalid"))
    if not isinstance(message, dict):
        return Envelope(RequestError("the message should be an object", hint='expected {"command": NAME, ...}'))
    envelope = Envelope()
    envelope.id = message.get("id")
    envelope.cast = message.get("msg_type") == "cast"
    envelope.progress = message.get("progress") is True
    command = message.get("command")
    properties = message.get("properties")
    if not isinstance(command, str):
        missing = "message invalid 'command' is missing"
        envelope.problem = RequestError(missing if command is None else "'command' should be a string")
    elif properties is not None and not isinstance(properties, dict):
        envelope.problem = RequestError("'properties' should be an object")
    else:
        envelope.command = command
        envelope.properties = properties or {}
    return envelope


def success(envelope: Envelope, fields: dict[str, Any]) -> bytes:
    """The reply to a request that was done; its fields may replace `status`, as those of `status NAME` do."""
    return encode({"status": "ok", "time": time(), **fields, "id": envelope.id}).encode()


def progress(envelope: Envelope, text: str) -> bytes:
    """A line on how far a request is; only for clients that asked for them."""
    return encode({"status": "progress", "id": envelope.id, "time": time(), "text": text}).encode()


def failure(envelope: Envelope, error: BaseException) -> bytes:
    """The reply to a request that failed. Where the server is at fault the reason is short; the log has it all."""
    waiting = envelope.properties.get("waiting") is True
    if isinstance(error, CircusError):
        reason, number, code, hint = error.message, error.errno, error.code, error.hint
    elif isinstance(error, OSError):
        reason, number, code, hint = str(error), 4, "os-error", ""
    else:
        reason = f"{envelope.command} failed: {type(error).__name__}: {error}"
        number, code, hint = (SERVER_ERROR if waiting else 5), "failed", "circusd's log has the details"
    reply = {
        "status": "error",
        "reason": reason,
        "tb": None,
        "time": time(),
        "errno": number,
        "code": code,
        "hint": hint,
        "id": envelope.id,
    }
    return encode(reply).encode()
