"""One open endpoint, and how it is closed; who opens it is in `house`, and who serves it elsewhere."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from attrs import define

from circus_plugins.doors.release import Release

if TYPE_CHECKING:
    from collections.abc import Callable

    import zmq

    from circus_plugins.doors.keys import Keyring
    from circus_plugins.doors.monitor import Monitor


@define(eq=False)
class Door:
    """One open endpoint. `keyring` is set if clients need a key; `text` is the address as clients use it.

    `path` is the socket's file, if it has one, and `owner` the uid it was given to, if it was. `port` is that of a TCP
    address, else 0. `vacated` is called once the door is closed and nothing of it is left at its address.
    """

    option: str
    text: str
    socket: zmq.Socket[bytes]
    monitor: Monitor
    path: str = ""
    keyring: Keyring | None = None
    owner: int | None = None
    port: int = 0
    vacated: Callable[[Door], None] = lambda _door: None
    _file: os.stat_result | None = None
    _release: Release | None = None

    @property
    def address(self) -> int | str:
        """The port, or what follows `ipc://`."""
        return self.port or self.text.removeprefix("ipc://")

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left at its address."""
        return self.socket.closed and (self._release is None or self._release.over.done())

    def let_go(self) -> Release:
        """Give up the address at once, for another socket to have it. Whoever has come in is cut off."""
        if self._release is None:
            self._release = Release(self.monitor)
            self.socket.unbind(self.text)
        return self._release

    def take_again(self) -> None:
        """After `let_go`, if nothing took the address."""
        if not self.socket.closed:
            self._release = None
            self.socket.bind(self.text)

    def forget(self) -> None:
        """Wait no more for what was let go."""
        self.monitor.close()

    def close(self, linger: float) -> None:
        """Close it; what was sent and not yet delivered has `linger` seconds more."""
        if not self.socket.closed:
            if self._file is not None:
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(self._file, os.lstat(self.path)):
                        os.unlink(self.path)  # libzmq leaves it behind
            try:
                # Not by `let_go`: that would throw away what was not delivered yet.
                self._release = self._release or Release(self.monitor)
                self._release.over.add_done_callback(self._left)
            finally:
                self.socket.close(int(linger * 1000))

    def _left(self, _over: object) -> None:
        self.monitor.close()
        self.vacated(self)
