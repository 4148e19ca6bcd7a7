"""circusd's part of the command `history`: questions are handed to who keeps it, and its answers to who asked.

It keeps nothing of the past, and whoever asks waits for nobody else than that process.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import define

from circus_core.errors import CircusError, RequestError
from circus_core.kinds import BOOLEAN
from circus_plugins.amounts import SPAN
from circus_plugins.stats.history.reel import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.model import Config
    from circus_core.requests import Reply, Request
    from circus_core.supervisor import Supervisor

PATIENCE = 10.0
"""Seconds that an answer may take."""


class NoHistoryError(CircusError):
    """No history is kept: it has to be turned on."""

    code = "no-history"


def absent(config: Config, streamer: str) -> CircusError:
    """Why nobody keeps a history, and what to do; `streamer` is what such a plugin is called in `use`."""
    name = next((name for name, each in config.plugins.items() if each.use == streamer and each.active), None)
    if name is None:
        now = "circusctl plugins add stats --use stats history=True"
        hint = f"write `history = True` into a section [plugin:stats], or `{now}`"
        return NoHistoryError("no history is kept: nobody looks at what processes use", hint=hint)
    setting = config.raw_plugins[name].get("history")
    if setting is None or not (BOOLEAN.parse(setting.value) if isinstance(setting.value, str) else setting.value):
        hint = f"write `history = True` into [plugin:{name}], or `circusctl plugins set {name} history=True`"
        return NoHistoryError("no history is kept", hint=hint)
    return NoHistoryError("no history is kept yet: the process that is to keep it is not at work", hint="try again")


@define(eq=False)
class Open:
    """A question that nobody has answered yet."""

    question: dict[str, Any]
    answer: asyncio.Future[dict[str, Any]]


class Questions:
    """Of one supervisor. `absent` says why nobody keeps a history, where nobody does."""

    def __init__(self, supervisor: Supervisor, absent: Callable[[], CircusError]) -> None:
        self._supervisor = supervisor
        self._absent = absent
        self._open: dict[int, Open] = {}
        self._number = 0
        self._keeper: int | None = None
        self._waiting: asyncio.Future[Reply] | None = None

    async def ask(self, request: Request) -> Reply:
        """The command `history`."""
        question = self._question(request)
        if self._keeper is None:
            raise self._absent()
        self._number += 1
        number = self._number
        asked = self._open[number] = Open(question, asyncio.get_running_loop().create_future())
        self._hand_on()
        try:
            async with asyncio.timeout(PATIENCE):
                return self._made(await asked.answer, request)
        except TimeoutError:
            raise CircusError(
                f"pid {self._keeper}, which keeps the history, did not answer within {PATIENCE:g} seconds",
                hint="it may be busy, or stopped; `circusctl plugins` and the log may tell more",
            ) from None
        finally:
            self._open.pop(number, None)

    async def answered(self, request: Request) -> Reply:
        """The command `history_answer`."""
        answered = self._open.pop(request["number"], None)
        if answered is not None and not answered.answer.done():
            answered.answer.set_result(request["answer"] or {})
        self._say(_reply(replaced=self._keeper not in (None, request["pid"])))
        self._keeper = request["pid"]
        waiting = self._waiting = asyncio.get_running_loop().create_future()
        self._hand_on()
        if not request.waiting:
            self._say(_reply())
        reply: Reply = await waiting
        return reply

    def ended(self, pid: int) -> None:
        """A process ended; perhaps it was the one that keeps the history."""
        if pid != self._keeper:
            return
        self._keeper = None
        self._say(_reply())
        for each in self._open.values():
            if not each.answer.done():
                each.answer.set_exception(
                    CircusError("the process that keeps the history ended", hint="the next one begins anew")
                )

    def close(self) -> None:
        """Nobody is answered any more."""
        if self._keeper is not None:
            self.ended(self._keeper)

    def _say(self, reply: Reply) -> None:
        """Let go who waits for a question."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def _hand_on(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            for number, each in self._open.items():
                if not each.answer.done():
                    self._say(_reply(number, each.question))
                    return

    def _question(self, request: Request) -> dict[str, Any]:
        process: int | None = request["process"]
        if process is not None and request.name is None:
            raise RequestError("message invalid 'name' is missing", hint="whose process is it?")
        last, step = _seconds(request, "last"), _seconds(request, "step")
        processes = request["processes"]
        return {
            "name": request.name,
            "process": process,
            "processes": process is not None or (request.name is not None if processes is None else processes),
            "last": last or HOUR,
            "step": step,
        }

    def _made(self, answer: dict[str, Any], request: Request) -> Reply:
        """The reply that an answer amounts to; raises CircusError."""
        if "failed" in answer:
            raise CircusError(f"the history was not read: {answer['failed']}", hint="the log has more")
        name = str(request.name)
        if answer.get("missing") == "watcher":
            watcher = self._supervisor.watcher(name)
            raise RequestError(f"nothing is kept of {watcher.name!r} yet", hint="it is new; try again")
        if answer.get("missing") == "process":
            raise RequestError(
                f"nothing is kept of a process {request['process']} of {name!r}",
                hint=f"`circusctl history {name}` shows those of which something is",
            )
        return answer


def _reply(number: int | None = None, question: dict[str, Any] | None = None, *, replaced: bool = False) -> Reply:
    return {"number": number, "question": question, "replaced": replaced}


def _seconds(request: Request, key: str) -> float | None:
    """A time in an argument; raises RequestError."""
    value = request[key]
    try:
        seconds = None if value is None else SPAN.parse(value) if isinstance(value, str) else SPAN.check(value)
    except ValueError as error:
        raise RequestError(f"{key!r} isn't a time", hint=str(error)) from None
    if seconds is not None and not 0 <= seconds <= DAY:
        raise RequestError(f"{key!r} is {value}", hint=f"what is kept is of {DAY:g} seconds")
    return seconds
