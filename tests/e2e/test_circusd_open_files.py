"""The limit of open files: circusd takes what it may have, and its children get what it was given."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

SOFT, HARD = 64, 600
CROWD = 60


@pytest.fixture
def limited(circusd: Callable[..., Circusd], tmp_path: Path) -> Callable[[str], Circusd]:
    """A circusd that was given low limits, as a login shell gives them."""
    started = tmp_path / "python"
    started.write_text(f'#!/bin/sh\nulimit -Sn {SOFT}\nulimit -Hn {HARD}\nexec {sys.executable} "$@"\n')
    started.chmod(0o755)
    return lambda configuration: circusd(configuration, python=str(started)).up()


def limits(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)


def test_more_processes_with_streams_than_the_soft_limit_allows(limited: Any) -> None:
    daemon = limited(
        f"""
        [watcher:crowd]
        cmd = sh -c 'echo up; exec sleep 1000'
        copy_env = True
        numprocesses = {CROWD}
        stdout_stream.filename = out-$(circus.wid).log
        stderr_stream.filename = err-$(circus.wid).log
        """
    )
    pids = daemon.call("list", name="crowd")["pids"]
    assert len(pids) == CROWD
    assert limits(daemon.pid) == (HARD, HARD)
    assert {limits(pid) for pid in pids} == {(SOFT, HARD)}
    logs = [daemon.folder / f"out-{wid}.log" for wid in range(1, CROWD + 1)]
    until(lambda: all(log.read_text() == "up\n" for log in logs))


def test_a_limit_of_its_own_goes_before_what_circusd_was_given(limited: Any) -> None:
    daemon = limited(
        """
        [watcher:few]
        cmd = sleep 1000
        rlimit_nofile = 32
        [watcher:many]
        cmd = sleep 1000
        rlimit_nofile = 500
        """
    )
    found = {name: limits(daemon.call("list", name=name)["pids"][0]) for name in ("few", "many")}
    assert found == {"few": (32, 32), "many": (500, 500)}


def test_beyond_the_hard_limit_a_spawn_fails_and_says_why(limited: Any) -> None:
    daemon = limited(
        f"""
        [watcher:crowd]
        cmd = sleep 1000
        numprocesses = {HARD}
        max_retry = 0
        stdout_stream.filename = out-$(circus.wid).log
        [watcher:other]
        cmd = sleep 1000
        """
    )
    said = f"Too many open files (circusd may open {HARD} files, half of them for clients: raise the hard limit"
    assert said in daemon.output()
    assert daemon.call("status", name="other")["status"] == "active"
    assert len(daemon.call("list", name="crowd")["pids"]) > CROWD
