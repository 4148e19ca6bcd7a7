"""The plugin `watchdog`: ends processes that no longer say they are well. It does not ask how a process feels.

Processes send heartbeats by UDP (PROTOCOL.md 7). Who fell silent is ended by the command `kill`, and its watcher
replaces it.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from circus_core.errors import CircusError, PluginError
from circus_core.kinds import INTEGER, NUMBER, REGEX, SIGNAL, TEXT
from circus_core.options import option
from circus_core.plugin import CircusPlugin

if TYPE_CHECKING:
    from circus_core.events import ProcessExited, ProcessSignaled, ProcessSpawned

PLUGINS = "plugin:"
"""How the names of the watchers of plugins begin; plugins send no heartbeats."""
PID = re.compile(r"[0-9]{1,10}")
COMPLAIN = 60.0
"""Seconds between two lines in the log about datagrams that are no heartbeats."""
HELD_UP = 2
"""A round that is so many rounds late judges nobody: whoever held up this plugin may have held up the heartbeats."""


@define
class Watched:
    """A process and when it was last heard of, in seconds of the loop's clock."""

    watcher: str
    heard: float


class Heartbeats(asyncio.DatagramProtocol):
    """Hands on what arrives."""

    def __init__(self, watchdog: WatchDog) -> None:
        self._watchdog = watchdog

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Called by asyncio."""
        self._watchdog.hear(data, addr)


class WatchDog(CircusPlugin):
    """Ends processes whose heartbeats stay away."""

    name = "watchdog"

    @frozen(kw_only=True)
    class Options:
        """PROTOCOL.md 7."""

        loop_rate: float = option(NUMBER, 60, unit="seconds", minimum=0.01, help="How often silence is looked for.")
        max_count: int = option(
            INTEGER, 3, minimum=1, help="So many rounds (`loop_rate`) without a heartbeat are too many."
        )
        watchers_regex: re.Pattern[str] = option(
            REGEX, re.compile(".*"), help="Whose processes send heartbeats; matched from the name's beginning."
        )
        msg_regex: re.Pattern[str] = option(
            REGEX, re.compile(r"^(?P<pid>.*);(?P<timestamp>.*)$"),
            help="What a heartbeat looks like; the group `pid` says who sends it.",
        )  # fmt: skip
        ip: str = option(TEXT, "127.0.0.1", help="The address where heartbeats are taken.")
        port: int = option(INTEGER, 1664, minimum=1, help="The UDP port where heartbeats are taken.")
        watchers_stop_signal: int | None = option(
            SIGNAL, None, help="The signal for who is silent; without it the watcher's `stop_signal`."
        )
        watchers_graceful_timeout: float | None = option(
            NUMBER, None, unit="seconds", minimum=0,
            help="The time until SIGKILL follows; without it the watcher's `graceful_timeout`.",
        )  # fmt: skip

        def contradictions(self) -> list[tuple[str, str, str]]:
            """Called when they are read."""
            if "pid" in self.msg_regex.groupindex:
                return []
            return [("msg_regex", "has no group `pid`", "write (?P<pid>...) around the pid")]

    def __init__(self) -> None:
        self.watched: dict[int, Watched] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.rounds = 0
        self._round = 0.0
        self._odd = 0
        self._complained = float("-inf")

    async def circus_startup(self) -> None:
        """Open the port, and learn what runs already."""
        ip, port, loop = self.options.ip, self.options.port, asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(lambda: Heartbeats(self), local_addr=(ip, port))
        except OSError as error:
            raise PluginError(
                f"plugin {self.name}: UDP port {port} of {ip} cannot be opened: {error.strerror or error}",
                hint="another program, or another watchdog, may have it; change `port`",
            ) from None
        for name in (await self.client.call("list"))["watchers"]:
            for pid in await self._pids(name) if self._concerns(name) else ():
                self._watch(name, pid)
        self._round = loop.time()
        self.every(self.options.loop_rate, self._look)

    def circus_shutdown(self) -> None:
        """Close the port."""
        if self._transport is not None:
            self._transport.close()

    # Who is watched

    def circus_process_spawned(self, event: ProcessSpawned) -> None:
        """From now on it has the same time as others for its first heartbeat."""
        if self._concerns(event.watcher):
            self._watch(event.watcher, event.pid)

    def circus_process_exited(self, event: ProcessExited) -> None:
        """Nobody waits for its heartbeat."""
        self.watched.pop(event.pid, None)

    def circus_process_signaled(self, event: ProcessSignaled) -> None:
        """It was told to end, and has its own time for that."""
        self.watched.pop(event.pid, None)

    def _concerns(self, watcher: str) -> bool:
        if watcher.lower().startswith(PLUGINS):
            return False
        pattern = self.options.watchers_regex
        return bool(pattern.match(watcher) or pattern.match(watcher.lower()))

    def _watch(self, watcher: str, pid: int) -> None:
        self.watched[pid] = Watched(watcher, asyncio.get_running_loop().time())

    async def _pids(self, watcher: str) -> list[int]:
        try:
            pids: list[int] = (await self.client.call("list", name=watcher))["pids"]
        except CircusError:
            # It was removed meanwhile, so nothing of it runs.
            return []
        return pids

    # Who is heard

    def hear(self, data: bytes, sender: tuple[Any, ...]) -> None:
        """Take a heartbeat; what is none, or of nobody known, is only counted. Its time is when it arrived."""
        text = data.decode(errors="replace").rstrip("\r\n\0")
        found = self.options.msg_regex.match(text)
        said = (found["pid"] or "").strip() if found else ""
        watched = self.watched.get(int(said)) if PID.fullmatch(said) else None
        now = asyncio.get_running_loop().time()
        if watched is not None:
            watched.heard = now
            return
        self._odd += 1
        if now - self._complained >= COMPLAIN:
            self._complained = now
            problem = "is of no process that is watched" if found else "is no heartbeat"
            self.log.warning(
                "%d datagrams were no heartbeats of watched processes; the last, from %s, %s: %.80r",
                self._odd, sender[0], problem, text,
            )  # fmt: skip
            self._odd = 0

    # Who is silent

    async def _look(self) -> None:
        now, rate = asyncio.get_running_loop().time(), self.options.loop_rate
        self.rounds += 1
        late, self._round = now - self._round > HELD_UP * rate, now
        if late:
            self.log.warning("this watchdog was held up itself; every process gets a new time for its heartbeat")
            for watched in self.watched.values():
                watched.heard = now
            return
        allowed = rate * self.options.max_count
        silent = {pid: watched for pid, watched in self.watched.items() if now - watched.heard > allowed}
        for watcher in {watched.watcher for watched in silent.values()}:
            living = await self._pids(watcher)
            for pid in [pid for pid, watched in silent.items() if watched.watcher == watcher]:
                if pid not in living:
                    self.watched.pop(pid, None)
                elif now - silent[pid].heard > allowed:
                    # It may be one that was heard after all, while circusd answered.
                    self.watched.pop(pid, None)
                    await self._end(watcher, pid, allowed)

    async def _end(self, watcher: str, pid: int, allowed: float) -> None:
        self.log.warning("%s: pid %d is ended, as it sent no heartbeat for %g s", watcher, pid, allowed)
        manner = {
            "signum": self.options.watchers_stop_signal,
            "graceful_timeout": self.options.watchers_graceful_timeout,
        }
        given = {key: value for key, value in manner.items() if value is not None}
        try:
            await self.client.call("kill", name=watcher, pid=pid, **given)
        except CircusError as error:
            self.log.error("%s: pid %d was not ended: %s", watcher, pid, error)
