"""The plugin `flapping`: when a process flaps, what becomes of it, and that it is nobody else's business."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from circus_core.testing import PATIENCE, alive, python, watcher
from circus_plugins.client import Client
from circus_plugins.flapping import Flapping, History, Rules

NEVER_UP = "sh -c 'exit 3'"


class Flaps(Flapping):
    """With options as if they stood in its section."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._given = options

    def equip(self, name: str, client: Any, _options: Any, host: Any) -> None:
        super().equip(name, client, Rules(**self._given), host)


def held(run: Any, name: str = "w") -> list[tuple[int, float | None]]:
    return [(event.tries, event.retry_in) for event in run.events.named("process_flapping", watcher=name)]


# When


@pytest.mark.parametrize(
    ("deaths", "flapping"),
    [([0.0], []), ([0.0, 1.0], [1.0]), ([0.0, 1.1], []), ([0, 1.1, 2.1], [2.1]), ([0, 1, 2, 3], [1, 3])],
)
def test_so_many_deaths_within_the_window_are_flapping_and_are_not_counted_again(deaths, flapping):
    history, rules = History(), Rules(attempts=2, window=1.0)
    assert [at for at in deaths if history.died(at, rules)] == flapping


def test_whoever_lives_longer_in_between_starts_anew():
    history, rules = History(tries=4), Rules(attempts=3, window=1.0)
    assert [history.died(at, rules) for at in (0, 0.5)] == [False, False]
    assert history.tries == 4
    assert not history.died(10, rules)
    assert history.tries == 0


def test_more_deaths_than_attempts_count_too():
    """O-62: Circus compares with exactly so many, so a longer history never flaps again."""
    history = History()
    assert not any(history.died(at, Rules(attempts=5)) for at in (0, 0.1, 0.2))
    assert history.died(0.3, Rules(attempts=2))


# What then


@pytest.mark.covers(
    "hook:circus_decide_restart", "event:process_flapping", "flapping-option:attempts", "flapping-option:window",
    "flapping-option:retry_in", "flapping-option:max_retry",
)  # fmt: skip
async def test_it_is_held_back_and_at_last_given_up(supervise):
    plugins = {"flapping": Flaps(attempts=3, window=30, retry_in=0.01, max_retry=2)}
    async with supervise(watcher("w", NEVER_UP), plugins=plugins) as run:
        gave_up = await run.events.wait_for("watcher_gave_up", watcher="w")
        await run.events.wait_for("watcher_stopped", watcher="w")
        assert held(run) == [(1, 0.01), (2, 0.01), (3, None)]
        assert len(run.events.named("process_exited")) == 9
        assert gave_up.last
        assert gave_up.reason.startswith("it flaps: it died 3 times within 30 s, after it was held back 2 times")


async def test_without_a_limit_it_is_held_back_for_ever(supervise):
    plugins = {"flapping": Flaps(window=30, retry_in=0.01, max_retry=-1)}
    async with supervise(watcher("w", NEVER_UP), plugins=plugins) as run:
        await run.events.wait_for("process_flapping", tries=8)
        assert run.events.named("watcher_gave_up") == []


async def test_a_healthy_process_of_the_same_watcher_lives_on(supervise, tmp_path):
    """PEERS.md 3, nr 6: Circus counts per watcher, and stops the healthy ones with the sick one."""
    first_lives = python(f"""
        import os, signal, sys
        try:
            os.mkdir({str(tmp_path / "taken")!r})
        except FileExistsError:
            sys.exit(3)
        signal.pause()
    """)
    plugins = {"flapping": Flaps(window=30, retry_in=0.01, max_retry=0)}
    async with supervise(watcher("w", first_lives, numprocesses=2), plugins=plugins) as run:
        gave_up = await run.events.wait_for("watcher_gave_up")
        assert not gave_up.last
        (pid,) = run.pids("w")
        assert alive(pid)
        assert run.supervisor.watcher("w").state == "active"


async def test_a_stop_wins_over_whoever_is_held_back(supervise):
    """PEERS.md 3, nr 5: Circus' plugin starts a watcher again that the operator has stopped."""
    plugins = {"flapping": Flaps(window=30, retry_in=0.05)}
    async with supervise(watcher("w", NEVER_UP), plugins=plugins) as run:
        await run.events.wait_for("process_flapping")
        await run.call("stop", name="w", waiting=True)
        spawned = len(run.events.named("process_spawned"))
        await run.call("set", name="w", options={"cmd": "sleep 1000"}, waiting=True)
        # Had its timer gone on it would be over by the time of these two.
        await run.call("start", name="w", waiting=True)
        await run.call("stop", name="w", waiting=True)
        assert len(run.events.named("process_spawned")) == spawned + 1


async def test_the_operator_s_stops_and_restarts_are_no_deaths(supervise):
    plugins = {"flapping": Flaps(window=1000, max_retry=0)}
    async with supervise(watcher("w"), plugins=plugins) as run:
        for _ in range(3):
            await run.call("restart", name="w", waiting=True)
            await run.call("kill", name="w", waiting=True)
            await run.call("reload", name="w", waiting=True)
        assert held(run) == []


async def test_a_start_by_hand_begins_anew(supervise):
    plugins = {"flapping": Flaps(window=30, retry_in=0.01, max_retry=1)}
    async with supervise(watcher("w", NEVER_UP), plugins=plugins) as run:
        await run.events.wait_for("watcher_stopped")
        await run.call("start", name="w")
        await run.events.wait_for("watcher_stopped", count=2)
        assert held(run) == [(1, 0.01), (2, None)] * 2


# For one watcher


def of_watcher(**options):
    return {f"flapping.{key}": value for key, value in options.items()}


@pytest.mark.covers(
    "option:flapping.attempts", "option:flapping.window", "option:flapping.retry_in", "option:flapping.max_retry",
)  # fmt: skip
async def test_a_watcher_may_have_rules_of_its_own(supervise):
    own = of_watcher(attempts=4, window=50.0, retry_in=0.02, max_retry=0)
    plugins = {"flapping": Flaps(window=30, retry_in=0.01, max_retry=0)}
    async with supervise(watcher("a", NEVER_UP, extra=own), watcher("b", NEVER_UP), plugins=plugins) as run:
        await run.events.wait_for("watcher_stopped", watcher="a")
        await run.events.wait_for("watcher_stopped", watcher="b")
        (a,), (b,) = (run.events.named("process_flapping", watcher=name) for name in "ab")
        assert (a.deaths, a.window) == (4, 50.0)
        assert (b.deaths, b.window) == (2, 30.0)


@pytest.mark.covers("option:flapping.active")
async def test_it_leaves_a_watcher_alone_for_which_it_is_not_active(supervise):
    plugins = {"flapping": Flaps(window=1000, max_retry=0)}
    async with supervise(watcher("w", NEVER_UP, extra=of_watcher(active=False)), plugins=plugins) as run:
        await run.events.wait_for("restart_delayed", watcher="w")
        assert held(run) == []


async def test_set_changes_the_rules_at_once(supervise):
    plugins = {"flapping": Flaps(window=30, retry_in=0.01, max_retry=-1)}
    async with supervise(watcher("w", NEVER_UP), plugins=plugins) as run:
        await run.events.wait_for("process_flapping")
        await run.call("set", name="w", options=of_watcher(max_retry=0), waiting=True)
        await run.events.wait_for("watcher_gave_up")


CONFIGURATION = """
[watcher:w]
cmd = sh -c 'exit 3'
flapping.retry_in = 0.01

[plugin:flapping]
use = circus.plugins.flapping.Flapping
window = 30
max_retry = 1
"""


def test_from_a_configuration_to_events_for_clients(circusd):
    daemon = circusd(CONFIGURATION).up()
    assert daemon.call("get", name="w", keys=["flapping.retry_in"])["options"] == {"flapping.retry_in": 0.01}
    with Client(daemon.endpoint, timeout=PATIENCE) as client:
        flapping = (event for event in client.events(since=0, watcher="w") if event["event"] == "process_flapping")
        assert [(event["tries"], event["retry_in"]) for event in islice(flapping, 2)] == [(1, 0.01), (2, None)]
