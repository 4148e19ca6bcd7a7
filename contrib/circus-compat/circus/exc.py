"""The exceptions of Circus, for code that catches them; only CallError is ever raised here."""

from __future__ import annotations

__all__ = ["AlreadyExist", "ArgumentError", "CallError", "ConflictError", "MessageError"]


class AlreadyExist(Exception):
    """A watcher of this name exists."""


class ArgumentError(Exception):
    """An argument of a command is wrong."""


class CallError(Exception):
    """circusd did not answer, or what it was asked cannot be sent."""


class ConflictError(Exception):
    """Another command is running; circus-bus never refuses one for that."""


class MessageError(Exception):
    """A message is wrong."""
