"""The base of plugins that ask a service at regular times whether it is well, and restart its watcher if it is not.

How to ask is for the plugins to say. A watcher that is not active is left alone.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from attrs import frozen

from circus_core.errors import CircusError
from circus_core.kinds import INTEGER, NUMBER
from circus_core.options import option
from circus_plugins.statsd import StatsdOptions, StatsdPlugin


@frozen(kw_only=True)
class ObserverOptions(StatsdOptions):
    """The options that observers have in common."""

    loop_rate: float = option(NUMBER, 60, unit="seconds", minimum=0.01, help="How often the service is asked.")
    timeout: float = option(NUMBER, 10, unit="seconds", minimum=0.01, help="How long the answer may take, in all.")
    failures: int = option(INTEGER, 1, minimum=1, help="So many failures in a row lead to a restart.")


class Failure(Exception):
    """The service is not well. `code` goes into a metric; `curable` is whether a restart may help."""

    def __init__(self, reason: str, *, code: int | None = None, curable: bool = True) -> None:
        super().__init__(reason)
        self.code = code
        self.curable = curable


class Observer(StatsdPlugin):
    """A plugin that observes a service. `prefix` begins its metrics, `late` is the code of an answer that is late."""

    Options: ClassVar[type | None] = ObserverOptions
    prefix: ClassVar[str]
    late: ClassVar[int | None] = None
    in_a_row: int = 0
    _failed: int = 0

    async def observe(self) -> None:
        """Ask the service; raises Failure, and may take as long as it likes."""
        raise NotImplementedError

    @property
    def cured(self) -> str:
        """The watcher that is restarted; empty if none is."""
        raise NotImplementedError

    async def circus_startup(self) -> None:
        """Begin to ask."""
        await super().circus_startup()
        self.every(self.options.loop_rate, self.look)

    async def look(self) -> None:
        """Ask once, and do what has to be done about the answer."""
        limit = self.options.timeout
        try:
            async with asyncio.timeout(limit):
                await self.observe()
        except TimeoutError:
            await self._fail(Failure(f"no answer within {limit:g} s", code=self.late))
        except Failure as failure:
            await self._fail(failure)
        else:
            if self._failed:
                self.log.info("well again, after %d failure%s", self._failed, "" if self._failed == 1 else "s")
            self.in_a_row = self._failed = 0

    async def _fail(self, failure: Failure) -> None:
        self._count_failure(failure.code)
        if not self._failed:
            self.log.warning("%s", failure)
        self._failed += 1
        self.in_a_row = self.in_a_row + 1 if failure.curable else 0
        if self.in_a_row >= self.options.failures and self.cured:
            self.in_a_row = 0
            await self._restart(self.cured, failure)

    def _count_failure(self, code: int | None) -> None:
        """Once, with the code as a tag; or, as in Circus, once for all and once for the code."""
        tagged = self.metrics is not None and bool(self.metrics.tagging)
        self.count("error", group=self.prefix, watcher=self.cured, code="" if code is None else str(code))
        if code is not None and not tagged:
            self.count(f"error.{code}", group=self.prefix)

    async def _restart(self, watcher: str, failure: Failure) -> None:
        try:
            state = (await self.client.call("status", name=watcher))["status"]
            if state != "active":
                self.log.info("%s is %s and left alone", watcher, state)
                return
            self.log.warning("%s is restarted: %s", watcher, failure)
            self.count("restart_on_error", group=self.prefix, watcher=watcher)
            # Somebody may have stopped it since it was asked for.
            await self.client.call("restart", name=watcher, match="simple", running=True)
        except CircusError as error:
            self.log.error("%s was not restarted: %s", watcher, error)
