"""socket.io: who is connected, what each is told, and what each asks for. Nothing is asked of circusd while nobody is.

The picture is kept by `circus_plugins.picture`; `telling` makes messages of it, once for all browsers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import socketio
from attrs import define, field

from circus_core import __version__
from circus_core.errors import CircusError, EndpointError, ForbiddenError, RequestError
from circus_plugins.picture import Live, Picture
from circus_plugins.picture.views import NOT_YET
from circus_plugins.web import asked
from circus_plugins.web.doorway import PEER, PERSON, Doorway
from circus_plugins.web.following import Following
from circus_plugins.web.orders import wrong
from circus_plugins.web.outbox import Outbox
from circus_plugins.web.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import HTTPConnection

    from circus_plugins.web.access.people import Person
    from circus_plugins.web.orders import Orders

ALL = "all"
GATHER = 0.05
"""Seconds in which changes are gathered."""
LINGER = 10.0
"""Seconds that the picture is kept up to date after the last browser has left: it may only be loading the page anew."""
AGAIN = 10.0
"""Seconds until a circusd that refused is tried again."""
LARGEST = 1_000_000
MOST = 500
"""Browsers at one time."""


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


class Push:
    """`live` makes what keeps a picture up to date; `hang_up` ends a client's connection, whatever it has not read."""

    def __init__(
        self,
        orders: Orders,
        live: Callable[..., Live],
        hang_up: Callable[[tuple[str, int] | None], None],
        log: logging.Logger,
        *,
        host: str,
        interval: float,
        local: bool,
        read_only: bool,
    ) -> None:
        self._orders = orders
        self._make_live = live
        self._hang_up = hang_up
        self._log = log
        self._about = {"version": __version__, "host": host, "read_only": read_only, "login": True}
        self._interval = interval
        self._browsers: dict[str, Browser] = {}
        self._picture = Picture()
        self._telling = Telling(self._picture, local=local)
        self._problem = ("", 0.0)
        self._pid: int | None = None
        self._events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: list[asyncio.Task[None]] = []
        self._doorway: Doorway
        self._leaving: asyncio.TimerHandle | None = None
        self._server = self._socketio()

    def app(self, path: str, person: Callable[[HTTPConnection], Person | None]) -> Doorway:
        """The ASGI application at a path."""
        inner = socketio.ASGIApp(self._server, socketio_path=path)
        self._doorway = Doorway(inner, person, self._room, self._ended, self._log)
        return self._doorway

    def _socketio(self) -> socketio.AsyncServer:
        logger = self._log.getChild("socket")
        # At `info` it would note whatever is sent, secrets too; and nonsense that a client sends, with a traceback.
        logger.setLevel(logging.CRITICAL)
        server = socketio.AsyncServer(
            async_mode="asgi",
            logger=logger,
            engineio_logger=logger,
            # The guard looks at each Origin.
            cors_allowed_origins=[],
            max_http_buffer_size=LARGEST,
            # Messages are handled in tasks of ours, which say what went wrong.
            async_handlers=False,
            # It would wake up for ever after the first browser. The signs of life of each connection remain.
            monitor_clients=False,
            http_compression=False,
        )
        server.eio.create_queue = Outbox
        self._take: Callable[[str, Any], Awaitable[None]] = server.eio.handlers["message"]
        server.eio.on("message", self._message)
        server.on("connect", self._connect)
        server.on("disconnect", self._disconnect)
        for name, handler in {
            "call": self._call,
            "watch": self._watch,
            "unwatch": self._unwatch,
            "follow": self._follow,
            "unfollow": self._unfollow,
            "events": self._older,
        }.items():
            server.on(name, self._answering(handler))
        server.on("*", self._unknown)
        return server

    async def close(self) -> None:
        """Tell nobody anything any more."""
        self._stop()
        for browser in tuple(self._browsers.values()):
            self._forget(browser)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def log_out(self, session: str) -> None:
        """Send away every browser of a session."""
        for browser in tuple(self._browsers.values()):
            if browser.person.session == session:
                self._send_away(browser, "")

    # Who is there

    async def _room(self) -> bool:
        """Whether there is room for one more; those that give no sign of life are not counted."""
        sockets = self._server.eio.sockets
        if len(sockets) >= MOST:
            for engine, each in tuple(sockets.items()):
                if each.closed or not await each.check_ping_timeout():
                    await self._ended(engine)
        return len(sockets) < MOST

    async def _message(self, engine: str, data: Any) -> None:
        # What lasts keeps nothing else of the same browser waiting, its signs of life in particular.
        self._spawn(self._handle(engine, data))

    async def _handle(self, engine: str, data: Any) -> None:
        try:
            await self._take(engine, data)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            # socket.io takes what it gets for packets of its own; what is none breaks it somewhere.
            self._log.warning("a browser is sent away: it sends what is no packet (%s)", type(error).__name__)
            await self._ended(engine)

    async def _connect(self, sid: str, environ: dict[str, Any], _auth: object = None) -> None:
        if sid in self._browsers:
            # socket.io lets a client send an event of this name, too.
            self._send_away(self._browsers[sid], "it says that it connects, and is connected")
            return
        scope = environ["asgi.scope"]
        engine = self._server.manager.eio_sid_from_sid(sid, "/")
        scope["circus.engine"] = engine
        outbox = self._server.eio.sockets[engine].queue
        address = scope["client"][0] if scope.get("client") else "this machine"
        browser = Browser(sid, engine, scope[PERSON], address, scope.get(PEER), outbox)
        outbox.overflowed = lambda: self._send_away(browser, "it does not read")
        self._browsers[sid] = browser
        self._begin()
        self._spawn(self._welcome(browser))

    async def _disconnect(self, sid: str, _reason: object = None) -> None:
        browser = self._browsers.pop(sid, None)
        if browser is not None:
            self._forget(browser)
            self._doorway.forget(browser.engine)
        if not self._browsers and self._leaving is None:
            self._leaving = asyncio.get_running_loop().call_later(LINGER, self._stop)

    def _forget(self, browser: Browser) -> None:
        browser.outbox.overflowed = None
        if browser.following is not None:
            browser.following.stop()
            browser.following = None

    def _send_away(self, browser: Browser, why: str) -> None:
        if why:
            self._log.warning("a browser of %s at %s is sent away: %s", browser.person, browser.address, why)
        self._forget(browser)
        self._spawn(self._end(browser))

    async def _end(self, browser: Browser) -> None:
        self._hang_up(browser.peer)
        await self._ended(browser.engine)

    async def _ended(self, engine: str) -> None:
        """A connection is over, as far as the network is concerned."""
        found = self._server.eio.sockets.get(engine)
        if found is not None and not found.closed:
            await found.close(wait=False, abort=True)
            found.queue.put_nowait(None)
        self._server.eio.sockets.pop(engine, None)
        self._doorway.forget(engine)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("the web console failed: %s", error, exc_info=error)
            if task in self._running:
                # One part of it without the others would show something else than there is.
                self._stop()
                asyncio.get_running_loop().call_later(AGAIN, self._begin_anew)

    # What they are told

    def _begin(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if not self._running:
            self._running = [self._spawn(work()) for work in (self._keep, self._tell_changes, self._tell_figures)]

    def _begin_anew(self) -> None:
        if self._browsers:
            self._begin()

    def _stop(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        for task in self._running:
            task.cancel()
        self._running = []
        self._picture.problem = NOT_YET

    async def _keep(self) -> None:
        while True:
            try:
                await self._make_live(self._picture, self._changed.set, self._happened).run()
            except (ForbiddenError, EndpointError) as error:
                self._log.error("%s", error)
                self._picture.problem = str(error)
                self._changed.set()
            await asyncio.sleep(AGAIN)

    def _happened(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        self._changed.set()

    async def _tell_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._picture.problem == NOT_YET:
                # It is only being made, and what of it is there already is told with all the rest.
                continue
            await self._tell_problem()
            events, self._events = self._events, []
            if events:
                await self._emit("event", events)
            rows = self._telling.rows()
            if rows is not None:
                await self._emit("rows", rows)
            for browser in tuple(self._browsers.values()):
                if not browser.snapshot:
                    await self._first(browser)
                elif browser.watching:
                    await self._show(browser)
            await asyncio.sleep(GATHER)

    async def _tell_problem(self) -> None:
        if self._picture.problem != self._problem[0]:
            self._problem = self._picture.problem, time.time()
            await self._emit("problem", {"words": self._problem[0], "since": self._problem[1]})
        if not self._problem[0] and self._picture.pid != self._pid:
            # Another circusd, which may have other commands.
            first, self._pid = self._pid is None, self._picture.pid
            self._orders.forget()
            if not first:
                for browser in tuple(self._browsers.values()):
                    await self._hello(browser)

    async def _tell_figures(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            now = time.time()
            for browser in tuple(self._browsers.values()):
                if browser.person.until and browser.person.until < now:
                    self._send_away(browser, "")
            await self._emit("figures", self._telling.figures())
            watched = {browser.watching for browser in self._browsers.values() if browser.watching}
            for name in watched:
                told = self._telling.processes(name)
                if told is not None:
                    await self._emit("processes", told, _room(name))

    async def _welcome(self, browser: Browser) -> None:
        await self._hello(browser)
        if self._picture.problem != NOT_YET:
            await self._first(browser)

    async def _hello(self, browser: Browser) -> None:
        commands: list[dict[str, Any]] = []
        plugins: list[dict[str, Any]] = []
        try:
            commands = list((await self._orders.table()).values())
            plugins = (await self._orders.client.call("plugins"))["plugins"]
        except CircusError as error:
            self._log.info("circusd does not say what it can do: %s", error)
        role = browser.person.role.name.lower()
        told = {**self._about, "user": browser.person.name, "role": role, "commands": commands, "plugins": plugins}
        await self._emit("hello", told, browser.sid)

    async def _first(self, browser: Browser) -> None:
        if not browser.snapshot and browser.sid in self._browsers:
            browser.snapshot = True
            await self._server.enter_room(browser.sid, ALL)
            await self._emit("snapshot", self._telling.snapshot(), browser.sid)

    async def _show(self, browser: Browser) -> None:
        detail = self._telling.detail(browser.watching)
        if detail is not browser.shown:
            browser.shown = detail
            told = self._telling.watcher(browser.watching)
            if told is not None:
                await self._emit("watcher", told, browser.sid)

    async def _emit(self, name: str, told: Any, room: str = ALL) -> None:
        await self._server.emit(name, told, room=room)

    # What they ask for

    def _answering(
        self, handler: Callable[[Browser, Any], Awaitable[dict[str, Any]]]
    ) -> Callable[..., Awaitable[dict[str, Any]]]:
        async def answered(sid: str, *arguments: Any) -> dict[str, Any]:
            browser = self._browsers.get(sid)
            if browser is None:
                return {"ok": False, "reason": "the connection is over", "hint": "", "errno": 5}
            task = asyncio.current_task()
            assert task is not None
            browser.orders.add(task)
            try:
                return {"ok": True, **await handler(browser, arguments[0] if arguments else None)}
            except CircusError as error:
                return {"ok": False, **wrong(error)}
            except Exception:
                self._log.exception("the web console failed to answer")
                return {"ok": False, "reason": "the console failed; its log says how", "hint": "", "errno": 5}
            finally:
                browser.orders.discard(task)

        return answered

    async def _unknown(self, name: str, *_: Any) -> dict[str, Any]:
        return {"ok": False, "reason": f"there is nothing called {name[:80]!r}", "hint": "", "errno": 2}

    async def _call(self, browser: Browser, given: Any) -> dict[str, Any]:
        number, command, properties = asked.call(given)

        def progress(text: str) -> None:
            self._spawn(self._emit("progress", {"id": number, "text": text}, browser.sid))

        if len(browser.orders) > asked.AT_ONCE:
            raise RequestError("too many requests are under way", hint="wait for their answers")
        return await self._orders.give(
            browser.person, browser.address, command, properties, progress if properties.get("waiting") else None
        )

    async def _watch(self, browser: Browser, given: Any) -> dict[str, Any]:
        name = asked.name(given)
        await self._unwatch(browser, None)
        browser.watching = name.lower()
        await self._server.enter_room(browser.sid, _room(browser.watching))
        if browser.snapshot:
            await self._show(browser)
        return {"name": name}

    async def _unwatch(self, browser: Browser, _given: Any) -> dict[str, Any]:
        if browser.watching:
            await self._server.leave_room(browser.sid, _room(browser.watching))
            browser.watching, browser.shown = "", None
        return {}

    async def _follow(self, browser: Browser, given: Any) -> dict[str, Any]:
        wanted = asked.follow(given)
        await self._unfollow(browser, None)

        async def tell(name: str, told: dict[str, Any]) -> None:
            await self._emit(name, told, browser.sid)

        browser.following = Following(self._orders.client, wanted, tell, lambda: browser.outbox.size)
        return {"name": wanted["name"]}

    async def _unfollow(self, browser: Browser, _given: Any) -> dict[str, Any]:
        if browser.following is not None:
            browser.following.stop()
            browser.following = None
        return {}

    async def _older(self, browser: Browser, given: Any) -> dict[str, Any]:
        told = await self._orders.give(browser.person, browser.address, "events", asked.events(given))
        return {"events": told["events"], "first": told["first"], "last": told["last"]}


def _room(name: str) -> str:
    return f"watch {name}"
