"""What browsers ask for, and what comes of it: each request is answered, one that makes no sense too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError, RequestError
from circus_plugins.web import asked
from circus_plugins.web.browsers import watching
from circus_plugins.web.following import Following
from circus_plugins.web.orders import wrong

if TYPE_CHECKING:
    import logging
    from collections.abc import Awaitable, Callable

    from circus_plugins.web.browsers import Browser, Browsers
    from circus_plugins.web.orders import Orders
    from circus_plugins.web.showing import Showing

    Answered = Callable[..., Awaitable[dict[str, Any]]]


class Asking:
    """Answers `browsers`."""

    def __init__(self, browsers: Browsers, orders: Orders, showing: Showing, log: logging.Logger) -> None:
        self._browsers = browsers
        self._orders = orders
        self._showing = showing
        self._log = log

    @property
    def handlers(self) -> dict[str, Answered]:
        """What answers each request, by its name."""
        handlers = {
            "call": self._call,
            "watch": self._watch,
            "unwatch": self._unwatch,
            "follow": self._follow,
            "unfollow": self._unfollow,
            "events": self._older,
        }
        return {**{name: self._answering(handler) for name, handler in handlers.items()}, "*": self.unknown}

    def _answering(self, handler: Callable[[Browser, Any], Awaitable[dict[str, Any]]]) -> Answered:
        async def answered(sid: str, *arguments: Any) -> dict[str, Any]:
            browser = self._browsers.by_sid.get(sid)
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

    async def unknown(self, name: str, *_: Any) -> dict[str, Any]:
        """The answer to a request that there is not."""
        return {"ok": False, "reason": f"there is nothing called {name[:80]!r}", "hint": "", "errno": 2}

    async def _call(self, browser: Browser, given: Any) -> dict[str, Any]:
        number, command, properties = asked.call(given)

        def progress(text: str) -> None:
            self._browsers.spawn(self._browsers.tell("progress", {"id": number, "text": text}, browser.sid))

        if len(browser.orders) > asked.AT_ONCE:
            raise RequestError("too many requests are under way", hint="wait for their answers")
        return await self._orders.give(
            browser.person, browser.address, command, properties, progress if properties.get("waiting") else None
        )

    async def _watch(self, browser: Browser, given: Any) -> dict[str, Any]:
        name = asked.name(given)
        await self._unwatch(browser, None)
        browser.watching = name.lower()
        await self._browsers.enter(browser, watching(browser.watching))
        if browser.snapshot:
            await self._showing.show(browser)
        return {"name": name}

    async def _unwatch(self, browser: Browser, _given: Any) -> dict[str, Any]:
        if browser.watching:
            await self._browsers.leave(browser, watching(browser.watching))
            browser.watching, browser.shown = "", None
        return {}

    async def _follow(self, browser: Browser, given: Any) -> dict[str, Any]:
        wanted = asked.follow(given)
        await self._unfollow(browser, None)

        async def tell(name: str, told: dict[str, Any]) -> None:
            await self._browsers.tell(name, told, browser.sid)

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
