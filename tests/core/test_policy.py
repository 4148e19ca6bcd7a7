"""The restart policy as properties: pure functions of options and history, tried without a clock."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core import policy
from circus_core.model import GiveUp, Restart, WatcherOptions

FINITE = st.floats(0, 1e6, allow_nan=False)
OPTIONS = st.builds(
    WatcherOptions,
    name=st.just("w"),
    cmd=st.just("true"),
    max_retry=st.one_of(st.none(), st.integers(-1, 50)),
    restart_burst=st.integers(0, 50),
    restart_delay=FINITE,
    restart_delay_max=FINITE,
    min_uptime=FINITE,
)
FAILURES = st.integers(0, 10**6)
CHANCE = st.floats(0, 1)


@given(OPTIONS, FAILURES, CHANCE)
def test_a_delay_is_finite_and_never_above_the_cap_and_its_jitter(options, failures, chance):
    for verdict in (
        policy.after_exit(options, failures, chance),
        policy.after_failed_spawn(options, failures + 1, "why", chance),
    ):
        if isinstance(verdict, Restart):
            assert math.isfinite(verdict.delay)
            assert 0 <= verdict.delay <= options.restart_delay_max * (1 + policy.JITTER)


@given(OPTIONS, CHANCE)
def test_a_process_that_lived_well_comes_back_at_once(options, chance):
    assert policy.after_exit(options, 0, chance) == Restart()


@pytest.mark.covers("option:restart_burst")
@given(OPTIONS, CHANCE, st.data())
def test_the_first_young_deaths_are_replaced_at_once(options, chance, data):
    failures = data.draw(st.integers(0, options.restart_burst))
    assert policy.after_exit(options, failures, chance) == Restart()


@given(OPTIONS, FAILURES, CHANCE)
def test_a_further_failure_never_shortens_the_delay(options, failures, chance):
    first, second = (policy.after_exit(options, failures + more, chance) for more in (0, 1))
    if isinstance(first, Restart) and isinstance(second, Restart):
        assert second.delay >= first.delay


@pytest.mark.covers("option:restart_delay", "option:restart_delay_max")
def test_delays_double_from_restart_delay_up_to_restart_delay_max():
    options = WatcherOptions(name="w", cmd="true", restart_burst=2, restart_delay=0.5, restart_delay_max=3)
    delays = [policy.after_exit(options, failures, 0.5).delay for failures in range(1, 8)]
    assert delays == [0, 0, 0.5, 1, 2, 3, 3]


@given(OPTIONS, st.integers(1, 10**6), CHANCE)
def test_it_gives_up_exactly_when_the_budget_is_used(options, failures, chance):
    verdict = policy.after_exit(options, failures, chance)
    delayed = failures - options.restart_burst
    spent = options.max_retry not in (None, -1) and delayed > options.max_retry
    assert isinstance(verdict, GiveUp) == (delayed > 0 and spent)


@given(OPTIONS, st.integers(1, 10**6), CHANCE)
def test_a_program_that_cannot_be_started_has_five_tries_unless_told_otherwise(options, failures, chance):
    verdict = policy.after_failed_spawn(options, failures, "why", chance)
    tries = 5 if options.max_retry is None else options.max_retry
    assert isinstance(verdict, GiveUp) == (tries != -1 and failures >= max(tries, 1))
    if isinstance(verdict, GiveUp):
        assert verdict.reason.startswith("why")


@given(OPTIONS.filter(lambda options: options.restart_delay > 0 and options.restart_delay_max > 0), CHANCE)
def test_a_program_that_cannot_be_started_is_never_tried_again_at_once(options, chance):
    verdict = policy.after_failed_spawn(options, 1, "why", chance)
    assert isinstance(verdict, GiveUp) or verdict.delay > 0


@given(OPTIONS, FAILURES)
def test_chance_spreads_what_failed_together(options, failures):
    early, late = (policy.after_exit(options, failures, chance) for chance in (0.0, 1.0))
    if isinstance(early, Restart) and early.delay > 1e-300:
        assert late.delay > early.delay
