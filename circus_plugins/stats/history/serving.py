"""The streamer's part of the command `history`: it asks circusd for questions, and answers them one after another.

circusd cannot give orders to the processes of plugins. So they ask, and circusd answers when somebody wants to know.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError
from circus_plugins.stats.history.answering import Question, answer

if TYPE_CHECKING:
    import logging

    from circus_core.plugin import Client
    from circus_plugins.stats.history.keeping import History


class Serving:
    """Answers with what is kept in `history`, which is of looks `interval` seconds apart."""

    def __init__(self, history: History, interval: float, client: Client, log: logging.Logger) -> None:
        self._history = history
        self._interval = interval
        self._client = client
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._replaced = False

    def begin(self) -> None:
        """Ask, if it does not; to be called now and then, since circusd may not have answered."""
        if not self._replaced and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._serve(), name="history")

    async def begin_anew(self) -> None:
        """Ask another circusd, which knows nothing of what the one before was asked."""
        await self.end()
        self._replaced = False
        self.begin()

    async def end(self) -> None:
        """Ask and answer no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _serve(self) -> None:
        done: dict[str, Any] = {}
        try:
            while True:
                told = await self._client.call("history_answer", pid=os.getpid(), waiting=True, **done)
                self._failing = False
                if told["replaced"]:
                    self._replaced = True
                    self._log.warning("another process keeps the history for circusd now, which asks that one")
                if told["question"] is None:
                    return
                done = await self._answered(told["number"], told["question"])
        except CircusError as error:
            if not self._failing:
                self._log.warning("circusd does not say what it is asked of the history: %s", error)
            self._failing = True

    async def _answered(self, number: int, question: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"number": number, "answer": await answer(self._history, Question(**question), self._interval)}
        except Exception as error:
            self._log.exception("the question %s was not answered", question)
            return {"number": number, "answer": {"failed": f"{type(error).__name__}: {error}"}}
