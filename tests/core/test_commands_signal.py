"""The commands `signal` and `kill`: to whom, what is answered, and what happens then."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from circus_core.errors import CircusError, RequestError, SystemCallError
from circus_core.model import Refuse
from circus_core.testing import alive, python, until, watcher
from tests.core.proc import settled, stubborn


def family(out):
    """A program with a child that has a child; each adds a line with its pid and the signal when it gets SIGUSR1."""
    return python(f"""
        import os, signal
        def told(signum, frame):
            print(os.getpid(), file=open({str(out)!r}, "a"), flush=True)
        signal.signal(signal.SIGUSR1, told)
        if os.fork() == 0:
            if os.fork() == 0:
                open({str(out) + ".up"!r}, "w").close()
        while True:
            signal.pause()
    """)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def told(out, number):
    """Who got the signal, once so many have."""
    return set(map(int, until(lambda: out.exists() and len(lines := out.read_text().split()) == number and lines)))


async def relatives(run, out):
    until(out.with_name("out.up").exists)
    process = run.supervisor.watcher("w").slots.processes()[0]
    # With two of them the other one may have made the file.
    until(lambda: len(process.descendants()) == 2, "child and grandchild")
    (child,) = process.children()
    grandchild = (set(process.descendants()) - {child}).pop()
    return process.pid, child, grandchild


@pytest.mark.covers("command:signal")
async def test_a_signal_goes_to_every_process_of_the_watcher_alone(supervise, out):
    async with supervise(watcher("W", family(out))) as run:
        pid, _child, _grandchild = await relatives(run, out)
        assert await run.call("signal", name="w", signum="usr1") == {}
        assert told(out, 1) == {pid}
        # It is no stop signal, so there is no kill event (PROTOCOL.md 2).
        assert run.events.named("process_signaled") == []


async def test_a_signal_to_one_process(supervise, out):
    async with supervise(watcher("w", family(out), numprocesses=2)) as run:
        first, second = run.pids("w")
        await relatives(run, out)
        await run.call("signal", name="w", pid=str(second), signum=signal.SIGKILL)
        await run.events.wait_for("process_exited", pid=second)
        assert alive(first)


async def test_a_signal_to_the_children_is_not_for_grandchildren(supervise, out):
    async with supervise(watcher("w", family(out))) as run:
        _pid, child, _grandchild = await relatives(run, out)
        await run.call("signal", name="w", signum="SIGUSR1", children=True)
        assert told(out, 1) == {child}


async def test_a_recursive_signal_is_for_all(supervise, out):
    async with supervise(watcher("w", family(out))) as run:
        everyone = await relatives(run, out)
        await run.call("signal", name="w", signum=int(signal.SIGUSR1), recursive=True)
        assert told(out, 3) == set(everyone)


async def test_a_signal_to_one_child(supervise, out):
    async with supervise(watcher("w", family(out))) as run:
        pid, child, grandchild = await relatives(run, out)
        await run.call("signal", name="w", pid=pid, childpid=child, signum=10)
        assert told(out, 1) == {child}
        with pytest.raises(RequestError, match=f"pid {os.getpid()} is no descendant of pid {pid}"):
            await run.call("signal", name="w", pid=pid, childpid=os.getpid(), signum=10)
        with pytest.raises(RequestError, match="cannot specify childpid without pid"):
            await run.call("signal", name="w", childpid=grandchild, signum=10)


@pytest.mark.parametrize("arguments", [{}, {"children": True}, {"recursive": True}])
async def test_a_pid_that_is_not_the_watcher_s_is_passed_over(supervise, arguments):
    async with supervise(watcher("w"), watcher("other")) as run:
        assert await run.call("signal", name="w", pid=run.pids("other")[0], signum="KILL", **arguments) == {}
        assert await run.call("status") == {"statuses": {"w": "active", "other": "active"}}
        assert run.events.named("process_exited") == []


@pytest.mark.parametrize("signum", ["SIGBOGUS", "+", "0", 0, 12345, -1, "RTMIN+99"])
async def test_what_is_no_signal(supervise, signum):
    """O-13."""
    async with supervise(watcher("w")) as run:
        for command in ("signal", "kill"):
            with pytest.raises(RequestError, match=r"^signal invalid"):
                await run.call(command, name="w", signum=signum)


async def test_a_signal_to_a_stopped_watcher_goes_nowhere(supervise):
    async with supervise(watcher("w", autostart=False)) as run:
        assert await run.call("signal", name="w", signum="TERM") == {}
        assert await run.call("kill", name="w", waiting=True) == {}


async def test_a_plugin_may_hold_signals_back_from_children_too(supervise, out):
    class Guards:
        def circus_veto_signal(self, process, signum):
            asked.append(process.pid)
            return Refuse("no") if signum == signal.SIGUSR1 else None

    asked = []
    async with supervise(watcher("w", family(out)), plugins={"guard": Guards()}) as run:
        pids = [*run.pids("w"), *await relatives(run, out)]
        await run.call("signal", name="w", signum="USR1", recursive=True)
        assert len(run.events.named("action_vetoed", intent="signal")) == 3
        assert sorted(asked) == sorted(set(pids))


@pytest.mark.covers("command:kill")
async def test_kill_ends_the_processes_which_are_replaced(supervise):
    """O-22: their ends are published."""
    async with supervise(watcher("w", numprocesses=2)) as run:
        before = run.pids("w")
        assert await run.call("kill", name="W", waiting=True) == {}
        assert not any(map(alive, before))
        ended = run.events.named("process_exited")
        assert {event.pid for event in ended} == set(before)
        assert all(event.requested for event in ended)
        assert len(run.pids("w")) == 2
        assert (await run.call("status", name="w"))["status"] == "active"


async def test_kill_of_one_with_another_signal_and_another_grace_in_texts(supervise, tmp_path):
    """O-12: circusctl sends the numbers as texts."""
    async with supervise(watcher("w", stubborn(tmp_path), numprocesses=2, graceful_timeout=1000)) as run:
        first, second = run.pids("w")
        settled(tmp_path, first, second)
        await run.call("kill", name="w", pid=str(second), graceful_timeout="0.05", waiting=True)
        assert run.events.named("process_exited", pid=second)[0].exit_code == -signal.SIGKILL
        await run.call("kill", name="w", pid=first, signum="INT", waiting=True)
        assert run.events.named("process_exited", pid=first)[0].exit_code == -signal.SIGINT
        # Killed as all stops, or those that came back would take their grace.
        run.supervisor.begin_stop("the test is over")
        run.supervisor.kill()


async def test_kill_does_not_wait_for_its_turn(supervise, tmp_path):
    """An operator's way out of a stop that hangs."""
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=1000)) as run:
        settled(tmp_path, *run.pids("w"))
        stopping = asyncio.ensure_future(run.call("stop", name="w", waiting=True))
        await run.events.wait_for("process_signaled")
        await run.call("kill", name="w", signum="KILL", waiting=True)
        await stopping
        assert (await run.call("status", name="w"))["status"] == "stopped"


async def test_kill_reaches_by_its_pid_who_is_on_its_way_out(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=1000)) as run:
        (pid,) = run.pids("w")
        settled(tmp_path, pid)
        await run.call("decr", name="w")
        await run.events.wait_for("process_signaled", pid=pid)
        await run.call("kill", name="w", pid=pid, graceful_timeout=0, waiting=True)
        assert not alive(pid)


@pytest.mark.parametrize("waiting", [True, False])
async def test_kill_with_nonsense(supervise, waiting):
    async with supervise(watcher("w")) as run:
        with pytest.raises(CircusError, match="program nobody not found"):
            await run.call("kill", name="nobody", waiting=waiting)
        with pytest.raises(RequestError, match="'graceful_timeout' is -1"):
            await run.call("kill", name="w", graceful_timeout=-1, waiting=waiting)
        with pytest.raises(RequestError, match="'graceful_timeout' isn't a number"):
            await run.call("kill", name="w", graceful_timeout="soon", waiting=waiting)
        assert await run.call("kill", name="w", pid=1, waiting=waiting) == {}
        assert run.events.named("process_exited") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process that others may not signal")
def test_a_process_that_may_not_be_signalled_is_an_error_of_the_system():
    """As somebody else, for a moment, than the process' user."""
    from tests.core.script import script

    said = script("""
        from circus_core.errors import SystemCallError
        async with supervised(watcher("w", "sleep 1000")) as run:
            process = run.supervisor.watcher("w").slots.processes()[0]
            os.setresuid(12345, 12345, 0)
            try:
                await run.call("signal", name="w", signum="HUP")
            except SystemCallError as error:
                return error.errno, error.message
            finally:
                os.setresuid(0, 0, 0)
    """)
    assert said == [SystemCallError.errno, "[Errno 1] Operation not permitted"]
