"""What is left of a circusd that gets a SIGKILL: its processes, and all that is needed to take them up."""

from __future__ import annotations

import os
import signal
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

from circus_core import tree
from circus_core.kinship import MARK
from circus_core.testing import alive, until
from tests.e2e.program import is_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

BEFORE = 20_000
"""Lines that are written by the time circusd is killed: what it had read and not yet written would be lost with it."""
COUNTING = f"""\
import itertools, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
for number in itertools.count():
    if number == {BEFORE}:
        signal.sigwait([signal.SIGUSR1])
    sys.stdout.write(f"{{number}}\\n")
    sys.stdout.flush()
"""


def spawned_by(children: list[int]) -> dict[tuple[str, int], tuple[int, int]]:
    """By watcher and wid: the pid and the start of each process that a circusd spawned, from /proc alone."""
    found = {}
    for pid in children:
        marked = next(each for each in tree.environment(pid).split(b"\0") if each.startswith(f"{MARK}=".encode()))
        _run, _number, rest = marked.decode().partition("=")[2].split("/", 2)
        watcher, _, process = rest.rpartition("/")
        seen = tree.stat(pid)
        assert seen is not None
        if seen.session == pid:
            found[watcher, int(process.partition(".")[2])] = pid, seen.started
    return found


def test_its_processes_go_on_and_what_they_say_can_be_read_from_where_it_was(
    circusd: Callable[..., Circusd], tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(COUNTING)
    logs = [tmp_path / "1.log", tmp_path / "2.log"]
    run = circusd(f"""
[watcher:a/b c]
cmd = {sys.executable} {program}
copy_env = True
numprocesses = 2
stdout_stream.filename = {tmp_path}/$(circus.wid).log
""")
    until(lambda: is_up(run))
    until(lambda: all(path.exists() and path.read_bytes().count(b"\n") == BEFORE for path in logs))
    children = tree.children(run.process.pid)
    run.process.kill()
    run.process.wait()
    try:
        table = spawned_by([pid for pid in children if alive(pid)])
        assert set(table) == {("a/b c", 1), ("a/b c", 2)}
        for (_, wid), (pid, _) in table.items():
            os.kill(pid, signal.SIGUSR1)
            pipe = os.open(f"/proc/{pid}/fd/1", os.O_RDONLY)
            try:
                with open(pipe, "rb", closefd=False) as later:
                    said = logs[wid - 1].read_bytes() + later.read(2_000_000)
            finally:
                os.close(pipe)
            numbers = [int(line) for line in said[: said.rfind(b"\n")].split(b"\n")]
            assert numbers[0] == 0
            assert len(numbers) > BEFORE
            assert all(after == before + 1 for before, after in pairwise(numbers))
            assert alive(pid)
    finally:
        for pid in children:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
