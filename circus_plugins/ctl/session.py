"""One connection to circusd for any number of requests; it passes replies on as they are and prints only progress."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from circus_plugins.client.blocking import Client
from circus_plugins.client.wire import NoAnswerError
from circus_plugins.doors.address import silence

if TYPE_CHECKING:
    from circus_plugins.ctl.settings import Settings

__all__ = ["NoAnswerError", "Session", "advice"]
PATIENCE = 1.0
"""Seconds that a circusd which is just starting gets to open its endpoint, if nobody asked for a timeout."""
UNFINISHED = "Whatever circusd has begun goes on."


class Session:
    """The connection that `settings` describe, made by the first request."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The connected client; raises EndpointError for a bad key file or tunnel."""
        if self._client is None:
            here = self.settings
            self._client = Client(
                here.control_endpoint(), key=here.key, ssh=here.ssh, ssh_keyfile=here.ssh_keyfile, patience=PATIENCE
            )
        return self._client

    def nobody_there(self) -> bool:
        """Whether this machine knows at once that nobody will answer."""
        return self.settings.ssh is None and bool(silence(self.client.endpoint))

    def ask(self, command: str, properties: dict[str, Any], *, timeout: float | None = None) -> dict[str, Any]:
        """The reply to a request, error or not; raises NoAnswerError."""
        return self.client.request(command, properties, timeout=timeout or self.settings.limit)

    def wait_for(self, command: str, properties: dict[str, Any]) -> dict[str, Any]:
        """The reply to a request that may last; meanwhile the last line of a terminal says how far it is.

        Without a timeout that was asked for, it takes as long as circusd is alive. Raises NoAnswerError.
        """
        line = ProgressLine()
        try:
            return self.client.request(command, properties, progress=line.show, timeout=self.settings.limit)
        except (NoAnswerError, KeyboardInterrupt) as error:
            error.add_note(UNFINISHED)
            raise
        finally:
            line.erase()

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()
            self._client = None


class ProgressLine:
    """A line on standard error that is written over; nothing at all where that is no terminal."""

    def __init__(self) -> None:
        self._shown = False
        self._possible = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Put the text in place of the one before."""
        if self._possible:
            from circus_plugins.ctl.tables import Terminal, shorten, visible

            terminal = Terminal(sys.stderr)
            print("\r\x1b[K" + shorten(visible(text), terminal.width - 1), end="", file=sys.stderr, flush=True)
            self._shown = True

    def erase(self) -> None:
        """Leave no trace."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = False


def advice(error: NoAnswerError) -> str:
    """What to tell somebody whose request was not answered, and what to check."""
    lines = ["Timed out."] if error.timed_out else []
    lines += [
        f"{error.message[:1].upper()}{error.message[1:]}.",
        "Check that circusd runs (pgrep -a circusd); that this is its endpoint (`endpoint` in its [circus] section;",
        "here --endpoint or CIRCUSCTL_ENDPOINT); and that you may use it (the socket's owner, or --key).",
    ]
    return "\n".join([*lines, *getattr(error, "__notes__", ())])
