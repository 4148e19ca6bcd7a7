"""The table of commands with their handlers, and the client for code inside this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_core import ordering, reading
from circus_core.dispatch import HANDLERS
from circus_core.requests import COMMANDS

if TYPE_CHECKING:
    from circus_core.requests import Command, Handler, Reply
    from circus_core.supervisor import Supervisor

__all__ = ["LocalClient", "ordering", "reading", "table"]


def table() -> dict[str, tuple[Command, Handler]]:
    """The core's commands with their handlers, fresh for one supervisor, for plugins to add to."""
    return {name: (command, HANDLERS[name]) for name, command in COMMANDS.items()}


class LocalClient:
    """The commands for code inside this process: plugins in circusd, and programs that embed a supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def call(self, command: str, **properties: Any) -> Reply:
        """Run a command as an admin and answer its reply; raises CircusError."""
        answer = self._supervisor.dispatch(command, properties)
        return answer if isinstance(answer, dict) else await answer

    def cast(self, command: str, **properties: Any) -> None:
        """Run a command once what happens now is over; a failure is logged."""
        self._supervisor.background(self.call(command, **properties))
