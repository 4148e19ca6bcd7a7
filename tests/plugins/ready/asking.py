"""What is asked of a circusd here, and the programs that it runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from circus_plugins.client import Client

if TYPE_CHECKING:
    from pathlib import Path

    from circus_core.testing import Circusd

PYTHON = f"{sys.executable} -I"
BEGIN = "import os, select, socket, sys, threading, time; server = socket.socket(fileno=int(sys.argv[1]))"
WAITS = {
    "accept": "server.setblocking(True); server.accept()",
    "thread": "server.setblocking(True); threading.Thread(target=server.accept).start(); time.sleep(1000)",
    "select": "select.select([server], [], [])",
    "poll": "poll = select.poll(); poll.register(server, select.POLLIN); poll.poll()",
    "epoll": "poll = select.epoll(); poll.register(server, select.EPOLLIN); time.sleep(1000)",
    "child": "server.setblocking(True); os.fork() or server.accept(); time.sleep(1000)",
}

RECEIVES = {
    **{manner: WAITS[manner] for manner in ("select", "poll", "epoll")},
    "recvfrom": "server.setblocking(True); server.recvfrom(100)",
    "recvmsg": "server.setblocking(True); server.recvmsg(100)",
    "read": "server.setblocking(True); os.read(server.fileno(), 100)",
    "readv": "server.setblocking(True); os.readv(server.fileno(), [bytearray(100)])",
    "child": "server.setblocking(True); os.fork() or server.recv(100); time.sleep(1000)",
}
"""How a program may wait for datagrams."""


def call(run: Circusd, command: str, **properties: Any) -> dict[str, Any]:
    with Client(run.endpoint, timeout=30) as client:
        return client.call(command, **properties)


def states(run: Circusd, watcher: str) -> list[str]:
    details = call(run, "status", name=watcher, extended=True)["details"][watcher]
    return [process["state"] for process in details["processes"]]


def facts(run: Circusd, watcher: str) -> dict[str, str]:
    found: dict[str, str] = call(run, "status", name=watcher, extended=True)["details"][watcher]["facts"]
    return found


def events(run: Circusd, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(run, "events", event=name)["events"]
    return found


def program(tmp_path: Path, code: str, name: str = "program") -> str:
    path = tmp_path / f"{name}.py"
    path.write_text(code)
    return f"{PYTHON} {path}"


def gate(tmp_path: Path) -> tuple[Path, str]:
    """A file, and a line of Python that waits until it is there."""
    path = tmp_path / "go"
    return path, f"import os, time\nwhile not os.path.exists({str(path)!r}): time.sleep(0.01)\n"
