"""What only this machine can tell is told by --check, a start and reloadconfig, and keeps nothing from starting."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.program import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

    Start = Callable[..., Circusd]

LACKING = """[watcher:web]
cmd = no-such-program
[watcher:files]
cmd = sleep 1000
env_file = no-such.env
working_dir = no-such
[watcher:who]
cmd = sleep 1000
uid = no-such-user
gid = no-such-group
[watcher:sh]
cmd = no-such-program; sleep 1000
shell = True
[plugin:p]
use = circus_plugins.watchdog:WatchDog
uid = no-such-user
group = g
autostart = False
"""


def lacks(path: Path) -> list[str]:
    """What is to be said of LACKING in a file."""
    lines = path.read_text().splitlines()

    def at(line: str, section: str) -> str:
        return f"{path}:{lines.index(line, lines.index(f'[{section}]')) + 1}: [{section}] {line.partition(' ')[0]}:"

    return [
        f"{at('cmd = no-such-program', 'watcher:web')} there is no program no-such-program on the PATH of its "
        "processes, /bin:/usr/bin (install it, or write its path)",
        f"{at('env_file = no-such.env', 'watcher:files')} {path.parent}/no-such.env: cannot be read: "
        "No such file or directory (no process can start before that is mended)",
        f"{at('working_dir = no-such', 'watcher:files')} there is no folder no-such (make it, or name another)",
        f"{at('uid = no-such-user', 'watcher:who')} this machine has no user no-such-user (add it, or name another)",
        f"{at('gid = no-such-group', 'watcher:who')} this machine has no group no-such-group (add it, or name another)",
        f"{at('uid = no-such-user', 'plugin:p')} this machine has no user no-such-user (add it, or name another)",
    ]


@pytest.mark.parametrize("arguments", [[], ["--strict"]])
def test_check_warns_of_what_the_machine_lacks(tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "app.ini"
    path.write_text(LACKING)
    done = run("--check", path, *arguments)
    assert done.stderr.splitlines() == [f"warning: {text}" for text in lacks(path)]
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 5)


def test_a_start_warns_of_it_too_and_whatever_can_run_runs(circusd: Start) -> None:
    running = circusd(LACKING, "--strict").up()
    logged = [line.partition("[WARNING] ")[2] for line in running.output().splitlines()]
    assert [line for line in logged if line.startswith(str(running.path))] == lacks(running.path)
    assert running.call("list", name="sh")["pids"]


def test_reloadconfig_says_what_has_come_to_be_lacking(circusd: Start) -> None:
    running = circusd("[watcher:a]\ncmd = sleep 1000\n").up()
    running.configure(LACKING)
    assert running.call("reloadconfig", plan=True)["warnings"] == lacks(running.path)


def test_circusctl_prints_the_warnings_beside_the_plan(circusd: Start) -> None:
    running = circusd("[watcher:a]\ncmd = sleep 1000\n").up()
    running.configure("[watcher:a]\ncmd = sleep 1000\n[watcher:b]\ncmd = no-such-program\n")
    words = [sys.executable, "-m", "circus_plugins.ctl.main", "--endpoint", running.endpoint, "reloadconfig", "--plan"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "start b (its section is new)\n"
    assert done.stderr.startswith(f"warning: {running.path}:7: [watcher:b] cmd: there is no program no-such-program")
