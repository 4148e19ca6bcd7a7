"""The test kit itself, which plugin authors use too: what it waits for, what it says if that does not come."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from circus_core.errors import CircusError
from circus_core.events import WatcherAdded
from circus_core.testing import Events, alive, python, until, watcher

ROOT = Path(__file__).resolve().parents[2]


# Events


async def test_events_are_found_by_name_and_fields(supervise):
    async with supervise(watcher("a", numprocesses=2), watcher("b")) as run:
        assert [event.wid for event in run.events.named("process_spawned", watcher="a")] == [1, 2]
        assert run.events.named("process_spawned", watcher="b", wid=2) == []
        assert run.events.named("process_spawned", no_such_field=1) == []
        assert run.events.names("b") == ["watcher_added", "process_spawned", "watcher_started"]
        assert len(run.events.names()) == len(run.events.seen)


async def test_wait_for_answers_what_was_and_what_comes(supervise):
    async with supervise(watcher("w")) as run:
        (pid,) = run.pids("w")
        assert (await run.events.wait_for("process_spawned", patience=0)).pid == pid
        waiting = asyncio.ensure_future(run.events.wait_for("process_spawned", count=2))
        os.kill(pid, signal.SIGKILL)
        assert (await waiting).pid == run.pids("w")[0] != pid


async def test_two_may_wait_at_once(supervise):
    async with supervise() as run:
        one, two = (asyncio.ensure_future(run.events.wait_for("watcher_added", watcher=name)) for name in "ab")
        await asyncio.sleep(0)
        await run.call("add", name="a", cmd="true")
        await run.call("add", name="b", cmd="true")
        assert [(await one).watcher, (await two).watcher] == ["a", "b"]


def test_wait_for_says_what_came_instead():
    events = Events()
    events.circus_event(WatcherAdded(watcher="other"))
    with pytest.raises(AssertionError) as caught:
        asyncio.run(events.wait_for("watcher_added", watcher="w", count=2, patience=0.01))
    assert "0 of 2 events watcher_added {'watcher': 'w'} came; all:\nWatcherAdded(watcher='other'" in str(caught.value)
    with pytest.raises(AssertionError, match=r"(?s)0 of 1 events watcher_gave_up  came; all:.none$"):
        asyncio.run(Events().wait_for("watcher_gave_up", patience=0))


# Looking


def test_until_answers_what_its_condition_does():
    answers = iter([None, 0, [], "there"])
    assert until(lambda: next(answers)) == "there"


def test_until_says_what_did_not_come_about():
    with pytest.raises(AssertionError, match=r"^the flood did not come about in 0\.01 s$"):
        until(lambda: False, "the flood", timeout=0.01)


def test_alive_is_neither_a_zombie_nor_nobody():
    child = subprocess.Popen(["sleep", "1000"])
    assert alive(child.pid)
    child.kill()
    until(lambda: not alive(child.pid))
    assert Path(f"/proc/{child.pid}").exists(), "it is a zombie"
    child.wait()
    assert not alive(child.pid)


def test_python_is_one_command_line_whatever_the_code():
    code = """
        import sys
        print("a 'quoted' $HOME \\\\ word", sys.argv[1:])
    """
    words = shlex.split(python(code))
    assert words[:2] == [sys.executable, "-c"]
    done = subprocess.run([*words, "x"], capture_output=True, text=True, check=True)
    assert done.stdout == "a 'quoted' $HOME \\ word ['x']\n"


def test_the_options_of_a_watcher_are_those_given():
    made = watcher("w", numprocesses=3, copy_env=False)
    assert (made.name, made.cmd, made.numprocesses, made.copy_env) == ("w", "sleep 1000", 3, False)
    with pytest.raises(TypeError):
        watcher("w", nmprocesses=3)


# Supervisors


async def test_supervise_runs_commands_and_plugins(supervise):
    seen = []

    class Mine:
        def circus_process_spawned(self, event):
            seen.append(event.pid)

    async with supervise(watcher("W"), plugins={"mine": Mine()}) as run:
        assert seen == run.pids("w") == run.pids("W")
        assert (await run.call("list"))["watchers"] == ["w"]
    assert not alive(seen[0])


async def test_a_test_that_fails_does_not_wait_for_who_does_not_stop(supervise):
    stubborn = watcher("w", "sh -c 'trap \"\" TERM; echo; while :; do sleep 1000; done'", graceful_timeout=1000)
    with pytest.raises(LookupError):
        async with supervise(stubborn) as run:
            raise LookupError
    assert not any(alive(event.pid) for event in run.events.named("process_spawned"))


def pytest_of(folder, code):
    """Run tests of a plugin author, in a pytest that knows nothing of this project's settings."""
    (folder / "test_mine.py").write_text(textwrap.dedent(code))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "circus_core.testing", "-p", "no:cacheprovider", "test_mine.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )


def test_async_tests_that_use_it_run_without_a_further_plugin(tmp_path):
    done = pytest_of(
        tmp_path,
        """
        import pytest
        from circus_core.testing import watcher

        @pytest.fixture
        def number():
            return 2

        @pytest.mark.parametrize("name", ["a", "b"])
        async def test_good(supervise, number, name):
            async with supervise(watcher(name, numprocesses=number)) as run:
                assert len(run.pids(name)) == 2

        async def test_bad(supervise):
            async with supervise() as run:
                await run.events.wait_for("process_spawned", patience=0.01)

        def test_plain(supervise):
            pass
        """,
    )
    assert "0 of 1 events process_spawned  came" in done.stdout, done.stderr
    assert "1 failed, 3 passed" in done.stdout


# circusd


def test_circusd_starts_answers_and_is_stopped(circusd, tmp_path):
    started = circusd("[watcher:w]\ncmd = sleep 1000\nnumprocesses = 2\n", "--log-level", "debug").up()
    pids = started.call("list", name="w")["pids"]
    assert len(pids) == 2
    assert all(map(alive, pids))
    with pytest.raises(CircusError, match="nobody not found"):
        started.call("start", name="nobody", waiting=True)
    started.close()
    assert not any(map(alive, [*pids, started.pid]))
    assert started.process.returncode == 0
    assert "circusd ends with status 0" in started.output()
    started.close()


def test_circusd_is_told_signals_and_another_configuration(circusd):
    started = circusd("[circus]\nwarmup_delay = 0\n[watcher:w]\ncmd = sleep 1000\n", env={"COLOUR": "red"}).up()
    assert started.call("numwatchers")["numwatchers"] == 1
    assert b"COLOUR=red" in Path(f"/proc/{started.pid}/environ").read_bytes().split(b"\0")
    started.configure("[watcher:w]\ncmd = sleep 1000\n[watcher:x]\ncmd = sleep 1000\n")
    started.call("reloadconfig", waiting=True)
    assert started.call("list")["watchers"] == ["w", "x"]
    started.signal(signal.SIGTERM)
    assert started.wait() == 0


def test_each_circusd_has_endpoints_of_its_own(circusd):
    one, two = circusd("[watcher:one]\ncmd = sleep 1000\n"), circusd("[watcher:two]\ncmd = sleep 1000\n")
    assert one.up().call("list")["watchers"] == ["one"]
    assert two.up().call("list")["watchers"] == ["two"]
    assert one.folder != two.folder


def test_a_circusd_that_does_not_start_says_why(circusd):
    started = circusd("[watcher:w]\nnumprocesses = 2\n")
    assert started.wait() == 2
    assert "cmd" in started.output()
