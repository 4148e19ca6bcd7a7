"""The options of `[plugin:prometheus]`, each declared once; circusd checks them before it starts anything."""

from __future__ import annotations

from ipaddress import ip_address

from attrs import frozen

from circus_core.kinds import BOOLEAN, INTEGER, OCTAL, TEXT
from circus_core.options import option


@frozen
class Options:
    """Where metrics are served, and which."""

    address: str = option(TEXT, "127.0.0.1", help="IP address to listen at; beyond loopback anybody can read them.")
    port: int = option(INTEGER, 9756, minimum=0, help="TCP port to listen at; 0: any free one, which the log tells.")
    socket: str = option(TEXT, "", help="Path of a unix socket to listen at, instead of address and port.")
    socket_mode: int = option(OCTAL, 0o600, help="Who may use that socket, as a file's mode.")
    processes: bool = option(BOOLEAN, True, help="Whether there are metrics of each process too.")

    def contradictions(self) -> list[tuple[str, str, str]]:
        """Errors that a value's kind does not show."""
        try:
            ip_address(self.address)
        except ValueError:
            return [("address", f"is {self.address!r}", "it should be an IP address, such as 127.0.0.1 or ::")]
        if self.port > 65535:
            return [("port", f"is {self.port}", "the greatest possible is 65535")]
        return []
