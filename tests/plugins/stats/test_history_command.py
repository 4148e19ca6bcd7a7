"""The command `history` of a real circusd: from its streamer to whoever asks, and what becomes of a question."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.errors import CircusError, RequestError, UnknownWatcherError
from circus_core.requests import Request
from circus_core.testing import Circusd, until
from circus_plugins.client import Client
from circus_plugins.stats.history import questions
from circus_plugins.stats.history.questions import NoHistoryError, Questions
from circus_plugins.stats.requests import HISTORY, HISTORY_ANSWER
from tests.plugins.ctl.running import circusctl
from tests.plugins.stats.conftest import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., Circusd]

WATCHERS = """
    [watcher:Web]
    cmd = sleep 1000
    numprocesses = 2
    copy_env = True
    [watcher:off]
    cmd = sleep 1000
    autostart = False
"""


@pytest.fixture(autouse=True)
def _short_paths(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="circus-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


def configuration(*lines: str, interval: float = 0.1) -> str:
    stats = "\n".join(["    [plugin:stats]", f"    interval = {interval}", *(f"    {line}" for line in lines)])
    return f"{stats}\n{WATCHERS}"


def asked(daemon: Circusd, *, looks: int = 3, **properties: Any) -> dict[str, Any]:
    """The answer, once it is about so many looks at least."""

    properties = {"last": 60, "step": 0, **properties}

    def answer() -> dict[str, Any] | None:
        try:
            told = daemon.call("history", **properties)
        except (NoHistoryError, RequestError):  # it is not kept yet, or nothing is of this one
            return None
        lines = [*told["watchers"].values(), *(line for each in told["processes"].values() for line in each)]
        enough = lines and all(len(line["cpu"]) - line["cpu"].count(None) >= looks for line in lines)
        return told if enough else None

    found: dict[str, Any] = until(answer)
    return found


@pytest.mark.covers("stats-option:history", "command:history", "command:history_answer")
@pytest.mark.parametrize("host", ["process", "core"])
def test_what_is_kept_is_answered(circusd: Start, host: str) -> None:
    daemon = circusd(configuration("history = True", f"host = {host}")).up()
    past = asked(daemon)
    assert (past["step"], past["interval"], past["points"]) == (0.1, 0.1, 600)
    names = {"Web", "off"} | ({"circusd-stats"} if host == "process" else set())
    assert past["watchers"].keys() == names
    assert past["processes"] == {}
    assert past["watchers"]["Web"]["processes"][-1] == 2
    assert past["watchers"]["Web"]["rss"][-1] > 100_000
    assert (past["watchers"]["off"]["processes"][-1], past["watchers"]["off"]["rss"][-1]) == (0, 0)
    assert past["circusd"]["rss"][-1] > 10_000_000
    pids = daemon.call("list", name="web")["pids"]
    past = asked(daemon, name="web", last="5s")
    assert [(each["pid"], each["wid"], each["running"]) for each in past["processes"]["Web"]] == [
        (pids[0], 1, True), (pids[1], 2, True),
    ]  # fmt: skip
    totals = zip(past["watchers"]["Web"]["rss"], *(each["rss"] for each in past["processes"]["Web"]), strict=True)
    assert all(total == one + two for total, one, two in totals if total is not None)
    assert asked(daemon, name="web", processes=False)["processes"] == {}
    assert len(asked(daemon, processes=True, last=1, step=0)["processes"]["Web"]) == 2
    only = asked(daemon, name="WEB", process=pids[1], last=1, step="0.5s", looks=1)
    assert only["watchers"] == {}
    [told] = only["processes"]["Web"]
    assert (told["pid"], len(told["cpu_max"]), set(told["threads"]) - {None}) == (pids[1], 2, {1.0})


def test_it_goes_on_while_nobody_is_subscribed_and_while_somebody_is(circusd: Start, endpoint: str) -> None:
    daemon = circusd(configuration("history = True", f"stats_endpoint = {endpoint}")).up()
    with Subscriber(endpoint, "stat.web") as subscriber:
        subscriber.message("stat.web")
        asked(daemon, name="off")
        subscriber.message("stat.web")
    began = daemon.call("history", name="web")["begin"]
    until(lambda: daemon.call("history", name="web")["begin"] > began + 0.5)


def test_a_process_that_ended_is_told_of_and_its_successor_is_another(circusd: Start) -> None:
    daemon = circusd(configuration("history = True")).up()
    asked(daemon, name="web")
    first = daemon.call("list", name="web")["pids"][0]
    os.kill(first, signal.SIGKILL)
    until(lambda: first not in daemon.call("list", name="web")["pids"])

    def three() -> list[dict[str, Any]] | None:
        told: list[dict[str, Any]] = daemon.call("history", name="web", last=20, step=0)["processes"]["Web"]
        return told if len(told) == 3 and not told[2]["running"] and told[2]["ended_at"] else None

    ended = until(three)[2]
    assert (ended["pid"], ended["wid"]) == (first, 1)
    assert ended["cpu"][-1] is None
    assert ended["ended_at"] > ended["spawned_at"]
    assert daemon.call("history", name="web", process=first, step=0)["processes"]["Web"][0]["running"] is False


def test_the_streamer_is_killed_and_its_past_is_gone(circusd: Start) -> None:
    daemon = circusd(configuration("history = True")).up()
    since = asked(daemon)["since"]
    os.kill(daemon.call("list", name="circusd-stats")["pids"][0], signal.SIGKILL)

    def anew() -> dict[str, Any] | None:
        try:
            past = daemon.call("history", last=60, step=0)
        except CircusError:
            return None
        return past if past["since"] is not None and past["since"] > since else None

    # What nobody saw is not made up.
    assert None in until(anew)["watchers"]["Web"]["cpu"]


@pytest.mark.covers("error:no-history")
def test_where_none_is_kept_one_is_told_what_to_do(circusd: Start) -> None:
    daemon = circusd(WATCHERS).up()
    with Client(daemon.endpoint) as client:
        told = client.request("history")
        assert (told["code"], told["reason"]) == (
            "no-history", "no history is kept: nobody looks at what processes use",
        )  # fmt: skip
        assert "circusctl plugins add stats --use stats history=True" in told["hint"]
        client.call("plugins_add", name="stats", use="stats", options={}, waiting=True)
        told = client.request("history", {"name": "web"})
        assert (told["code"], told["reason"]) == ("no-history", "no history is kept")
        assert "circusctl plugins set stats history=True" in told["hint"]
        client.call("plugins_set", name="stats", options={"history": True, "interval": 0.1}, waiting=True)
    assert asked(daemon)["watchers"].keys() == {"Web", "off", "circusd-stats"}


def test_what_cannot_be_answered_is_refused(circusd: Start) -> None:
    daemon = circusd(configuration("history = True")).up()
    asked(daemon)
    with pytest.raises(UnknownWatcherError, match="program none not found"):
        daemon.call("history", name="none")
    with pytest.raises(RequestError, match="nothing is kept of a process 1 of 'web'"):
        daemon.call("history", name="web", process=1)
    with pytest.raises(RequestError, match="'name' is missing"):
        daemon.call("history", process=1)
    for wrong in ("soon", "25h", -1, True, []):
        with pytest.raises(RequestError, match="'last' is"):
            daemon.call("history", last=wrong)
        with pytest.raises(RequestError, match="'step' is"):
            daemon.call("history", step=wrong)


def test_tables_and_json_by_circusctl(circusd: Start) -> None:
    daemon = circusd(configuration("history = True")).up()
    asked(daemon, name="web", last="5s")
    done = circusctl("history", "web", "--last", "2m", "--step", "0.1", endpoint=daemon.endpoint)
    head, titles, *rows, note = done.stdout.splitlines()
    assert head.startswith("The last ")
    assert "; a bar is " in head
    assert titles.split() == ["WATCHER", "PID", "CPU", "%", "MAX", "RSS", "MAX"]
    assert [row.split()[0] for row in rows] == ["Web", "1", "2"]
    assert [row.split()[1] for row in rows[1:]] == [str(pid) for pid in daemon.call("list", name="web")["pids"]]
    assert all("█" in row for row in rows)
    assert note == "Nothing is kept of what was before."
    done = circusctl("--json", "history", "--processes", "--last", "1", endpoint=daemon.endpoint)
    assert json.loads(done.stdout)["processes"].keys() == {"Web", "circusd-stats"}
    assert circusctl("history", endpoint=daemon.endpoint).stdout.splitlines()[2].split()[0] == "circusd"


# What becomes of a question


class Supervisor:
    """As far as questions know one."""

    def watcher(self, name: str) -> Any:
        raise UnknownWatcherError(name)


def request(**arguments: Any) -> Request:
    command = HISTORY_ANSWER if "pid" in arguments else HISTORY
    given = {argument.name: argument.default for argument in command.arguments}
    return Request(command, {**given, "waiting": "pid" in arguments, **arguments})


def questions_of(reason: str = "nobody") -> Questions:
    return Questions(Supervisor(), lambda: NoHistoryError(reason))  # type: ignore[arg-type]


async def test_each_question_is_asked_once_and_answered_to_who_asked() -> None:
    made = questions_of()
    with pytest.raises(NoHistoryError, match="nobody"):
        await made.ask(request())
    keeping = asyncio.create_task(made.answered(request(pid=7)))
    await asyncio.sleep(0)
    one, two = (asyncio.create_task(made.ask(request(name=name))) for name in ("a", "b"))
    first = await keeping
    assert first["question"] == {"name": "a", "process": None, "processes": True, "last": 3600, "step": None}
    second = await made.answered(request(pid=7, number=first["number"], answer={"about": "a"}))
    assert second["question"]["name"] == "b"
    assert await one == {"about": "a"}
    # It does not know whether the answer came, and asks again: the question is still open.
    assert (await made.answered(request(pid=7)))["question"]["name"] == "b"
    idle = await made.answered(request(pid=7, number=second["number"], answer={"about": "b"}, waiting=False))
    assert idle == {"number": None, "question": None, "replaced": False}
    assert await two == {"about": "b"}


async def test_who_ended_answers_no_more() -> None:
    made = questions_of()
    keeping = asyncio.create_task(made.answered(request(pid=7)))
    await asyncio.sleep(0)
    asking = asyncio.create_task(made.ask(request()))
    await keeping
    made.ended(8)
    made.ended(7)
    with pytest.raises(CircusError, match="the process that keeps the history ended"):
        await asking
    with pytest.raises(NoHistoryError):
        await made.ask(request())
    waiting = asyncio.create_task(made.answered(request(pid=9)))
    await asyncio.sleep(0)
    made.close()
    assert (await waiting)["question"] is None


async def test_who_keeps_it_now_is_asked_and_who_did_is_told_so() -> None:
    made = questions_of()
    before = asyncio.create_task(made.answered(request(pid=7)))
    await asyncio.sleep(0)
    again = asyncio.create_task(made.answered(request(pid=7)))
    assert await before == {"number": None, "question": None, "replaced": False}
    other = asyncio.create_task(made.answered(request(pid=8)))
    assert (await again)["replaced"] is True
    asking = asyncio.create_task(made.ask(request()))
    assert (await other)["question"] is not None
    made.ended(8)
    with pytest.raises(CircusError):
        await asking


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "PATIENCE", 0.01)
    made = questions_of()
    keeping = asyncio.create_task(made.answered(request(pid=7)))
    await asyncio.sleep(0)
    with pytest.raises(CircusError, match="pid 7, which keeps the history, did not answer"):
        await made.ask(request())
    number = (await keeping)["number"]
    # It is too late, and does no harm.
    assert (await made.answered(request(pid=7, number=number, answer={}, waiting=False)))["number"] is None


async def test_a_failure_of_who_keeps_it_is_told() -> None:
    made = questions_of()
    keeping = asyncio.create_task(made.answered(request(pid=7)))
    await asyncio.sleep(0)
    asking = asyncio.create_task(made.ask(request()))
    number = (await keeping)["number"]
    await made.answered(request(pid=7, number=number, answer={"failed": "ValueError: no"}, waiting=False))
    with pytest.raises(CircusError, match="the history was not read: ValueError: no"):
        await asking
