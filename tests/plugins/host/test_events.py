"""Which events a plugin in a process of its own sees: each once and in order, or it is told, whatever happens to it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from circus_core.events import WatcherUpdated
from tests.plugins.host.conftest import APP, flood, plugin

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
    class Writer(Witness):
        "Writes the seq of each event it has handled into a file, so that not even SIGKILL can take one back."

        def circus_startup(self):
            self.file = os.open(self.options["file"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def circus_event(self, event):
            if event.name == "events_lost":
                return
            os.write(self.file, b"%d\\n" % event.seq)
            if getattr(event, "option", None) == "tell":
                self.note(hook="told", seq=event.seq)

        def circus_events_lost(self, event):
            os.write(self.file, b"%d lost to %d\\n" % (event.first, event.last))
            self.note(hook="lost", first=event.first, last=event.last)
"""


def written(path: Path) -> tuple[list[int], set[int]]:
    """The events that were handled, in order, and those that were said to be lost."""
    handled, lost = [], set()
    for line in path.read_text().splitlines():
        first, _lost, last = line.partition(" lost to ")
        if last:
            lost |= set(range(int(first), int(last) + 1))
        else:
            handled.append(int(first))
    return handled, lost


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
async def test_ended_amid_many_events_it_sees_each_once_and_in_order_or_is_told(hosting, tmp_path, signum):
    path = tmp_path / "seen"
    async with hosting(APP + plugin("Writer", f"file = {path}"), WRITER) as run:
        ended = []

        async def end_thrice() -> None:
            for number, count in enumerate((2, 5, 8), 1):
                await run.notes.wait_for("writer", hook="told", count=count)
                await run.events.wait_for("plugin_started", plugin="writer", count=number)
                ended.extend(run.pids("plugin:writer"))
                os.kill(ended[-1], signum)

        await asyncio.gather(end_thrice(), flood(run, 10_000))
        newest = run.events.named("watcher_updated")[-1].seq
        await run.notes.wait_for("writer", hook="told", seq=newest)
        handled, lost = written(path)
        assert handled == sorted(set(handled))
        assert set(range(handled[0], newest + 1)) - set(handled) <= lost
        assert len(set(ended)) == 3
        # Only what a process had in hand when it was killed may be both, or lost at all.
        assert len(lost) <= (3 if signum == signal.SIGKILL else 0)
        assert run.pids("app")


async def test_what_it_had_in_hand_when_it_was_killed_is_told(hosting):
    code = """
        class Dying(Witness):
            def circus_watcher_updated(self, event):
                if event.option == "die":
                    os.kill(os.getpid(), 9)
                self.note(hook="updated", seq=event.seq)

            def circus_event(self, event):
                pass

            def circus_events_lost(self, event):
                self.note(hook="lost", first=event.first, last=event.last)
    """
    async with hosting(APP + plugin("Dying"), code) as run:
        publish = run.supervisor.bus.publish
        publish(WatcherUpdated(watcher="app", option="one"))
        await run.notes.wait_for("dying", hook="updated")
        publish(WatcherUpdated(watcher="app", option="die"))
        publish(WatcherUpdated(watcher="app", option="two"))
        await run.notes.wait_for("dying", hook="updated", count=2)
        one, die, two = [event.seq for event in run.events.named("watcher_updated")]
        said = [note.get("first") or note["seq"] for note in run.notes.of("dying") if note["hook"] != "startup"]
        assert said == [one, die, two]
        assert run.notes.of("dying", hook="lost") == [{**run.notes.of("dying", hook="lost")[0], "last": die}]
        row = await run.plugin("dying")
        assert row["last_error"] == f"its process was killed by SIGKILL while event {die} was being handled"


async def test_events_that_it_missed_are_fetched_and_those_that_are_gone_are_told(hosting, tmp_path):
    path = tmp_path / "seen"
    configuration = f"[circus]\nevents_kept = 2000\n{APP}{plugin('Writer', f'file = {path}')}"
    async with hosting(configuration, WRITER) as run:
        pid = run.pids("plugin:writer")[0]
        os.kill(pid, signal.SIGSTOP)
        # More than libzmq and the sockets hold for it.
        await flood(run, 30_000, tell=30_000)
        os.kill(pid, signal.SIGCONT)
        await run.notes.wait_for("writer", hook="told")
        handled, lost = written(path)
        newest = run.events.named("watcher_updated")[-1].seq
        assert handled[-1] == newest
        assert handled == sorted(set(handled))
        assert lost
        assert lost == set(range(handled[0], newest + 1)) - set(handled)


async def test_a_handler_at_work_when_the_end_comes_is_done_first(hosting):
    code = """
        import asyncio

        class Slow(Witness):
            async def circus_watcher_updated(self, event):
                self.note(hook="begins")
                await asyncio.sleep(0.2)
                self.note(hook="ends")
    """
    async with hosting(APP + "[plugin:slow]\nuse = plugin.py:Slow\n", code) as run:
        run.supervisor.bus.publish(WatcherUpdated(watcher="app", option="x"))
        await run.notes.wait_for("slow", hook="begins")
        await run.call("restart", name="plugin:slow", waiting=True)
        assert [note["hook"] for note in run.notes.of("slow") if note["hook"] in ("begins", "ends", "shutdown")] == [
            "begins", "ends", "shutdown"
        ]  # fmt: skip


async def test_an_event_of_its_own_is_published_by_circusd_for_everybody(hosting):
    code = """
        from circus_core.events import Event, event

        @event
        class AppBegan(Event):
            "Of the tests."

            watcher: str
            pids: tuple[int, ...]

        class Announcer(Witness):
            def circus_process_spawned(self, event):
                if event.watcher == "app":
                    self.publish(AppBegan(watcher="app", pids=(event.pid,)))

        class Hearer(Witness):
            def circus_app_began(self, event):
                self.note(hook="began", pids=list(event.pids), seq=event.seq)
    """
    async with hosting(APP + plugin("Announcer") + plugin("Hearer"), code) as run:
        began = await run.events.wait_for("app_began", watcher="app", pids=tuple(run.pids("app")))
        await run.notes.wait_for("hearer", hook="began", pids=run.pids("app"), seq=began.seq)
