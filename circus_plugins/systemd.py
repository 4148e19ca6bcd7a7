"""The plugin `systemd`: tells the service manager that started circusd how circusd fares, by sd_notify(3).

circusd loads it where NOTIFY_SOCKET is set. It takes no orders: what the manager wants comes as signals, as to any
daemon.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from circus_core.plugin import CircusPlugin

if TYPE_CHECKING:
    from circus_core.events import SupervisorStopping, WatcherGaveUp, WatcherRemoved, WatcherStarted, WatcherStopped
    from circus_core.model import Config


class Systemd(CircusPlugin):
    """Says when circusd is up, reloads its configuration and stops, and how many watchers are active meanwhile."""

    name = "systemd"
    host = "core"

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._supervisor: Any = None
        self._up = False
        self._active: set[str] = set()
        self._given_up: dict[str, None] = {}
        self._status = ""

    async def circus_startup(self, supervisor: Any) -> None:
        """Connect to the manager, and begin to feed its watchdog, if it has one."""
        self._supervisor = supervisor
        address, watchdog = supervisor.inherited.notify_socket, supervisor.inherited.watchdog
        if not address:
            return
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.connect("\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            made.close()
            reason = error.strerror or error
            self.log.warning("NOTIFY_SOCKET is %s, and nobody is told how circusd fares: %s", address, reason)
            return
        loop = asyncio.get_running_loop()
        self._transport, _protocol = await loop.create_datagram_endpoint(lambda: _Deaf(self), sock=made)
        if watchdog is not None:
            # As sd_watchdog_enabled(3) has it. That it comes shows that the loop turns.
            self.every(watchdog / 2, lambda: self._tell("WATCHDOG=1"))

    def circus_supervisor_started(self) -> None:
        """It is up. The pid is told since --daemon has another one than the manager started."""
        self._up = True
        self._tell("READY=1", f"MAINPID={os.getpid()}", self._news())

    def circus_follow_config(self, config: Config) -> None:
        """A new configuration is in force, and what it asks for is to be done next."""
        if self._up:
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._tell("RELOADING=1", f"MONOTONIC_USEC={now}", "STATUS=The configuration is reloaded")

    def circus_supervisor_reloaded(self) -> None:
        """That is done."""
        if self._up:
            self._status = ""
            self._tell("READY=1", self._news())

    def circus_supervisor_stopping(self, event: SupervisorStopping) -> None:
        """From now on nothing else is worth a word."""
        self._up = False
        self._tell("STOPPING=1", f"STATUS=Stopping: {event.reason}")

    def circus_watcher_started(self, event: WatcherStarted) -> None:
        """One more is active."""
        self._active.add(event.watcher)
        self._given_up.pop(event.watcher, None)
        self._tell_news()

    def circus_watcher_stopped(self, event: WatcherStopped) -> None:
        """One less is active."""
        self._active.discard(event.watcher)
        self._tell_news()

    def circus_watcher_removed(self, event: WatcherRemoved) -> None:
        """It counts no more."""
        self._active.discard(event.watcher)
        self._given_up.pop(event.watcher, None)
        self._tell_news()

    def circus_watcher_gave_up(self, event: WatcherGaveUp) -> None:
        """It is named for as long as it does not run again."""
        self._given_up[event.watcher] = None
        self._tell_news()

    def circus_shutdown(self) -> None:
        """Nobody is told any more."""
        if self._transport is not None:
            self._transport.close()

    def _news(self) -> str:
        known = len(self._supervisor.watchers)
        failed = f"; given up: {', '.join(self._given_up)}" if self._given_up else ""
        return f"STATUS={len(self._active)} of {known} watchers active{failed}"

    def _tell_news(self) -> None:
        if self._up and self._transport is not None and self._news() != self._status:
            self._tell(self._news())

    def _tell(self, *lines: str) -> None:
        if self._transport is not None:
            self._status = lines[-1]
            self._transport.sendto("\n".join(lines).encode(errors="replace"))


class _Deaf(asyncio.DatagramProtocol):
    """What asyncio wants to call back; the manager answers nothing."""

    def __init__(self, plugin: Systemd) -> None:
        self._plugin = plugin
        self._told = False

    def error_received(self, error: Exception) -> None:
        """The manager is gone; that is worth one word, and not one for each report."""
        if not self._told:
            self._told = True
            self._plugin.log.warning("the service manager cannot be told how circusd fares: %s", error)
