"""A server whose sockets circusd opens, and what tests ask of it and of circusd."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from circus_plugins.client import Client
from circus_plugins.sockets.options import SocketOptions

if TYPE_CHECKING:
    from pathlib import Path

    from circus_core.testing import Circusd

SERVER = """\
import os, socket, sys
server = socket.socket(fileno=int(sys.argv[1]))
server.setblocking(True)
while True:
    client, _ = server.accept()
    client.sendall(f"{os.getpid()} {sys.argv[2:]}".encode())
    client.close()
"""


def made(**given: Any) -> SocketOptions:
    return SocketOptions(**{"name": "web", "host": "127.0.0.1", "port": 0, **given})


def answer(address: Any) -> str:
    """What the process says that takes a connection."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as client:
        client.settimeout(20)
        client.connect(address)
        return client.makefile().read()


def listed(run: Circusd) -> dict[str, dict[str, Any]]:
    with Client(run.endpoint, timeout=20) as client:
        return {entry["name"]: entry for entry in client.call("listsockets")["sockets"]}


def call(run: Circusd, command: str, **properties: Any) -> dict[str, Any]:
    with Client(run.endpoint, timeout=20) as client:
        return client.call(command, **properties)


def pids(run: Circusd, watcher: str) -> list[int]:
    found: list[int] = call(run, "list", name=watcher)["pids"]
    return found


def descriptors(pid: int) -> dict[int, str]:
    """What a process has open, from /proc alone."""
    folder = f"/proc/{pid}/fd"
    return {int(number): os.readlink(f"{folder}/{number}") for number in os.listdir(folder)}


def checked(file: Path) -> subprocess.CompletedProcess[str]:
    """What `circusd --check` says of a configuration."""
    words = [sys.executable, "-m", "circus_core.main", "--check", str(file)]
    return subprocess.run(words, capture_output=True, text=True, timeout=20)


def happened(run: Circusd, name: str) -> list[dict[str, Any]]:
    """The events of a name so far."""
    found: list[dict[str, Any]] = call(run, "events", since=0, event=name)["events"]
    return found
