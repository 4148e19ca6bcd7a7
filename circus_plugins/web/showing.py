"""What browsers are told, and when: a picture of circusd is kept while somebody is there, and its changes are told.

`circus_plugins.picture` keeps it, and `telling` makes messages of it, once for all of them.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from circus_core import __version__
from circus_core.errors import CircusError, EndpointError, ForbiddenError
from circus_plugins.picture import Live, Picture
from circus_plugins.picture.views import NOT_YET
from circus_plugins.web.browsers import ALL, watching
from circus_plugins.web.telling import Telling

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from circus_plugins.web.browsers import Browser, Browsers
    from circus_plugins.web.orders import Orders

GATHER = 0.05
"""Seconds in which changes are gathered."""
LINGER = 10.0
"""Seconds that the picture is kept up to date after the last browser has left: it may only be loading the page anew."""
AGAIN = 10.0
"""Seconds until a circusd that refused is tried again."""


class Showing:
    """Shows a circusd to `browsers`. `live` makes what keeps a picture up to date; `local`: it is on this machine."""

    def __init__(
        self,
        browsers: Browsers,
        orders: Orders,
        live: Callable[..., Live],
        log: logging.Logger,
        *,
        host: str,
        interval: float,
        local: bool,
        read_only: bool,
    ) -> None:
        self._browsers = browsers
        self._orders = orders
        self._make_live = live
        self._log = log
        self._about = {"version": __version__, "host": host, "read_only": read_only, "login": True}
        self._interval = interval
        self._picture = Picture()
        self._telling = Telling(self._picture, local=local)
        self._problem = ("", 0.0)
        self._pid: int | None = None
        self._events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []
        self._leaving: asyncio.TimerHandle | None = None
        browsers.failed = self._failed

    def linger(self) -> None:
        """Nobody is there any more; perhaps only for a moment."""
        if self._leaving is None:
            self._leaving = asyncio.get_running_loop().call_later(LINGER, self.stop)

    def _failed(self, task: asyncio.Task[None]) -> None:
        if task in self._running:
            # One part of it without the others would show something else than there is.
            self.stop()
            asyncio.get_running_loop().call_later(AGAIN, self._begin_anew)

    def begin(self) -> None:
        """Somebody is there: keep the picture up to date, and tell of it."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if not self._running:
            self._running = [
                self._browsers.spawn(work()) for work in (self._keep, self._tell_changes, self._tell_figures)
            ]

    def _begin_anew(self) -> None:
        if self._browsers.all():
            self.begin()

    def stop(self) -> None:
        """Ask nothing of circusd any more."""
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
                await self._browsers.tell("event", events)
            rows = self._telling.rows()
            if rows is not None:
                await self._browsers.tell("rows", rows)
            for browser in self._browsers.all():
                if not browser.snapshot:
                    await self._first(browser)
                elif browser.watching:
                    await self.show(browser)
            await asyncio.sleep(GATHER)

    async def _tell_problem(self) -> None:
        if self._picture.problem != self._problem[0]:
            self._problem = self._picture.problem, time.time()
            await self._browsers.tell("problem", {"words": self._problem[0], "since": self._problem[1]})
        if not self._problem[0] and self._picture.pid != self._pid:
            # Another circusd, which may have other commands.
            first, self._pid = self._pid is None, self._picture.pid
            self._orders.forget()
            if not first:
                for browser in self._browsers.all():
                    await self._hello(browser)

    async def _tell_figures(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            now = time.time()
            for browser in self._browsers.all():
                if browser.person.until and browser.person.until < now:
                    self._browsers.send_away(browser, "")
            await self._browsers.tell("figures", self._telling.figures())
            watched = {browser.watching for browser in self._browsers.all() if browser.watching}
            for name in watched:
                told = self._telling.processes(name)
                if told is not None:
                    await self._browsers.tell("processes", told, watching(name))

    async def welcome(self, browser: Browser) -> None:
        """Tell a new browser who it is and, as soon as that is known, all there is."""
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
        await self._browsers.tell("hello", told, browser.sid)

    async def _first(self, browser: Browser) -> None:
        if not browser.snapshot and browser.sid in self._browsers.by_sid:
            browser.snapshot = True
            await self._browsers.enter(browser, ALL)
            await self._browsers.tell("snapshot", self._telling.snapshot(), browser.sid)

    async def show(self, browser: Browser) -> None:
        """Tell it of the watcher that it looks at closely, if there is something new."""
        detail = self._telling.detail(browser.watching)
        if detail is not browser.shown:
            browser.shown = detail
            told = self._telling.watcher(browser.watching)
            if told is not None:
                await self._browsers.tell("watcher", told, browser.sid)
