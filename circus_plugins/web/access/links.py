"""The link by which the owner of circusd logs in: it counts once, and then there is another.

It is kept in a file in the runtime folder, which only the owner can read: `circushttpd --link` shows it from there.
"""

from __future__ import annotations

import hmac
import secrets

from circus_plugins.web.access import private


class Links:
    """The link for the console at `address`, an http:// address without a slash at its end."""

    def __init__(self, address: str, port: int) -> None:
        self._address = address
        self._port = port
        self._token = ""
        self.renew()

    @property
    def link(self) -> str:
        """The whole of it."""
        return f"{self._address}/login?link={self._token}"

    def renew(self) -> None:
        """Have another one in place of it."""
        self._token = secrets.token_urlsafe(32)
        private.write(name(self._port), f"{self.link}\n".encode())

    def take(self, token: str) -> bool:
        """Whether it is the one that counts; if so, it does not any more."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return False
        self.renew()
        return True

    def close(self) -> None:
        """There is no console any more."""
        private.remove(name(self._port))


def name(port: int) -> str:
    """The file for the console at a port."""
    return f"console-{port}.link"


def known(port: int) -> str | None:
    """The link of a console that runs at this port, None if there is none."""
    found = private.read(name(port))
    return found.decode().strip() if found else None
