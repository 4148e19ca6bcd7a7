"""The plugin watchdog: who falls silent is replaced, who is well is not, and no datagram whatever does harm."""

from __future__ import annotations

import socket
import textwrap
import time
from pathlib import Path

import pytest

from circus_core.errors import ConfigError, PluginError
from circus_core.testing import until

RATE = 0.4
"""Seconds; a program has three times as long for its first heartbeat, which is long even on a busy machine."""


def section(port, *lines):
    return "\n".join(["[plugin:dog]", "use = watchdog", f"port = {port}", f"loop_rate = {RATE}", *lines, ""])


def beating(port, form="$$;1.5"):
    """A program that sends heartbeats."""
    return f"bash -c 'while echo -n \"{form}\" > /dev/udp/127.0.0.1/{port}; do sleep 0.02; done'"


def send(port, *messages):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
        for message in messages:
            to.sendto(message, ("127.0.0.1", port))


@pytest.mark.covers("watchdog-option:port", "watchdog-option:ip", "watchdog-option:loop_rate")
async def test_who_falls_silent_is_replaced_and_who_is_well_is_not(observe, place, free_port):
    once = f"bash -c 'echo -n \"$$;1.5\" > /dev/udp/127.0.0.1/{free_port}; exec sleep 1000'"
    watchers = f"""
        [watcher:well]
        cmd = {beating(free_port)}
        [watcher:Two Words]
        cmd = {once}
        numprocesses = 3
    """
    async with observe(textwrap.dedent(watchers) + section(free_port, "ip = localhost"), place) as run:
        well, frozen = run.pids("well"), run.pids("Two Words")
        await run.events.wait_for("process_exited", watcher="Two Words", count=3, requested=True)
        await run.events.wait_for("process_spawned", watcher="Two Words", count=6)
        assert run.pids("well") == well
        assert not set(frozen) & set(run.pids("Two Words"))
        # Nor is the plugin itself, which sends no heartbeats.
        assert not run.events.named("process_exited", watcher="plugin:dog")


async def test_all_who_are_silent_are_ended_in_one_round(observe, free_port):
    async with observe("[watcher:mute]\ncmd = sleep 1000\nnumprocesses = 5\n" + section(free_port)) as run:
        dog = run.supervisor.bus.loaded["dog"].plugin
        for watched in dog.watched.values():
            watched.heard = float("-inf")
        await run.events.wait_for("process_signaled", watcher="mute")
        before = dog.rounds
        await run.events.wait_for("process_signaled", watcher="mute", count=5)
        assert dog.rounds == before


@pytest.mark.covers("watchdog-option:max_count")
async def test_so_many_rounds_may_be_missed(observe, place, free_port):
    async with observe("[watcher:mute]\ncmd = sleep 1000\n" + section(free_port, "max_count = 2"), place) as run:
        exited = await run.events.wait_for("process_exited", watcher="mute")
        assert exited.age > 2 * RATE


@pytest.mark.covers(
    "watchdog-option:watchers_regex",
    "watchdog-option:watchers_stop_signal",
    "watchdog-option:watchers_graceful_timeout",
)
async def test_only_some_watchers_with_a_signal_and_a_time_of_their_own(observe, place, free_port):
    deaf = "bash -c 'trap : USR1; while :; do sleep 1000; done'"
    options = ["watchers_regex = ^web", "watchers_stop_signal = USR1", "watchers_graceful_timeout = 0.1"]
    watchers = f"[watcher:Web]\ncmd = {deaf}\ngraceful_timeout = 60\n[watcher:other]\ncmd = sleep 1000\n"
    async with observe(textwrap.dedent(watchers) + section(free_port, "max_count = 1", *options), place) as run:
        await run.events.wait_for("process_exited", watcher="Web", exit_code=-9)
        signums = [event.signum for event in run.events.named("process_signaled", watcher="Web")]
        assert signums[:2] == [10, 9]
        assert not run.events.named("process_exited", watcher="other")


@pytest.mark.covers("watchdog-option:msg_regex")
async def test_heartbeats_of_another_form(observe, place, free_port):
    watchers = f"[watcher:well]\ncmd = {beating(free_port, 'alive $$')}\n[watcher:mute]\ncmd = sleep 1000\n"
    async with observe(
        textwrap.dedent(watchers) + section(free_port, "msg_regex = alive (?P<pid>[0-9]+)"), place
    ) as run:
        await run.events.wait_for("process_exited", watcher="mute", count=2)
        assert not run.events.named("process_exited", watcher="well")


async def test_odd_datagrams_are_counted_and_told_once(observe, free_port, caplog):
    async with observe("[watcher:mute]\ncmd = sleep 1000\n" + section(free_port)) as run:
        odd = [b"", b"\xff;\xff", b";", b"1;1", b"-1;1", b"9" * 5000 + b";1", b"no heartbeat", b"\xc2\xb2;1"]
        send(free_port, *odd)
        await run.events.wait_for("process_exited", watcher="mute")
        told = [record for record in caplog.records if "no heartbeats" in record.message]
        assert len(told) == 1
        assert "from 127.0.0.1" in told[0].message
        assert run.supervisor.bus.loaded["dog"].failures == 0


async def test_a_process_that_is_being_stopped_has_its_own_time(observe, place, free_port):
    slow = f"bash -c 'trap \"sleep {3 * RATE}; exit 7\" TERM; touch there; while :; do sleep 0.01; done'"
    watchers = f"[watcher:slow]\ncmd = {slow}\n"
    async with observe(
        textwrap.dedent(watchers) + section(free_port, "watchers_graceful_timeout = 0", "max_count = 1"), place
    ) as run:
        until(Path("there").exists)
        await run.call("stop", name="slow", waiting=True)
        assert [event.exit_code for event in run.events.named("process_exited", watcher="slow")] == [7]


async def test_a_watcher_that_the_operator_stopped_stays_stopped(observe, place, free_port):
    watchers = "[watcher:mute]\ncmd = sleep 1000\n[watcher:other]\ncmd = sleep 1000\n"
    async with observe(textwrap.dedent(watchers) + section(free_port, "max_count = 1"), place) as run:
        await run.call("stop", name="mute", waiting=True)
        await run.events.wait_for("process_exited", watcher="other", count=2)
        assert run.pids("mute") == []


async def test_what_ran_before_the_plugin_did_is_watched(observe, free_port):
    watchers = "[watcher:mute]\ncmd = sleep 1000\n"
    async with observe(textwrap.dedent(watchers) + section(free_port, "autostart = False"), "process") as run:
        pid = run.pids("mute")[0]
        await run.call("start", name="plugin:dog", waiting=True)
        await run.events.wait_for("process_exited", watcher="mute", pid=pid)


async def test_a_port_that_is_taken_is_said(observe, free_port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", free_port))
        with pytest.raises(PluginError, match=f"UDP port {free_port} of 127.0.0.1 cannot be opened: .*in use"):
            async with observe(section(free_port)):
                pass


async def test_a_port_that_is_taken_is_said_of_a_process(observe, free_port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", free_port))
        async with observe(section(free_port), "process") as run:
            await run.events.wait_for("process_exited", watcher="plugin:dog")
            (row,) = [row for row in (await run.call("plugins"))["plugins"] if row["name"] == "dog"]
            assert f"UDP port {free_port} of 127.0.0.1 cannot be opened" in row["last_error"]


async def test_a_watchdog_that_was_held_up_ends_nobody_for_it(observe, free_port, caplog):
    async with observe("[watcher:mute]\ncmd = sleep 1000\n" + section(free_port, "max_count = 1")) as run:
        time.sleep(3 * RATE)  # noqa: ASYNC251 - it is what holds the loop up
        await run.events.wait_for("process_exited", watcher="mute")
        assert "held up itself" in caplog.text


async def test_a_form_without_a_pid_is_refused(observe, free_port):
    with pytest.raises(ConfigError, match=r"msg_regex: has no group `pid` \(write"):
        async with observe(section(free_port, "msg_regex = .*")):
            pass


async def test_it_closes_its_port(observe, free_port):
    async with observe(section(free_port)):
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", free_port))
