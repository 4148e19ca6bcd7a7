"""Whether processes have connections that were made to a socket; asked of /proc now and then; it keeps nothing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ANYWHERE = ("0.0.0.0", "::")
_OVER = ("LISTEN", "TIME_WAIT", "CLOSE", "NONE")


def connected(pids: Iterable[int], sockets: Sequence[socket.socket]) -> bool:
    """Whether one of the processes holds a connection to one of the sockets. Who is not to be looked at is taken to
    hold one."""
    import psutil

    own = {f"socket:[{os.fstat(each.fileno()).st_ino}]" for each in sockets}
    ports = {(each.getsockname()[0], each.getsockname()[1]) for each in sockets if each.family != socket.AF_UNIX}
    paths = {_path(each) for each in sockets if each.family == socket.AF_UNIX}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            for kind in (["inet"] if ports else []) + (["unix"] if paths else []):
                for each in process.net_connections(kind):
                    local: Any = each.laddr
                    if kind == "inet" and each.status not in _OVER and local and _at(local, ports):
                        return True
                    if kind == "unix" and local in paths and os.readlink(f"/proc/{pid}/fd/{each.fd}") not in own:
                        return True
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
        except (psutil.AccessDenied, PermissionError):
            return True
    return False


def _at(local: tuple[str, int], ports: set[tuple[str, int]]) -> bool:
    return any((host, local[1]) in ports for host in (local[0], *_ANYWHERE))


def _path(one: socket.socket) -> str:
    name = one.getsockname()
    return "@" + name[1:].decode() if isinstance(name, bytes) else str(name)
