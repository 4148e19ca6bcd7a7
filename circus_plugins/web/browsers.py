"""The browsers that are connected, and how each is reached and sent away. It knows nothing of what they are told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import define, field

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    import socketio

    from circus_plugins.web.access.people import Person
    from circus_plugins.web.following import Following
    from circus_plugins.web.outbox import Outbox

ALL = "all"
"""Those that have had their first picture."""


@define(eq=False)
class Browser:
    """One connection, of somebody."""

    sid: str
    engine: str
    person: Person
    address: str
    peer: tuple[str, int] | None
    outbox: Outbox
    watching: str = ""
    shown: Mapping[str, Any] | None = None
    following: Following | None = None
    snapshot: bool = False
    orders: set[asyncio.Task[Any]] = field(factory=set)

    def forget(self) -> None:
        """Do nothing for it any more. What it ordered goes on."""
        self.outbox.overflowed = None
        if self.following is not None:
            self.following.stop()
            self.following = None


class Browsers:
    """All of them, by their number. `hang_up` ends a client's connection, whatever it has not read.

    `failed` is called with a task of `spawn` that failed; the failure is logged already.
    """

    def __init__(
        self,
        server: socketio.AsyncServer,
        hang_up: Callable[[tuple[str, int] | None], None],
        log: logging.Logger,
    ) -> None:
        self.by_sid: dict[str, Browser] = {}
        self.failed: Callable[[asyncio.Task[None]], object] = lambda _task: None
        self._server = server
        self._hang_up = hang_up
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def all(self) -> tuple[Browser, ...]:
        """All of them now."""
        return tuple(self.by_sid.values())

    async def tell(self, name: str, told: Any, room: str = ALL) -> None:
        """Send a message to a room, or to one browser by its number."""
        await self._server.emit(name, told, room=room)

    async def enter(self, browser: Browser, room: str) -> None:
        """From now on it is told what the room is told."""
        await self._server.enter_room(browser.sid, room)

    async def leave(self, browser: Browser, room: str) -> None:
        """From now on it is not."""
        await self._server.leave_room(browser.sid, room)

    def spawn(self, work: Any) -> asyncio.Task[None]:
        """Have something done; where it fails, it is logged."""
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def send_away(self, browser: Browser, why: str) -> None:
        """Hang up on it; without a reason that is nothing for the log."""
        if why:
            self._log.warning("a browser of %s at %s is sent away: %s", browser.person, browser.address, why)
        browser.forget()
        self.spawn(self._end(browser))

    async def ended(self, engine: str) -> None:
        """A connection is over, as far as the network is concerned."""
        found = self._server.eio.sockets.get(engine)
        if found is not None and not found.closed:
            await found.close(wait=False, abort=True)
            found.queue.put_nowait(None)
        self._server.eio.sockets.pop(engine, None)

    async def close(self) -> None:
        """Do nothing for anybody any more."""
        for browser in self.all():
            browser.forget()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _end(self, browser: Browser) -> None:
        self._hang_up(browser.peer)
        await self.ended(browser.engine)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("the web console failed: %s", error, exc_info=error)
            self.failed(task)


def watching(name: str) -> str:
    """The room of those that look at one watcher."""
    return f"watch {name}"
