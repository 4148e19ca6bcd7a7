"""One process: its signals and its end. Here with a bus, a reaper and an owner of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import resource
import signal
import sys

import pytest

from circus_core.bus import Bus
from circus_core.kinship import MARK
from circus_core.model import Launch, ProcessState, Refuse
from circus_core.process import Process
from circus_core.reaper import PidfdReaper
from circus_core.spawn import spawn
from circus_core.testing import Events, alive, until
from tests.core.proc import environ, settled, status, stubborn


class Owner:
    """Keeps what it is told."""

    family = "family"

    def __init__(self):
        self.told = []

    def ended(self, process):
        self.told.append(("ended", process.exit and process.exit.code))

    def gone(self, process):
        self.told.append("gone")

    def terms(self):
        return signal.SIGTERM, 0.2


class Nursery:
    """Spawns processes, and ends what is left of them."""

    def __init__(self):
        self.bus = Bus()
        self.reaper = PidfdReaper()
        self.owner = Owner()
        self.events = Events()
        self.bus.connect(self.bus.load("events", self.events))
        self.processes = []

    def process(self, code):
        number = len(self.processes) + 1
        env = {**os.environ, MARK: f"{self.owner.family}/{number}.1"}
        pid = spawn(Launch(watcher="w", wid=1, argv=(sys.executable, "-c", code), env=env))
        made = Process("w", 1, pid, number, self.bus, self.reaper, self.owner)
        self.processes.append(made)
        return made


@contextlib.asynccontextmanager
async def nursery():
    made = Nursery()
    try:
        yield made
    finally:
        for process in made.processes:
            process.kill()
            await process.gone()
        made.reaper.close()


def run(test):
    """Run an async test that uses no fixture of the kit."""

    def wrapped(tmp_path):
        async def main():
            async with nursery() as made:
                await (test(made, tmp_path) if "tmp_path" in inspect.signature(test).parameters else test(made))

        asyncio.run(main())

    wrapped.__name__ = test.__name__
    wrapped.pytestmark = getattr(test, "pytestmark", [])
    return wrapped


def program(command):
    """The code of a command line made by `python`."""
    import shlex

    return shlex.split(command)[2]


@run
async def test_it_leads_a_session_and_a_group_of_its_own(made):
    process = made.process("import signal; signal.pause()")
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
    assert environ(process.pid)[MARK] == process.mark
    await process.stop(signal.SIGTERM, 5)
    assert made.owner.told == [("ended", -signal.SIGTERM), "gone"]
    assert process.state is ProcessState.GONE


@run
async def test_no_ignored_signal_and_no_mask_is_handed_on(made):
    process = made.process("import signal; signal.pause()")
    ignored = int(status(process.pid)["SigIgn"], 16)
    # Python itself ignores SIGPIPE and SIGXFSZ.
    # glibc keeps the two signals below SIGRTMIN for itself, and they may come to us ignored.
    own = sum(1 << signum - 1 for signum in range(32, signal.SIGRTMIN))
    assert ignored & ~(1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1 | own) == 0
    assert int(status(process.pid)["SigBlk"], 16) == 0


@run
async def test_who_does_not_stop_is_killed_when_the_grace_is_over(made, tmp_path):
    process = made.process(program(stubborn(tmp_path)))
    settled(tmp_path, process.pid)
    await process.stop(signal.SIGTERM, 0.05)
    assert made.owner.told == [("ended", -signal.SIGKILL), "gone"]
    assert [event.signum for event in made.events.named("process_signaled")] == [signal.SIGTERM, signal.SIGKILL]


@run
async def test_a_second_stop_may_shorten_the_grace_and_never_lengthens_it(made, tmp_path):
    process = made.process(program(stubborn(tmp_path)))
    settled(tmp_path, process.pid)
    process.stop(signal.SIGTERM, 1000)
    process.stop(signal.SIGTERM, 0.05)
    await process.stop(signal.SIGTERM, 1000)
    assert made.owner.told[0] == ("ended", -signal.SIGKILL)


@run
async def test_a_second_stop_with_another_signal_sends_that_too(made, tmp_path):
    process = made.process(program(stubborn(tmp_path)))
    settled(tmp_path, process.pid)
    process.stop(signal.SIGTERM, 1000)
    await process.stop(signal.SIGINT, 1000)
    assert [event.signum for event in made.events.named("process_signaled")] == [signal.SIGTERM, signal.SIGINT]


@run
async def test_a_second_stop_with_sigkill_does_not_wait(made, tmp_path):
    process = made.process(program(stubborn(tmp_path)))
    settled(tmp_path, process.pid)
    process.stop(signal.SIGTERM, 1000)
    await process.stop(signal.SIGKILL, 1000)
    assert made.owner.told[0] == ("ended", -signal.SIGKILL)


@run
async def test_who_waits_for_the_end_may_lose_patience(made, tmp_path):
    process = made.process(program(stubborn(tmp_path)))
    settled(tmp_path, process.pid)
    waiting = process.stop(signal.SIGTERM, 1000)
    waiting.cancel()
    process.kill()
    await process.gone()


@run
async def test_signals_to_a_process_that_has_ended_go_nowhere(made):
    process = made.process("pass")
    await process.gone()
    assert not process.signal(signal.SIGTERM)
    await process.stop(signal.SIGTERM, 1)
    process.kill()
    assert made.events.named("process_signaled") == []


@run
async def test_a_child_that_the_program_around_us_has_reaped_is_gone_all_the_same(made):
    """Somebody's SIGCHLD handler that waits for any child, for example."""
    process = made.process("import signal; signal.pause()")
    os.kill(process.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)  # noqa: ASYNC222
    process.signal(signal.SIGUSR1)
    process.stop(signal.SIGTERM, 5)
    await process.gone()
    assert made.owner.told == [("ended", None), "gone"]


@run
async def test_with_group_the_group_gets_the_signal_and_each_is_told_of(made, tmp_path):
    process = made.process(
        f"import os, signal; child = os.fork() or open({str(tmp_path / 'up')!r}, 'w').close() or signal.pause()\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); os.wait()"
    )
    until((tmp_path / "up").exists)
    (child,) = process.children()
    await process.stop(signal.SIGTERM, 1000, group=True)
    told = [(event.pid, event.signum, event.descendant_of) for event in made.events.named("process_signaled")]
    assert told == [(process.pid, signal.SIGTERM, None), (child, signal.SIGTERM, process.pid)]
    assert not alive(child)


@run
@pytest.mark.covers("hook:circus_veto_signal", "event:action_vetoed")
async def test_a_plugin_may_hold_a_signal_back_but_not_sigkill(made):
    class Guards:
        def circus_veto_signal(self, process, signum):
            return Refuse(f"not {process.pid}") if signum != signal.SIGUSR1 else None

    made.bus.connect(made.bus.load("guard", Guards()))
    process = made.process("import signal; signal.pause()")
    assert not process.signal(signal.SIGHUP)
    vetoed = made.events.named("action_vetoed")[0]
    assert (vetoed.intent, vetoed.reason, vetoed.plugin) == ("signal", f"not {process.pid}", "guard")
    await process.stop(signal.SIGTERM, 0.05)
    assert made.owner.told[0] == ("ended", -signal.SIGKILL)
    # PROTOCOL.md 2: a kill event is published even if the signal was vetoed.
    assert [event.signum for event in made.events.named("process_signaled")] == [signal.SIGTERM, signal.SIGKILL]


@run
@pytest.mark.covers("event:signal_sent")
async def test_a_signal_that_is_no_end_is_told(made):
    process = made.process("import signal; signal.pause()")
    assert process.signal(signal.SIGCONT)
    (sent,) = made.events.named("signal_sent")
    assert (sent.watcher, sent.wid, sent.pid, sent.signum) == ("w", 1, process.pid, signal.SIGCONT)
    await process.stop(signal.SIGTERM, 5)
    assert not process.signal(signal.SIGCONT)
    assert len(made.events.named("signal_sent")) == 1


@run
async def test_its_usage_is_told_when_it_ends(made):
    # Well above what this process has.
    size = 2 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    process = made.process(f"held = b'x' * {size}; sum(range(3_000_000))")
    await process.gone()
    assert process.exit.cpu > 0.01
    assert size < process.exit.peak_memory < 1.5 * size


@run
async def test_a_peak_that_is_our_own_memory_is_not_told_as_its(made):
    held = bytearray(b"x" * 30_000_000)
    for _ in range(2):
        process = made.process("pass")
        await process.gone()
        assert process.exit.peak_memory is None
    del held


@run
async def test_a_short_grace_during_the_end_of_remains_holds_for_them(made, tmp_path):
    code = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    open({str(tmp_path / "up")!r}, "w").write(str(os.getpid()))
    while True: signal.pause()
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.pause()
"""
    process = made.process(code)
    child = int(until(lambda: (tmp_path / "up").exists() and (tmp_path / "up").read_text()))
    process.stop(signal.SIGTERM, 1000)
    await made.events.wait_for("process_signaled", pid=child)
    await process.stop(signal.SIGTERM, 0.05)
    assert not alive(child)
