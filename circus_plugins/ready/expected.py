"""One process that is waited for: what was made for it before its spawn, and what is known of it since."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import evolve

from circus_core.errors import CircusError
from circus_core.expand import environment_variables, expand
from circus_plugins.ready import DEFAULTS
from circus_plugins.ready.ways import Delay, Way, Word

if TYPE_CHECKING:
    import re

    from circus_core.model import Launch, ProcessRef, WatcherOptions
    from circus_plugins.ready.notify import Notices
    from circus_plugins.ready.probes import Probes


Listener = Callable[[str, bytes], bool]


class Expected:
    """A process by what its watcher's options say. `launch` is how it is to be started."""

    def __init__(
        self,
        launch: Launch,
        watcher: WatcherOptions,
        probes: Probes,
        silent: Callable[[ProcessRef, str], object],
    ) -> None:
        self.watcher = watcher
        self.launch = launch
        self._silent = silent
        self._probes = probes
        self._process: ProcessRef | None = None
        self._notices: Notices | None = None
        self._ready = False
        self._since = 0.0
        self._kind = str(watcher.extra.get("ready") or "")
        watchdog = self._seconds("watchdog_timeout")
        if self._kind == "notify" or watchdog:
            self.launch = self._notified(launch, watchdog)
        self._way = self._chosen()

    def spawned(self, process: ProcessRef) -> None:
        """This is the process."""
        self._process = process
        if not self._kind:
            self._begin_watchdog()

    def overhear(self) -> Listener | None:
        """What is to be given its output, if that tells."""
        return self._way.hear if isinstance(self._way, Word) else None

    def come_up(self, process: ProcessRef) -> Any:
        """An awaitable that is done when it is ready; raises CircusError if it takes too long. None if nobody asked."""
        return self._come_up(self._way, process) if self._way is not None else None

    def waits(self) -> str:
        """Why it is not ready yet, in words; empty if it is."""
        if self._process is None or self._way is None or self._ready:
            return ""
        age = asyncio.get_running_loop().time() - self._since
        return f"pid {self._process.pid} {self._way.lacking()} after {age:.1f} s"

    def says(self) -> str:
        """What it says of itself, in words."""
        notices = self._notices
        if notices is None or self._process is None or not (notices.status or notices.stage):
            return ""
        words = ", ".join(filter(None, (notices.stage, notices.status)))
        return f"pid {self._process.pid}: {words}"

    def close(self) -> None:
        """It is gone, or will never be."""
        if self._notices is not None:
            self._notices.close()
            self._notices = None

    async def _come_up(self, way: Way, process: ProcessRef) -> bool:
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        limit = None if isinstance(way, Delay) else self._since + self._seconds("ready_timeout")
        try:
            async with asyncio.timeout_at(limit) as deadline:
                if self._notices is not None and limit is not None:
                    self._notices.extend = lambda until: deadline.reschedule(max(until, deadline.when() or until))
                await way.wait(process.pid)
        except TimeoutError:
            raise CircusError(
                f"it {way.lacking()} after {loop.time() - self._since:.1f} s",
                hint="ready_timeout is how long it may take",
            ) from None
        finally:
            if self._notices is not None:
                self._notices.extend = None
        self._ready = True
        self._begin_watchdog()
        return True

    def _begin_watchdog(self) -> None:
        if self._notices is not None:
            self._notices.begin_watchdog()

    def _notified(self, launch: Launch, watchdog: float) -> Launch:
        from circus_plugins.ready.notify import Notices

        users = frozenset() if launch.uid is None else frozenset({launch.uid})
        try:
            self._notices = Notices(watchdog, users, self._told_silent)
        except OSError as error:
            raise CircusError(f"it cannot be given a NOTIFY_SOCKET: {os.strerror(error.errno or 0)}") from error
        env = {**launch.env, "NOTIFY_SOCKET": self._notices.address}
        if watchdog:
            env["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        return evolve(launch, env=env)

    def _told_silent(self, reason: str) -> None:
        if self._process is not None:
            self._silent(self._process, reason)

    def _chosen(self) -> Way | None:
        match self._kind:
            case "delay":
                return Delay(self._seconds("ready_delay"))
            case "output":
                pattern: re.Pattern[str] = self._option("ready_output")
                return Word(pattern)
            case "notify":
                from circus_plugins.ready.notify import Notified

                assert self._notices is not None
                return Notified(self._notices)
            case "accepting":
                from circus_plugins.ready.accepting import Accepting

                return Accepting(self._doors(), self._probes, self._text("ready_address"))
            case "http":
                from circus_plugins.ready.answering import Answering

                return Answering(self._doors(), self._probes, self._text("ready_url"))
        return None

    def _doors(self) -> Any:
        from circus_plugins.ready.evidence import doors

        launch = self.launch
        stdin = [launch.stdin] if launch.stdin is not None and launch.stdin >= 0 else []
        return doors([*launch.pass_fds, *launch.listen_fds, *stdin])

    def _option(self, key: str) -> Any:
        return self.watcher.extra.get(key, DEFAULTS.get(key))

    def _seconds(self, key: str) -> float:
        return float(self._option(key) or 0)

    def _text(self, key: str) -> str:
        """A text with the variables that it has in this slot."""
        launch = self.launch
        known = {**environment_variables(launch.env), "wid": launch.wid, "name": launch.watcher}
        return expand(str(self._option(key) or ""), known)
