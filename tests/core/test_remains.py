"""Whole trees end, whatever they do not to. Inside a program, and as a daemon, which is the subreaper of orphans."""

from __future__ import annotations

import os
import signal
import textwrap

import pytest

from circus_core.testing import alive, python, until, watcher
from tests.core.script import script

# Ways to get away from a parent; each ends with a process that ignores SIGTERM and writes its pid to `out`.
FORKED_TWICE = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        stay()
    os._exit(0)
os.wait()
"""
GRANDCHILD = """
if os.fork() == 0:
    if os.fork() == 0:
        stay()
    stay()
"""
OTHER_GROUP = """
if os.fork() == 0:
    os.setpgid(0, 0)
    stay()
"""
NO_ENVIRONMENT = """
if os.fork() == 0:
    os.execve(sys.executable, [sys.executable, "-c", STAY], {})
"""
TREES = {
    "forked twice": FORKED_TWICE,
    "grandchild": GRANDCHILD,
    "other group": OTHER_GROUP,
    "no environment": NO_ENVIRONMENT,
}


def tree_of(out, code, then):
    """A program with a tree below it; `then` is what it does itself once that stands."""
    stay = f"""
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), file=open({str(out)!r}, "a"), flush=True)
while True: signal.pause()
"""
    number = 2 if code is GRANDCHILD else 1
    return python(
        f"import os, signal, sys, time\nSTAY = {stay!r}\ndef stay(): exec(STAY)\n{code}\n"
        f"while not os.path.exists({str(out)!r}) or len(open({str(out)!r}).readlines()) < {number}: time.sleep(0.005)\n"
        f"open({str(out) + '.up'!r}, 'w').close()\n{then}"
    )


def below(out):
    until(out.with_name(out.name + ".up").exists, "the tree")
    return [int(pid) for pid in out.read_text().split()]


@pytest.mark.parametrize("code", TREES.values(), ids=TREES)
async def test_a_stop_ends_the_whole_tree(supervise, tmp_path, code):
    """PEERS.md 3, defect 3."""
    out = tmp_path / "out"
    async with supervise(watcher("tree", tree_of(out, code, "signal.pause()"), graceful_timeout=0.1)) as run:
        pids = below(out)
        assert all(map(alive, pids))
        await run.call("stop", name="tree", waiting=True)
        assert not any(map(alive, pids))
        ended = run.events.named("process_signaled", signum=signal.SIGKILL)
        assert set(pids) <= {event.pid for event in ended} | {event.pid for event in run.events.named("process_exited")}
        assert run.events.names("tree")[-1] == "watcher_stopped"


@pytest.mark.parametrize("code", TREES.values(), ids=TREES)
def test_a_stop_of_the_daemon_ends_the_whole_tree(tmp_path, code):
    out = tmp_path / "out"
    cmd = tree_of(out, code, "signal.pause()")
    answer = script(f"""
        async with supervised(watcher("tree", {cmd!r}, graceful_timeout=0.1), daemon=True) as run:
            until(lambda: os.path.exists({str(out) + ".up"!r}))
            pids = [int(pid) for pid in open({str(out)!r}).read().split()]
            before = [alive(pid) for pid in pids]
            await run.call("stop", name="tree", waiting=True)
            after = [alive(pid) for pid in pids]
            from circus_core import tree
            return before, after, tree.children(os.getpid())
    """)
    assert all(answer[0])
    assert not any(answer[1])
    assert answer[2] == [], "zombies"


async def test_what_a_crash_leaves_in_the_group_is_ended_and_does_not_delay_the_respawn(supervise, tmp_path):
    out = tmp_path / "out"
    cmd = tree_of(out, GRANDCHILD, "os.kill(os.getpid(), signal.SIGKILL) if len(sys.argv) == 1 else None")
    async with supervise(watcher("crash", cmd, graceful_timeout=1000, restart_burst=1, restart_delay=1000)) as run:
        await run.events.wait_for("restart_delayed", watcher="crash")
        # Long before the grace of what the first left behind is over, a second was there.
        assert len(run.events.named("process_spawned")) == 2
        pids = below(out)
        for pid in pids[:2]:
            await run.events.wait_for("process_signaled", pid=pid, signum=signal.SIGTERM)
        for process in run.supervisor.watcher("crash").slots.leaving:
            process.kill()
        await run.call("stop", name="crash", waiting=True)
        assert not any(map(alive, pids))


async def test_the_rest_of_a_crashed_tree_has_the_grace_and_then_sigkill(supervise, tmp_path):
    out = tmp_path / "out"
    cmd = tree_of(out, GRANDCHILD, "sys.exit(3)")
    async with supervise(watcher("crash", cmd, graceful_timeout=0.1, respawn=False)) as run:
        await run.events.wait_for("watcher_stopped", watcher="crash")
        assert not any(map(alive, below(out)))


async def test_a_stop_ends_those_that_got_away_from_earlier_processes(supervise, tmp_path):
    out = tmp_path / "out"
    cmd = tree_of(out, FORKED_TWICE, "sys.exit(3)")
    async with supervise(watcher("away", cmd, graceful_timeout=0.1, restart_burst=0, restart_delay=1000)) as run:
        await run.events.wait_for("restart_delayed", watcher="away")
        (pid,) = below(out)
        assert alive(pid)
        await run.call("stop", name="away", waiting=True)
        assert not alive(pid)


HOP = """
# Not for ever: where the test fails it is to end by itself.
for n in range(50_000):
    if os.fork():
        os._exit(0)
"""
STORM = """
for n in range(300):
    if os.fork() == 0:
        while True:
            signal.pause()
"""


@pytest.mark.parametrize("code", [HOP, STORM], ids=["hop", "storm"])
@pytest.mark.parametrize("parent", ["stays", "ends"])
def test_nobody_outruns_the_end_by_forking(tmp_path, code, parent):
    """A process that forks and exits, over and over, is never where one looks; its group is killed as a whole."""
    up = tmp_path / "up"
    stays = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if parent == "stays" else ""
    cmd = python(
        f"import os, signal\nif os.fork() == 0:\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"    open({str(up)!r}, 'w').close()\n{textwrap.indent(code, '    ')}\n    signal.pause()\n"
        f"{stays}\nwhile True: signal.pause()"
    )
    # As a daemon, so that there is somebody who reaps them all.
    left = script(f"""
        async with supervised(watcher("fork", {cmd!r}, graceful_timeout=0.2), daemon=True) as run:
            until(lambda: os.path.exists({str(up)!r}))
            (leader,) = run.pids("fork")
            await run.call("stop", name="fork", waiting=True)
            from circus_core import tree
            loop = asyncio.get_running_loop()
            end = loop.time() + 10
            # What is dead is still to be reaped; nobody in /proc is where one looks, so the kernel is asked.
            while tree.group_lives(leader) and loop.time() < end:
                await asyncio.sleep(0.01)
            return tree.group_lives(leader)
    """)
    assert not left


@pytest.mark.covers("option:stop_children")
async def test_stop_children_sends_the_stop_signal_to_all_of_the_group(supervise, tmp_path):
    """O-46: also to those whose parent ends first."""
    got = tmp_path / "got"
    cmd = python(f"""
        import os, signal
        if os.fork() == 0:
            def stop(signum, frame):
                open({str(got)!r}, "w").close()
                os._exit(0)
            signal.signal(signal.SIGTERM, stop)
            open({str(tmp_path / "up")!r}, "w").close()
        signal.pause()
    """)
    async with supervise(watcher("kids", cmd, stop_children=True, graceful_timeout=1000)) as run:
        until((tmp_path / "up").exists)
        (pid,) = run.pids("kids")
        await run.call("stop", name="kids", waiting=True)
        assert got.exists()
        assert len(run.events.named("process_signaled", signum=signal.SIGTERM)) == 2
        assert run.events.named("process_signaled", pid=pid)


async def test_who_was_asked_with_the_group_is_not_asked_again_when_its_leader_ends(supervise, tmp_path):
    """Many a program takes a second signal for an order to hurry."""
    cmd = python(f"""
        import os, signal
        if os.fork() == 0:
            signals = {{signal.SIGTERM, signal.SIGUSR1}}
            signal.pthread_sigmask(signal.SIG_BLOCK, signals)
            if os.fork() == 0:
                os.setsid()
                name = "elsewhere"
            else:
                name = "member"
            open({str(tmp_path)!r} + "/" + name, "w").write(str(os.getpid()))
            os.rename({str(tmp_path)!r} + "/" + name, {str(tmp_path)!r} + "/" + name + ".up")
            while signal.sigwait(signals) != signal.SIGUSR1:
                pass
            os._exit(0)
        signal.pause()
    """)
    async with supervise(watcher("kids", cmd, stop_children=True, graceful_timeout=1000)) as run:
        until((tmp_path / "member.up").exists)
        until((tmp_path / "elsewhere.up").exists)
        (pid,) = run.pids("kids")
        member, elsewhere = (int((tmp_path / f"{name}.up").read_text()) for name in ("member", "elsewhere"))
        await run.call("stop", name="kids")
        await run.events.wait_for("process_exited")
        # It is asked when the leader has ended, and then everybody who is left has been looked at.
        await run.events.wait_for("process_signaled", pid=elsewhere)
        told = [
            (event.name, event.pid) for event in run.events.seen if event.name in ("process_signaled", "process_exited")
        ]
        assert told == [
            ("process_signaled", pid),
            ("process_signaled", member),
            ("process_exited", pid),
            ("process_signaled", elsewhere),
        ]
        for left in (elsewhere, member):
            os.kill(left, signal.SIGUSR1)
        await run.events.wait_for("watcher_stopped")


async def test_without_stop_children_they_are_asked_once_their_parent_has_ended(supervise, tmp_path):
    order = tmp_path / "order"
    cmd = python(f"""
        import os, signal
        def stop(signum, frame):
            print(name, file=open({str(order)!r}, "a"), flush=True)
            os._exit(0)
        signal.signal(signal.SIGTERM, stop)
        name = "child"
        if os.fork():
            name = "parent"
        open({str(tmp_path)!r} + "/" + name, "w").close()
        while True:
            signal.pause()
    """)
    async with supervise(watcher("kids", cmd, graceful_timeout=1000)) as run:
        until((tmp_path / "parent").exists)
        until((tmp_path / "child").exists)
        await run.call("stop", name="kids", waiting=True)
    assert order.read_text().split() == ["parent", "child"]
