"""The queue of a watcher's operations: one at a time, in order, but for a stop."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.errors import CircusError, SupersededError
from circus_core.queue import Queue


class Log:
    """Operations that write down when they begin and end, and may be held up."""

    def __init__(self):
        self.lines = []
        self.going_on = asyncio.Event()

    def operation(self, name, *, holds=False):
        async def run():
            self.lines.append(f"{name} begins")
            try:
                if holds:
                    await self.going_on.wait()
            finally:
                self.lines.append(f"{name} ends")
            return name

        return run


async def turns(number=5):
    for _ in range(number):
        await asyncio.sleep(0)


@given(st.integers(1, 10))
def test_operations_run_one_at_a_time_in_order(number):
    async def main():
        queue, log = Queue("w"), Log()
        done = [queue.submit(str(n), log.operation(str(n))) for n in range(number)]
        assert await asyncio.gather(*done) == [str(n) for n in range(number)]
        return log.lines

    assert asyncio.run(main()) == [f"{n} {what}" for n in range(number) for what in ("begins", "ends")]


@pytest.mark.covers("error:superseded")
def test_a_stop_ends_what_runs_and_drops_what_waits():
    async def main():
        queue, log = Queue("w"), Log()
        running = queue.submit("start", log.operation("start", holds=True))
        waiting = queue.submit("reload", log.operation("reload"))
        await turns()
        assert await queue.submit("stop", log.operation("stop"), overtaken=False, overtakes=True) == "stop"
        with pytest.raises(SupersededError, match="start of w gave way to a stop"):
            await running
        with pytest.raises(SupersededError, match="reload of w gave way to a stop"):
            await waiting
        return log.lines

    assert asyncio.run(main()) == ["start begins", "start ends", "stop begins", "stop ends"]


def test_a_stop_waits_for_the_stop_before_it():
    async def main():
        queue, log = Queue("w"), Log()
        first = queue.submit("first", log.operation("first", holds=True), overtaken=False, overtakes=True)
        second = queue.submit("second", log.operation("second"), overtaken=False, overtakes=True)
        await turns()
        assert log.lines == ["first begins"]
        log.going_on.set()
        assert await asyncio.gather(first, second) == ["first", "second"]

    asyncio.run(main())


def test_what_comes_first_is_done_in_order_even_if_all_is_overtaken():
    async def main():
        queue, log = Queue("w"), Log()
        done = [
            queue.submit(str(n), log.operation(str(n), holds=True), first=lambda n=n: log.lines.append(n) or -n)
            for n in range(3)
        ]
        assert log.lines == [0]
        stop = queue.submit("stop", log.operation("stop"), overtaken=False, overtakes=True)
        assert await asyncio.gather(*done) == [0, -1, -2]
        await stop
        return log.lines

    assert asyncio.run(main()) == [0, 1, 2, "stop begins", "stop ends"]


def test_an_operation_whose_first_part_fails_is_over_and_the_next_runs():
    def refuse():
        raise CircusError("no")

    async def main():
        queue, log = Queue("w"), Log()
        refused = queue.submit("a", log.operation("a"), first=refuse)
        after = queue.submit("b", log.operation("b"))
        with pytest.raises(CircusError, match="no"):
            await refused
        assert await after == "b"
        return log.lines

    assert asyncio.run(main()) == ["b begins", "b ends"]


def test_an_operation_may_be_asked_for_while_another_begins():
    async def main():
        queue, log = Queue("w"), Log()
        inner = []
        outer = queue.submit("a", log.operation("a"), first=lambda: inner.append(queue.submit("b", log.operation("b"))))
        assert (await outer, await inner[0]) == ("a", "b")
        return log.lines

    assert asyncio.run(main()) == ["a begins", "a ends", "b begins", "b ends"]


def test_a_failure_nobody_waits_for_is_logged_and_the_next_operation_runs(caplog):
    async def fail():
        raise ValueError("a fault of ours")

    async def main():
        queue, log = Queue("w"), Log()
        queue.submit("bad", fail)
        assert await queue.submit("good", log.operation("good")) == "good"

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "w: bad failed unexpectedly" in caplog.text
    assert "a fault of ours" in caplog.text


def test_who_waits_may_lose_patience_without_harm():
    async def main():
        queue, log = Queue("w"), Log()
        done = queue.submit("a", log.operation("a", holds=True))
        after = queue.submit("b", log.operation("b"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(done, 0)
        log.going_on.set()
        assert await after == "b"
        return log.lines

    assert asyncio.run(main()) == ["a begins", "a ends", "b begins", "b ends"]


def test_there_is_no_task_when_there_is_nothing_to_do():
    async def main():
        queue, log = Queue("w"), Log()
        await queue.submit("a", log.operation("a"))
        await turns()
        assert queue.current is None
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    assert asyncio.run(main()) == []
