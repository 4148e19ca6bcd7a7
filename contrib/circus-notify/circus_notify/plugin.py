"""The plugin itself: picks events, holds back what is too much, and hands the rest to the deliveries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import aiohttp

from circus_core.plugin import CircusPlugin
from circus_notify.channels import Mail, Slack, Webhook
from circus_notify.delivery import Delivery
from circus_notify.limit import Limiter
from circus_notify.notice import Notice, Writer, error_of, notice_of
from circus_notify.options import Options as Declared
from circus_notify.options import matches, words

if TYPE_CHECKING:
    from circus_core.events import Event
    from circus_notify.channels import Channel
    from circus_notify.limit import Key

LAST_WORDS = 5.0
"""Seconds at the end for what still waits to be sent."""


class Notify(CircusPlugin):
    """Tells a webhook, Slack or a mailbox when processes are in trouble."""

    name = "notify"
    Options: ClassVar[type | None] = Declared
    options: Declared

    _session: aiohttp.ClientSession | None = None

    async def circus_startup(self) -> None:
        """Get ready to send; nobody is reached before there is something to say."""
        options = self.options
        self._events, self._watchers, self._ignored = (
            words(options.events), words(options.watchers), words(options.ignore)
        )  # fmt: skip
        self._limiter = Limiter(options.rate_limit, options.rate_period)
        self._writer = Writer(options.machine, options.subject, options.body)
        self._errors: dict[str, str] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        # Notices are rare: no connection is kept for the next one.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True), timeout=aiohttp.ClientTimeout(total=options.timeout)
        )
        self.deliveries = [Delivery(channel, options, self.log) for channel in self._channels(self._session)]
        for delivery in self.deliveries:
            delivery.start()

    async def circus_shutdown(self) -> None:
        """Say what was held back, send what waits, and close."""
        if self._session is None:
            return
        for timer in self._timers.values():
            timer.cancel()
        for key in self._limiter.held():
            self._summarize(key)
        await asyncio.gather(*(delivery.close(LAST_WORDS) for delivery in self.deliveries))
        await self._session.close()
        self._session = None

    def circus_event(self, event: Event) -> None:
        """Tell it, if it is to be told."""
        if self._session is None:
            # Inside circusd, plugins hear of what happens before they are started up.
            return
        watcher = getattr(event, "watcher", None) or ""
        if event.name == "watcher_removed":
            self._errors.pop(watcher, None)
            self._limiter.forget(watcher)
        elif error := error_of(event):
            self._errors[watcher] = error
        if self._is_wanted(event, watcher):
            self._tell(notice_of(event, self._errors.get(watcher, "")))

    def _is_wanted(self, event: Event, watcher: str) -> bool:
        if not matches(event.name, self._events):
            return False
        if watcher and (not matches(watcher, self._watchers) or matches(watcher, self._ignored)):
            return False
        if event.name == "process_exited" and self.options.exits != "all":
            said = event.fields()
            return not said["requested"] and (said["exit_code"] != 0 or self.options.exits == "unrequested")
        return True

    def _tell(self, notice: Notice) -> None:
        loop = asyncio.get_running_loop()
        key = notice.event, notice.watcher
        admitted, due = self._limiter.admit(key, notice, loop.time())
        if admitted:
            self._send(notice)
        elif due is not None:
            self._timers[key] = loop.call_later(due, self._summarize, key)

    def _summarize(self, key: Key) -> None:
        self._timers.pop(key, None)
        notice = self._limiter.summary(key)
        if notice is not None:
            self._send(notice)

    def _send(self, notice: Notice) -> None:
        message = self._writer.write(notice)
        for delivery in self.deliveries:
            delivery.offer(message)

    def _channels(self, session: aiohttp.ClientSession) -> list[Channel]:
        options = self.options
        channels: list[Channel] = []
        if options.webhook:
            channels.append(Webhook(session, "webhook", options.webhook, options.webhook_headers))
        if options.slack_webhook:
            channels.append(Slack(session, "slack", options.slack_webhook, {}))
        if options.mail_to:
            channels.append(Mail(options))
        return channels
