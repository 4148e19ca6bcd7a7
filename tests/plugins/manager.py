"""Plays the service manager: starts circusd with sockets that it keeps open, and hears how circusd fares."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd

START = """\
#!{python}
import os, socket, sys
with socket.socket(socket.AF_UNIX) as manager:
    manager.connect({hand!r})
    names, fds, _flags, _address = socket.recv_fds(manager, 1000, 100)
above = [os.dup2(fd, 100 + place) for place, fd in enumerate(fds)]
for place, fd in enumerate(above):
    os.dup2(fd, 3 + place)
os.closerange(3 + len(fds), 300)
if fds:
    os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=names.decode())
os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv({python!r}, [{python!r}, *sys.argv[1:]])
"""
"""Stands for the interpreter that runs circusd: what systemd does between fork and exec."""


class Manager:
    """It has sockets by name; each circusd that it starts is handed them, and reports here."""

    def __init__(self, circusd: Callable[..., Circusd]) -> None:
        self._circusd = circusd
        self._folder = tempfile.TemporaryDirectory(prefix="manager-")
        folder = Path(self._folder.name)
        self.sockets: list[tuple[str, socket.socket]] = []
        self._hand = socket.socket(socket.AF_UNIX)
        self._hand.bind(str(folder / "hand"))
        self._hand.listen()
        self._hand.settimeout(20)
        self._reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._reports.bind(str(folder / "notify"))
        self._reports.settimeout(20)
        self.notify = str(folder / "notify")
        self._start = folder / "start"
        self._start.write_text(START.format(python=sys.executable, hand=str(folder / "hand")))
        self._start.chmod(0o755)

    def listen(self, name: str, address: Any, kind: int = socket.SOCK_STREAM) -> Any:
        """Open a socket of this name; answers its address."""
        family = (
            socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        )
        made = socket.socket(family, kind)
        made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen()
        self.sockets.append((name, made))
        return made.getsockname()

    def start(self, configuration: str, *arguments: str, env: dict[str, str] | None = None) -> Circusd:
        """Start circusd, with all sockets."""
        run = self._circusd(
            configuration, *arguments, python=str(self._start), env={"NOTIFY_SOCKET": self.notify, **(env or {})}
        )
        peer, _address = self._hand.accept()
        with peer:
            names = ":".join(name for name, _ in self.sockets).encode() or b"-"
            socket.send_fds(peer, [names], [made.fileno() for _, made in self.sockets])
        return run

    def heard(self) -> dict[str, str]:
        """The next report."""
        return dict(line.split("=", 1) for line in self._reports.recv(4096).decode().splitlines())

    def hear(self, key: str, value: str | None = None) -> dict[str, str]:
        """The next report that says this."""
        while True:
            report = self.heard()
            if key in report and value in (None, report[key]):
                return report

    def go(self) -> None:
        """Listen to no report any more."""
        self._reports.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for each in (self._hand, self._reports, *(made for _, made in self.sockets)):
            each.close()
        self._folder.cleanup()


def environ(pid: int) -> dict[str, str]:
    """The environment that a process was started with."""
    return dict(
        os.fsdecode(pair).split("=", 1) for pair in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if pair
    )
