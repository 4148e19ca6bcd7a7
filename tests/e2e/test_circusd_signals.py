"""What signals do to a real circusd: none ends it without its processes, and none is lost, whatever it is doing."""

from __future__ import annotations

import signal
import sys
import textwrap
from functools import partial
from typing import TYPE_CHECKING

import pytest

from circus_core.service import MEANINGLESS
from circus_core.testing import alive, until
from tests.e2e.program import is_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

    Start = Callable[..., Circusd]

SLEEPER = """
[watcher:sleeper]
cmd = sleep 1000
numprocesses = 2
"""


def section(name: str, cmd: str, **options: object) -> str:
    """A watcher's section."""
    lines = [f"[watcher:{name}]", f"cmd = {cmd}", "copy_env = True"]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in options.items())]) + "\n"


def program(folder: Path, code: str) -> str:
    """A command line that runs some Python; a line of an ini file cannot hold it."""
    path = folder / "program.py"
    path.write_text(f"import os, signal, sys, time\n{textwrap.dedent(code)}")
    return f"{sys.executable} {path}"


def stubborn(folder: Path, **options: object) -> str:
    """The section of a program that does not end when asked; it makes the file `ready` in the folder once it is so."""
    code = f"""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open({str(folder / "ready")!r}, "w").close()
        while True:
            signal.pause()
    """
    return section("stubborn", program(folder, code), **{"graceful_timeout": 1000, **options})


def said(run: Circusd, words: str) -> bool:
    """Whether circusd's log has some words."""
    return words in run.output()


def pids(run: Circusd, name: str) -> list[int]:
    """The pids of a watcher."""
    found: list[int] = run.call("list", name=name)["pids"]
    return found


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_it_stops_everything_and_ends_with_0(circusd: Start, signum: signal.Signals) -> None:
    run = circusd(SLEEPER)
    until(lambda: is_up(run))
    sleepers = pids(run, "sleeper")
    assert len(sleepers) == 2
    run.signal(signum)
    assert run.wait() == 0
    assert not any(map(alive, sleepers))
    assert f"stopping everything: {signum.name}" in run.output()


def test_signals_up_to_its_last_moment_change_nothing(circusd: Start) -> None:
    for _ in range(20):
        run = circusd(SLEEPER)
        until(lambda run=run: is_up(run))
        run.call("quit")
        while run.process.poll() is None:
            run.signal(signal.SIGTERM)
        assert run.process.returncode == 0
        assert "Traceback" not in run.output()


def test_signals_without_a_meaning_end_nobody(circusd: Start) -> None:
    run = circusd(SLEEPER)
    until(lambda: is_up(run))
    sleepers = pids(run, "sleeper")
    for signum in MEANINGLESS:
        run.signal(signum)
        name = signum.name if isinstance(signum, signal.Signals) else f"signal {signum}"
        until(partial(said, run, f"{name} means nothing to circusd"))
    assert pids(run, "sleeper") == sleepers
    assert all(map(alive, sleepers))


def test_hup_reloads_every_watcher(circusd: Start) -> None:
    run = circusd(SLEEPER + section("other", "sleep 1000"))
    until(lambda: is_up(run))
    before = pids(run, "sleeper") + pids(run, "other")
    run.signal(signal.SIGHUP)
    until(lambda: not any(map(alive, before)))
    after = pids(run, "sleeper") + pids(run, "other")
    assert len(after) == len(before)
    assert not set(after) & set(before)


def test_a_stop_during_a_long_warm_up_is_at_once(circusd: Start) -> None:
    first = "[circus]\nwarmup_delay = 1000\n" + section("first", "sleep 1000", priority=2, numprocesses=3)
    run = circusd(first + section("second", "sleep 1000", priority=1))
    until(lambda: "first: active" in run.output())
    started = pids(run, "first")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert not any(map(alive, started))
    assert "circusd is up" not in run.output()


def test_a_stop_during_a_watchers_own_warm_up_is_at_once(circusd: Start) -> None:
    run = circusd(section("slow", "sleep 1000", numprocesses=5, warmup_delay=1000))
    (only,) = until(lambda: "circus.watcher" in run.output() or pids(run, "slow"))
    run.signal(signal.SIGINT)
    assert run.wait() == 0
    assert not alive(only)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_before_the_plugins_are_up_is_at_once(circusd: Start, tmp_path: Path, signum: signal.Signals) -> None:
    (tmp_path / "slow.py").write_text("""
import asyncio
class Slow:
    async def circus_startup(self):
        print("begun", flush=True)
        await asyncio.sleep(1000)
""")
    run = circusd(SLEEPER + f"[plugin:slow]\nuse = {tmp_path}/slow.py:Slow\nhost = core\n")
    until(lambda: "begun" in run.output())
    run.signal(signum)
    assert run.wait() == 0


def test_a_stop_while_plugins_are_loaded_is_at_once(circusd: Start, tmp_path: Path) -> None:
    pid_file = tmp_path / "circusd.pid"
    (tmp_path / "slow.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(1000)\nclass Slow: pass\n")
    run = circusd(SLEEPER + f"[plugin:slow]\nuse = {tmp_path}/slow.py:Slow\nhost = core\n", "--pidfile", str(pid_file))
    until(lambda: "begun" in run.output())
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert not pid_file.exists()


def test_a_stop_during_a_long_command_is_not_lost(circusd: Start, tmp_path: Path) -> None:
    run = circusd(stubborn(tmp_path, graceful_timeout=2))
    until((tmp_path / "ready").exists)
    assert run.call("restart", name="stubborn")["status"] == "ok"
    run.signal(signal.SIGTERM)
    assert run.wait() == 0


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_second_one_kills_what_is_left(circusd: Start, tmp_path: Path, again: signal.Signals) -> None:
    run = circusd(stubborn(tmp_path))
    until((tmp_path / "ready").exists)
    (pid,) = pids(run, "stubborn")
    run.signal(signal.SIGINT)
    until(lambda: "stopping everything: SIGINT" in run.output())
    assert alive(pid)
    run.signal(again)
    assert run.wait() == 0
    assert not alive(pid)


def test_a_signal_after_quit_is_not_a_second_one(circusd: Start, tmp_path: Path) -> None:
    # As systemd does it: first its ExecStop, then SIGTERM, if there is still something.
    ready, allowed, graceful = tmp_path / "ready", tmp_path / "allowed", tmp_path / "graceful"
    code = f"""
        def stop(*_):
            open({str(tmp_path / "asked")!r}, "w").close()
            while not os.path.exists({str(allowed)!r}):
                time.sleep(0.01)
            open({str(graceful)!r}, "w").close()
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        open({str(ready)!r}, "w").close()
        while True:
            signal.pause()
    """
    run = circusd(section("careful", program(tmp_path, code), graceful_timeout=1000))
    until(ready.exists)
    run.call("quit")
    until((tmp_path / "asked").exists)
    run.signal(signal.SIGTERM)
    until(lambda: "stopping everything" in run.output())
    allowed.touch()
    assert run.wait() == 0
    assert graceful.exists()


def test_a_hup_while_it_stops_starts_nothing(circusd: Start, tmp_path: Path) -> None:
    run = circusd(SLEEPER + stubborn(tmp_path))
    until((tmp_path / "ready").exists)
    run.signal(signal.SIGTERM)
    until(lambda: "sleeper: stopped" in run.output())
    run.signal(signal.SIGHUP)
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert "sleeper: active" not in run.output().partition("sleeper: stopped")[2]


def test_many_signals_at_once_lose_none(circusd: Start) -> None:
    run = circusd(section("brief", "true", numprocesses=3, restart_burst=1000000))
    until(lambda: is_up(run))
    for _ in range(200):
        run.signal(signal.SIGUSR1)
        run.signal(signal.SIGWINCH)
    run.signal(signal.SIGTERM)
    assert run.wait() == 0


@pytest.mark.parametrize(("code", "status"), [("sys.exit(7)", 7), ("os.kill(os.getpid(), 9)", 137)])
def test_the_status_is_that_of_a_vital_process(circusd: Start, tmp_path: Path, code: str, status: int) -> None:
    run = circusd(SLEEPER + section("vital", program(tmp_path, code), exit_on_failure=True, max_retry=0))
    assert run.wait() == status
    assert "sleeper: stopped" in run.output()
