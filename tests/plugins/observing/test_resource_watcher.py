"""The plugin resource_watcher: who uses too much or too little, for long enough, and what is done about it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from circus_core.errors import ConfigError, OptionError
from circus_core.options import declared
from circus_core.testing import until
from circus_plugins.resource_watcher.limits import AMOUNT, CHILDREN, NAMES, Amount, Limits, Usage
from circus_plugins.resource_watcher.sampling import Sampler, total

RATE = 0.1
BUSY = "sh -c 'while :; do :; done'"
NOTHING = {"max_cpu": 0, "max_mem": 0, "health_threshold": 0}
"""No limit at all, to which a test adds its own."""


def section(**options):
    settings = {"use": "resource_watcher", "loop_rate": RATE, "max_count": 1, **NOTHING, **options}
    return "".join(["[plugin:rw]\n", *(f"{key} = {value}\n" for key, value in settings.items())])


def fat(megabytes):
    """A program that holds so much memory."""
    return shlex.join([sys.executable, "-c", f"import time; held = b'x' * ({megabytes} << 20); time.sleep(1000)"])


# The rules


@pytest.mark.parametrize(
    ("text", "number", "percent", "shown"),
    [
        ("90", 90, True, "90"),
        ("12.5%", 12.5, True, "12.5"),
        ("250M", 250 * 1024**2, False, "250M"),
        ("1.5G", 1.5 * 1024**3, False, "1.5G"),
        ("1.5 gib", 1.5 * 1024**3, False, "1.5G"),
        ("100KB", 100 * 1024, False, "100K"),
        ("512B", 512, False, "512B"),
        (".5T", 0.5 * 1024**4, False, "512G"),
    ],
)
def test_amounts(text, number, percent, shown):
    assert AMOUNT.parse(text) == AMOUNT.check(text) == Amount(number, percent)
    assert AMOUNT.show(Amount(number, percent)) == shown


@pytest.mark.parametrize("text", ["", "many", "-5", "5X", "1.2.3M", "M", "nan", "inf"])
def test_what_is_no_amount(text):
    with pytest.raises(ValueError, match="a size"):
        AMOUNT.parse(text)


def test_words_and_names():
    assert [CHILDREN.parse(word) for word in ("0", "no", "False", "1", "yes", "Each", "SUM")] == [
        "no", "no", "no", "each", "each", "each", "sum",
    ]  # fmt: skip
    assert CHILDREN.check(True) == "each"
    with pytest.raises(OptionError):
        declared(Limits)["process_children"].value("all", text=True)
    assert NAMES.parse(" web, two words ,,") == NAMES.check(["web", "two words"]) == ("web", "two words")
    with pytest.raises(ValueError, match="names"):
        NAMES.check([1])


@pytest.mark.covers(
    "resource_watcher-option:min_cpu", "resource_watcher-option:max_cpu", "resource_watcher-option:min_mem",
    "resource_watcher-option:max_mem", "resource_watcher-option:health_threshold",
)  # fmt: skip
@pytest.mark.parametrize(
    ("limits", "usage", "names"),
    [
        ({}, Usage(90, 1 << 30, 60), []),
        ({}, Usage(90.1, 1 << 30, 59), ["over_cpu"]),
        ({}, Usage(90, 1 << 30, 61), ["over_health"]),
        ({}, Usage(300, 1 << 30, 95), ["over_cpu", "over_health", "over_memory"]),
        ({}, Usage(None, 1 << 30, 95), ["over_memory"]),
        ({"min_cpu": 5}, Usage(None, 1 << 30, 5), []),
        ({"min_cpu": 5}, Usage(4.9, 1 << 30, 5), ["under_cpu"]),
        ({"max_mem": Amount(1 << 30, False)}, Usage(5, 1 << 30, 95), []),
        ({"max_mem": Amount(1 << 30, False)}, Usage(5, (1 << 30) + 1, 5), ["over_memory"]),
        ({"min_mem": Amount(1 << 30, False)}, Usage(5, (1 << 30) - 1, 50), ["under_memory"]),
        ({"min_mem": Amount(10, True)}, Usage(5, 1 << 30, 9), ["under_memory"]),
        ({"max_cpu": 0, "max_mem": Amount(0, True), "health_threshold": 0}, Usage(999, 1 << 40, 99), []),
    ],
)
def test_limits(limits, usage, names):
    assert sorted(excess.name for excess in Limits(**limits).beyond(usage)) == names


def test_an_excess_in_words():
    (cpu,) = Limits().beyond(Usage(95.25, 0, 1))
    assert str(cpu) == "over_cpu: 95.2 %, more than 90 %"
    (memory,) = Limits(min_mem=Amount(1 << 30, False)).beyond(Usage(1, 1 << 20, 1))
    assert str(memory) == "under_memory: 1M, less than 1G"


def test_the_sum_of_a_process_and_what_comes_from_it():
    assert total(Usage(1, 10, 0.5), {7: Usage(2, 20, 1), 8: Usage(None, 30, 2)}) == Usage(3, 60, 3.5)
    assert total(Usage(None, 10, 0.5), {7: Usage(2, 20, 1)}).cpu is None


def test_who_is_gone_uses_nothing():
    assert Sampler().usage(2**22 + 1) is None


@pytest.mark.covers("resource_watcher-option:watcher", "resource_watcher-option:service")
async def test_somebody_has_to_be_watched(observe):
    with pytest.raises(ConfigError, match=r"\[plugin:rw\] watcher: is missing"):
        async with observe(section()):
            pass


async def test_what_is_odd_is_said_and_taken(observe, caplog):
    async with observe("[watcher:a]\ncmd = sleep 1000\n" + section(service="a", max_mem=250)):
        assert "[plugin:rw] service: is an old name (write watcher)" in caplog.text
        assert "max_mem: is 250 percent of the machine's memory (a size has a unit: 250M)" in caplog.text


# What is done


@pytest.mark.covers(
    "event:resource_limit_exceeded", "resource_watcher-option:loop_rate", "resource_watcher-option:max_count",
    "resource_watcher-option:application_name", "resource_watcher-option:port", "resource_watcher-option:host",
)  # fmt: skip
async def test_a_watcher_is_restarted_and_told_of(observe, place, statsd):
    watchers = f"[watcher:Busy]\ncmd = {BUSY}\nnumprocesses = 2\n[watcher:calm]\ncmd = {BUSY}\n"
    options = section(watcher="busy", port=statsd.port, application_name="shop", max_cpu=5)
    async with observe(watchers + options, place) as run:
        before, calm = run.pids("Busy"), run.pids("calm")
        told = await run.events.wait_for("resource_limit_exceeded", watcher="Busy")
        assert (told.limit, told.done, told.childpid) == ("over_cpu", "restart", None)
        assert told.pid in before
        assert told.reason.endswith("%, more than 5 %")
        await run.events.wait_for("watcher_started", watcher="Busy", count=2)
        assert not set(before) & set(run.pids("Busy"))
        assert run.pids("calm") == calm
        prefix = r"circus\.shop\.watcher\._resource_watcher\.Busy\."
        await statsd.wait_for(prefix + r"over_cpu:1\|c")
        await statsd.wait_for(prefix + r"restarting:1\|c")


@pytest.mark.covers("resource_watcher-option:tag_style", "resource_watcher-option:tags.")
async def test_tags(observe, statsd):
    tags = {"tag_style": "influxdb", "tags.env": "prod"}
    options = section(watcher="busy one", port=statsd.port, max_cpu=5, action="kill", **tags)
    async with observe(f"[watcher:Busy One]\ncmd = {BUSY}\n" + options):
        prefix = r"circus\.app\.watcher\._resource_watcher\."
        await statsd.wait_for(prefix + r"over_cpu,env=prod,watcher=Busy_One:1\|c")
        await statsd.wait_for(prefix + r"killing,env=prod,watcher=Busy_One:1\|c")


@pytest.mark.covers("resource_watcher-option:action")
async def test_only_the_process_that_is_beyond_is_replaced(observe, place):
    grow = "import os, time; held = b'x' * (('GROW' in os.environ) * 200 << 20); time.sleep(1000)"
    (Path.cwd() / "grow.py").write_text(grow)
    cmd = f"sh -c 'if [ $(circus.wid) = 2 ]; then export GROW=1; fi; exec {sys.executable} grow.py'"
    watchers = f"[watcher:w]\ncmd = {cmd}\nnumprocesses = 3\n"
    async with observe(watchers + section(watcher="w*", max_mem="150M", action="kill"), place) as run:
        before = run.pids("w")
        told = await run.events.wait_for("resource_limit_exceeded", watcher="w")
        assert (told.wid, told.pid, told.limit, told.done) == (2, before[1], "over_memory", "kill")
        await run.events.wait_for("process_spawned", watcher="w", wid=2, count=2)
        assert {before[0], before[2]} <= set(run.pids("w"))


async def test_who_is_only_told_of_lives_and_is_told_of_again(observe, place):
    async with observe(
        f"[watcher:w]\ncmd = {fat(1)}\n" + section(watcher="w", min_mem="10G", action="notify"), place
    ) as run:
        before = run.pids("w")
        told = await run.events.wait_for("resource_limit_exceeded", watcher="w", count=2)
        assert (told.limit, told.done) == ("under_memory", "notify")
        assert run.pids("w") == before


@pytest.mark.covers("resource_watcher-option:process_children", "resource_watcher-option:child_signal")
async def test_only_the_descendant_that_is_beyond_gets_the_signal(observe, place, tmp_path):
    (tmp_path / "parent.py").write_text(
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(3))\n"
        "calm = subprocess.Popen(['sleep', '1000'])\n"
        "busy = subprocess.Popen(['sh', '-c', 'while :; do :; done'])\n"
        "open('ended', 'w').write(str(busy.wait()))\n"
        "time.sleep(1000)\n"
    )
    options = section(watcher="w", process_children=1, child_signal="USR1", max_cpu=20)
    async with observe(f"[watcher:w]\ncmd = {sys.executable} parent.py\n" + options, place) as run:
        (pid,) = run.pids("w")
        told = await run.events.wait_for("resource_limit_exceeded", watcher="w", done="signal")
        assert told.pid == pid
        assert told.childpid not in (None, pid)
        until(lambda: (tmp_path / "ended").exists() and (tmp_path / "ended").read_text(), "the end of the busy child")
        assert (tmp_path / "ended").read_text() == "-10"
        assert run.pids("w") == [pid]


async def test_a_process_with_all_that_comes_from_it(observe, place):
    options = section(watcher="w", max_mem="180M", process_children="sum", action="kill")
    cmd = f"sh -c {shlex.quote(f'{fat(100)} & {fat(100)} & wait')}"
    async with observe(f"[watcher:w]\ncmd = {cmd}\n" + options, place) as run:
        (pid,) = run.pids("w")
        told = await run.events.wait_for("resource_limit_exceeded", watcher="w")
        assert (told.pid, told.childpid, told.limit) == (pid, None, "over_memory")


# The operator


async def test_a_stopped_watcher_is_left_alone(observe, place):
    watchers = "[watcher:off]\ncmd = sleep 1000\n[watcher:on]\ncmd = sleep 1000\n"
    async with observe(watchers + section(watcher="*", min_mem="10G"), place) as run:
        await run.events.wait_for("resource_limit_exceeded", watcher="off")
        await run.call("stop", name="off", waiting=True)
        seen = len(run.events.named("resource_limit_exceeded", watcher="on"))
        await run.events.wait_for("resource_limit_exceeded", watcher="on", count=seen + 2)
        assert run.pids("off") == []
        # A pattern means no plugins.
        assert not run.events.named("resource_limit_exceeded", watcher="plugin:rw")


async def test_a_watcher_that_comes_and_goes(observe, statsd, caplog):
    async with observe(section(watcher="later", min_mem="10G", port=statsd.port)) as run:
        await statsd.wait_for(r"circus\.app\.watcher\._resource_watcher\.later\.error:1\|c")
        await run.call("add", name="later", cmd="sleep 1000", start=True)
        await run.events.wait_for("resource_limit_exceeded", watcher="later")
        await run.call("rm", name="later")
        assert caplog.text.count("there is no watcher later") == 1
