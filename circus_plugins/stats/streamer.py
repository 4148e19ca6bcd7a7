"""The plugin `stats`: publishes what processes use, in a process of its own, while somebody is subscribed.

It learns from circusd's events which processes there are. Unless it is to keep a history, it keeps nothing else, and
with nobody subscribed it looks at nothing and has no timer.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, ClassVar

import zmq
from attrs import frozen

from circus_core import open_files
from circus_core.errors import CircusError
from circus_core.kinds import BOOLEAN, NUMBER, TEXT
from circus_core.options import option
from circus_core.paths import PATH
from circus_core.plugin import CircusPlugin
from circus_plugins.amounts import SIZE
from circus_plugins.doors.address import STATS
from circus_plugins.doors.audience import Audience
from circus_plugins.doors.house import House
from circus_plugins.doors.terms import ENDPOINT
from circus_plugins.stats.feed import Feed, encode, wanted
from circus_plugins.stats.further import figures
from circus_plugins.stats.known import Processes
from circus_plugins.stats.sockets import Sockets

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from circus_core.events import ProcessExited, ProcessReady, ProcessSpawned
    from circus_core.periodic import Periodic
    from circus_plugins.stats.history.keeping import History
    from circus_plugins.stats.history.serving import Serving

KEPT = 20_000
"""Messages kept for a subscriber that is slow; what comes then is lost for it."""
LAST_WORDS = 0.2
"""Seconds that the last figures have to reach their subscribers."""


@frozen
class StreamerOptions:
    """How often, where, and what besides."""

    interval: float = option(NUMBER, 1.0, minimum=0.01, unit="s", help="The time from one look to the next.")
    open_files: bool = option(BOOLEAN, False, help="Tell how many files each process has open: opens one each time.")
    io: bool = option(BOOLEAN, False, help="Tell the bytes each process read and wrote: opens a file each time.")
    pss: bool = option(
        BOOLEAN, False, help="Tell the share of memory that is each process' own: takes longer the more memory it has."
    )
    history: bool = option(
        BOOLEAN, False, help="Keep what was used, for the command `history`: it looks all the time then."
    )
    history_memory: int = option(
        SIZE, 64 << 20, unit="bytes", minimum=4 << 20,
        help="How much memory the history may take; it is of a shorter time where that is too little.",
    )  # fmt: skip
    stats_endpoint: str | None = option(ENDPOINT, None, help="Where it publishes; what [circus] says if unset.")
    keys_dir: str | None = option(PATH, None, help="The keys of TCP clients; what [circus] says if unset.")
    endpoint_owner: str | None = option(TEXT, None, help="User who may subscribe too; what [circus] says if unset.")


class Streamer(CircusPlugin):
    """Publishes statistics of all processes on the stats endpoint, as Circus' circusd-stats does."""

    name = "stats"
    watcher = "circusd-stats"
    awaited = False
    Options: ClassVar[type | None] = StreamerOptions

    def __init__(self) -> None:
        self._processes = Processes()
        self._house: House | None = None
        self._audience: Audience | None = None
        self._feed: Feed | None = None
        self._sockets: Sockets | None = None
        self._rounds: Periodic | None = None
        self._history: History | None = None
        self._serving: Serving | None = None

    async def circus_startup(self) -> None:
        """Open the endpoint, and ask which processes there are."""
        self._feed = Feed(self._processes, self._more)
        self._sockets = Sockets(self.client)
        await self._ask()
        if self._feed.circusd != os.getpid():
            open_files.allow_raising()
        self._house = House.enter(self)
        door = await self._house.open(
            zmq.XPUB,
            "stats_endpoint",
            self.options.stats_endpoint,
            default=STATS,
            keys_dir=self.options.keys_dir,
            owner=self.options.endpoint_owner if self.options.stats_endpoint else None,
            sockopts={zmq.SNDHWM: KEPT},
        )
        if door.keyring is None and door.port:
            self.log.warning(
                "stats_endpoint %s: every user of this machine can read there what runs; use an ipc:// endpoint, or set"
                " keys_dir", door.text,
            )  # fmt: skip
        self.log.info("stats endpoint %s%s", door.text, " (keys needed)" if door.keyring else "")
        self._audience = Audience(door, self.log, self._listen, self._listen)
        if self.options.history:
            self._keep_history()

    async def circus_shutdown(self) -> None:
        """Close the endpoint and every descriptor."""
        if self._serving is not None:
            await self._serving.end()
        if self._feed is not None:
            self._feed.end()
        if self._audience is not None:
            self._audience.close(LAST_WORDS)
        if self._house is not None:
            self._house.leave()

    def circus_process_spawned(self, event: ProcessSpawned) -> None:
        """One more."""
        self._processes.spawned(event)

    def circus_process_ready(self, event: ProcessReady) -> None:
        """It came up."""
        known = self._processes.ready(event)
        if known is not None and self._feed is not None:
            self._feed.changed(known)

    def circus_process_exited(self, event: ProcessExited) -> None:
        """One less; what it used is told with its watcher."""
        known = self._processes.exited(event)
        if self._feed is not None:
            self._feed.exited(event, known)
        if self._history is not None and known is not None:
            self._history.exited(known, event.at)

    def circus_watcher_added(self, event: Any) -> None:
        """It may have a past from now on."""
        self._processes.added(event.watcher)

    def circus_watcher_started(self) -> None:
        """Its sockets may be new, too."""
        if self._sockets is not None:
            self._sockets.forget()

    def circus_watcher_stopped(self, event: Any) -> None:
        """Whoever comes next is no restart."""
        self._processes.stopped(event.watcher)

    def circus_watcher_removed(self, event: Any) -> None:
        """Nothing is told of it any more."""
        self._processes.removed(event.watcher)
        self._look_anew()

    async def circus_events_lost(self) -> None:
        """Ask anew what cannot be known."""
        await self._ask()

    async def circus_supervisor_started(self) -> None:
        """A circusd that was started again has other processes, and no questions."""
        await self._ask()
        if self._serving is not None:
            await self._serving.begin_anew()

    def circus_supervisor_reloaded(self) -> None:
        """There may be other sockets."""
        if self._sockets is not None:
            self._sockets.forget()

    async def _ask(self) -> None:
        assert self._feed is not None
        self._feed.circusd = (await self.client.call("commands"))["pid"]
        details = (await self.client.call("status", extended=True))["details"]
        self._processes.take(details, time.time())
        self._look_anew()

    def _look_anew(self) -> None:
        """Look at those alone who are known now."""
        if self._rounds is not None and self._audience is not None and self._feed is not None:
            self._feed.begin(self._audience.topics)

    def _keep_history(self) -> None:
        from circus_plugins.stats.history.keeping import History
        from circus_plugins.stats.history.serving import Serving

        assert self._feed is not None
        self._feed.all = True
        self._history = History(self.options.history_memory)
        self._serving = Serving(self._history, self.options.interval, self.client, self.log)
        self._serving.begin()
        self._listen(b"")

    def _listen(self, _topic: bytes) -> None:
        """Somebody subscribed, or nobody is subscribed to something any more."""
        assert self._audience is not None
        assert self._feed is not None
        topics = self._audience.topics
        if topics or self._history is not None:
            self._feed.begin(topics)
            if self._rounds is None:
                self._rounds = self.every(self.options.interval, self._round)
        elif self._rounds is not None:
            self._rounds.cancel()
            self._rounds = None
            self._feed.end()

    def _round(self) -> Awaitable[None] | None:
        audience, feed, history = self._audience, self._feed, self._history
        if audience is None or feed is None:
            return None
        listened = audience.wanted()
        if not listened and history is None:
            return None
        feed.look(audience.topics)
        if history is not None and self._serving is not None:
            history.take(feed.at, feed.seconds, feed.seen)
            self._serving.begin()
        if not listened:
            return None
        audience.send(feed.messages(audience.topics))
        if self._sockets is None or not wanted(Sockets.TOPIC, audience.topics) or self._sockets.none:
            return None
        return self._queues(self._sockets)

    async def _queues(self, sockets: Sockets) -> None:
        try:
            messages = await sockets.messages()
        except CircusError as error:
            self.log.warning("circusd does not say how many wait at its sockets: %s", error)
            return
        if self._audience is not None and self._audience.topics:
            self._audience.send(messages)

    def _more(self, pid: int) -> str:
        """What the options ask for of a process, as further members of a JSON object."""
        options = self.options
        found = figures(pid, files=options.open_files, io=options.io, pss=options.pss)
        return f",{encode(found)[1:-1]}" if found else ""
