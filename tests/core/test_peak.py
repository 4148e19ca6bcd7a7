"""What is told of the most memory a child had: only what cannot have been ours."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from circus_core import peak
from circus_core.peak import CLEAR, Peaks


def counted(*words: str, fork: bool = False) -> int:
    """What the kernel counts for a program, started by vfork(2) or fork(2), in KiB."""
    child = subprocess.Popen(words, preexec_fn=(lambda: None) if fork else None)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    return usage.ru_maxrss


def test_ours_is_what_the_kernel_says() -> None:
    # Of whoever started this program it knows nothing.
    assert 1000 < peak._ours() <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1.01 + 1024


@pytest.mark.parametrize("fork", [False, True])
def test_a_small_program_is_not_told_of(fork: bool) -> None:
    held = bytearray(b"x" * 40_000_000)
    found = counted("true", fork=fork)
    # That is what the kernel counts, though the program needs two megabytes at most.
    assert found > 30_000
    assert Peaks().of(found) is None
    del held


@pytest.mark.parametrize("fork", [False, True])
def test_a_large_one_is(fork: bool) -> None:
    size = 2 * peak._ours()
    found = counted(sys.executable, "-c", f"held = b'x' * {size * 1024}", fork=fork)
    told = Peaks().of(found)
    assert told is not None
    assert size * 1024 < told < 1.5 * size * 1024


def test_what_we_have_is_looked_up_where_it_may_have_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [1000]
    asked = []
    monkeypatch.setattr(peak, "_ours", lambda: asked.append(1) or ours[0])
    peaks = Peaks()
    assert peaks.of(1000) is None
    assert peaks.of(int(1000 * CLEAR)) is None
    assert peaks.of(5000) == 5000 * 1024
    ours[0] = 6000
    assert peaks.of(5000) is None
    before = len(asked)
    assert peaks.of(1000) is peaks.of(5000) is None
    assert len(asked) == before, "no more than before cannot be more than ours"
    assert peaks.of(9000) == 9000 * 1024
