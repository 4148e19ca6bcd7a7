"""Addresses of servers as options have them: `udp://HOST:PORT`, `tcp://HOST:PORT`, `unix:///PATH`. It connects none."""

from __future__ import annotations

import os
import re
import stat
from urllib.parse import urlsplit

from attrs import frozen

from circus_core.options import Kind

SCHEMES = ("udp", "tcp", "unix")
PORT = 514
"""Where syslog servers listen: for UDP by RFC 5426, for TCP by custom (RFC 6587 names none)."""
EXPECTED = "udp://HOST:PORT, tcp://HOST:PORT or unix:///PATH"
EXPECTED_UNIX = "unix:///PATH"
VARIABLE = re.compile(r"\$|\(\(")


@frozen
class Target:
    """A server: by UDP or TCP, `host` and `port`; by a unix socket, `path`."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""


def target(text: str) -> Target:
    """What an address says; raises ValueError with what is wrong."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"expected {EXPECTED}; {error}") from None
    if parts.scheme not in SCHEMES or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"expected {EXPECTED}")
    if parts.scheme == "unix":
        if parts.netloc or not parts.path.strip("/"):
            raise ValueError("expected unix:///PATH, with three slashes before an absolute path")
        return Target("unix", path=parts.path)
    if not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(f"expected {parts.scheme}://HOST:PORT")
    if port == 0:
        raise ValueError("no server has the port 0")
    return Target(parts.scheme, host=parts.hostname, port=port or PORT)


def absent(path: str) -> str:
    """Why there is no socket at a path: empty if there is one."""
    try:
        return "" if stat.S_ISSOCK(os.stat(path).st_mode) else "it is no socket"
    except OSError as error:
        return error.strerror or str(error)


def _address(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected {EXPECTED}")
    # With a variable in it, only a launch tells.
    if not VARIABLE.search(value):
        target(value)
    return value


def _unix(value: object) -> str:
    if not isinstance(value, str) or (not VARIABLE.search(value) and target(value).scheme != "unix"):
        raise ValueError(f"expected {EXPECTED_UNIX}")
    return value


ADDRESS: Kind[str] = Kind(
    "address of a server", EXPECTED, "isn't the address of a server", _address, _address, schema={"type": "string"}
)
UNIX_ADDRESS: Kind[str] = Kind(
    "address of a unix socket", EXPECTED_UNIX, "isn't the address of a unix socket", _unix, _unix,
    schema={"type": "string"},
)  # fmt: skip
