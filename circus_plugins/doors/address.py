"""Endpoints by their text: where the default ones are, who can reach one, and why nobody answers; it opens none."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from circus_core.errors import EndpointError

if TYPE_CHECKING:
    import socket

CONTROL = "control.sock"
EVENTS = "events.sock"
STATS = "stats.sock"
LONGEST_PATH = 107
"""The longest path of a unix socket that Linux takes, in bytes (unix(7))."""

_TCP = re.compile(r"tcp://(?P<host>\[[^\]]*\]|[^:;]+):(?P<port>\d+|\*)")


class Address(NamedTuple):
    """An endpoint to bind. `path` is that of a socket with a file; `wide` means reachable from other machines."""

    text: str
    path: str = ""
    host: str = ""
    port: int = 0
    wide: bool = False

    @property
    def tcp(self) -> bool:
        """Whether it is a TCP address."""
        return bool(self.host)

    @property
    def abstract(self) -> bool:
        """Whether it is a unix socket without a file (unix(7))."""
        return not self.host and not self.path


def runtime_dir() -> str:
    """The private folder of the default sockets, the same for circusd and its clients; it is not made here.

    `$XDG_RUNTIME_DIR/circus` where there is such a folder, `/run/circus` for root, else `/tmp/circus-UID`. Root does
    not use a login's `/run/user/...`, or a shell would not find what a service opened.
    """
    uid = os.geteuid()
    base = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    if uid == 0 and base.startswith("/run/user/"):
        return "/run/circus"
    if os.path.isdir(base):
        return os.path.join(base, "circus")
    return "/run/circus" if uid == 0 else os.path.join(os.environ.get("TMPDIR") or "/tmp", f"circus-{uid}")


def default_endpoint(name: str = CONTROL) -> str:
    """The endpoint used where none is configured: a socket called `name` in the runtime folder.

    Raises EndpointError where somebody else made that folder: what listens there would not be circusd.
    """
    folder = runtime_dir()
    if os.path.lexists(folder):
        _check_owner(folder, os.lstat(folder).st_uid)
    return f"ipc://{os.path.join(folder, name)}"


def parse(endpoint: str, option: str) -> Address:
    """What an endpoint means for who can reach it; raises EndpointError, naming `option`, if it cannot be bound."""
    if endpoint.startswith("ipc://"):
        return _parse_path(endpoint, option)
    match = _TCP.fullmatch(endpoint)
    if match is None:
        raise EndpointError(f"{option} = {endpoint} is not an endpoint", hint="expected ipc:///PATH or tcp://HOST:PORT")
    host = match["host"].strip("[]")
    port = 0 if match["port"] == "*" else int(match["port"])
    if port > 65535:
        raise EndpointError(f"{option} = {endpoint} has no such port", hint="ports end at 65535")
    if host == "localhost":
        host = "127.0.0.1"  # libzmq looks up no names when it binds
    loopback = _loopback(host)
    written = f"[{host}]" if ":" in host else host
    return Address(f"tcp://{written}:{match['port']}", host=host, port=port, wide=not loopback)


def _parse_path(endpoint: str, option: str) -> Address:
    path = endpoint.removeprefix("ipc://")
    if path.startswith("@"):
        if len(os.fsencode(path)) > LONGEST_PATH or path == "@":
            raise EndpointError(
                f"{option} = {endpoint}: not a name for a socket", hint=f"from 1 to {LONGEST_PATH - 1} bytes"
            )
        return Address(endpoint)
    if path in ("", "*"):
        raise EndpointError(f"{option} = {endpoint} names no path", hint="expected such as ipc:///run/app/control.sock")
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise EndpointError(
            f"{option} = {endpoint}: the path is too long for a socket",
            hint=f"Linux takes {LONGEST_PATH} bytes; choose a shorter folder",
        )
    return Address(endpoint, path=os.path.abspath(path))


def _loopback(host: str) -> bool:
    """Whether `host` is a number of this machine's loopback; names of interfaces never count."""
    import socket  # only where it is needed: circusctl starts faster

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            packed = socket.inet_pton(family, host)
        except OSError:
            continue
        return packed[0] == 127 if family == socket.AF_INET else packed == b"\0" * 15 + b"\1"
    return False


def make_private(folder: str) -> None:
    """Make the runtime folder, or check the one there is: it must be ours, and closed to everybody else."""
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise EndpointError(
            f"the runtime folder {folder} cannot be made: {error.strerror}",
            hint="set endpoint and pubsub_endpoint to ipc:// paths in a folder that exists",
        ) from error
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise EndpointError(f"the runtime folder {folder} is not a folder", hint="remove what is there")
    _check_owner(folder, found.st_uid)
    if found.st_mode & 0o077:
        raise EndpointError(f"the runtime folder {folder} is open to other users", hint=f"chmod 700 {folder}")


def _check_owner(folder: str, owner: int) -> None:
    if owner != os.geteuid():
        raise EndpointError(
            f"the runtime folder {folder} belongs to user {owner}, not to user {os.geteuid()} who runs this",
            hint="whoever owns it could put another socket in place of ours; remove it, or set XDG_RUNTIME_DIR",
        )


def silence(endpoint: str) -> str:
    """In words, why nobody answers at an endpoint, as far as this machine can tell; empty if somebody listens."""
    import socket

    if endpoint.startswith("ipc://"):
        family, target = socket.AF_UNIX, unix_name(endpoint)
        missing = f"there is no socket {target}"
    else:
        match = _TCP.fullmatch(endpoint)
        if match is None or not _loopback(match["host"].replace("localhost", "127.0.0.1")):
            return ""
        family, target = socket.AF_INET, ("127.0.0.1", int(match["port"]))  # type: ignore[assignment]
        missing = "nobody listens there"
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        try:
            found = probe.connect_ex(target)
        except OSError:  # no such path can be
            return ""
        if found == 0 and target[0] == "\0":
            found = _greeted(probe)
    if found == errno.ENOENT:
        return missing
    if found == errno.ECONNREFUSED:
        return f"nobody listens at {endpoint}"
    if found == errno.EACCES:
        return f"user {os.geteuid()} may not use {endpoint}"
    return ""


def unix_name(endpoint: str) -> str:
    """What Python's sockets call an `ipc://` endpoint: a path, or a name after a NUL where libzmq has an @."""
    path = endpoint.removeprefix("ipc://")
    return f"\0{path[1:]}" if path.startswith("@") else path


def _greeted(peer: socket.socket) -> int:
    """EACCES if a libzmq that knows who we are hung up instead of greeting, as it does at an abstract socket."""
    try:
        return 0 if peer.recv(1) else errno.EACCES
    except ConnectionError:
        return errno.EACCES
    except TimeoutError:
        return 0
