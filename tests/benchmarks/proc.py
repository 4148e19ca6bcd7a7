"""What the kernel says of processes (proc(5)), and the end of every process that this benchmark started.

It measures from outside: no supervisor is asked for figures about itself.
"""

import ctypes
import os
import select
import signal
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Sums over processes, in KB, of /proc/PID/smaps_rollup. `rss` counts a shared page once per process."""

    rss: int
    anonymous: int
    pss: int


def parents() -> dict[int, int]:
    """The parent of every process of the machine."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                found[int(entry)] = int(Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1])
    return found


def tree(root: int) -> list[int]:
    """`root` and its descendants, in no promised order."""
    children = defaultdict(list)
    for pid, parent in parents().items():
        children[parent].append(pid)
    found = [root]
    for pid in found:
        found.extend(children[pid])
    return found


def cpu_ns(pids: Iterable[int]) -> int:
    """CPU time used so far by all threads of `pids`, in ns; from schedstat, else from stat, whose unit is a tick."""
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                try:
                    total += int((task / "schedstat").read_text().split()[0])
                except FileNotFoundError:
                    fields = (task / "stat").read_text().rpartition(")")[2].split()
                    total += (int(fields[11]) + int(fields[12])) * TICK_NS
    return total


def switches(pids: Iterable[int]) -> int:
    """Context switches so far, voluntary and not, of all threads of `pids`: each wake-up is at least one."""
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                for line in (task / "status").read_text().splitlines():
                    if "_ctxt_switches" in line:
                        total += int(line.split()[1])
    return total


def memory(pids: Iterable[int]) -> Memory:
    """Memory of `pids` together."""
    sums = {"Rss:": 0, "Anonymous:": 0, "Pss:": 0}
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            key, value = line.split()[:2]
            if key in sums:
                sums[key] += int(value)
    return Memory(sums["Rss:"], sums["Anonymous:"], sums["Pss:"])


def peak(pids: Iterable[int]) -> int:
    """Sum in KB of the most memory that each of `pids` has ever had resident (VmHWM)."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total += int(line.split()[1])
    return total


def wait_for_end(pidfd: int, timeout: float) -> int:
    """When the process ended, in ns of CLOCK_MONOTONIC. TimeoutError if it lives after `timeout` s."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(timeout * 1000):
        raise TimeoutError(f"the process still lives after {timeout} s")
    return time.monotonic_ns()


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (prctl(2)), so that none can get lost."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def end_descendants(patience: float = 20.0) -> None:
    """SIGKILL and reap children until there is none: theirs become ours (`adopt_orphans`), so this gets them all.

    A child that was not reaped keeps its pid, so that no signal can hit a stranger. TimeoutError after `patience` s.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        mine = [pid for pid, parent in parents().items() if parent == os.getpid()]
        if not mine:
            return
        for pid in mine:
            os.kill(pid, signal.SIGKILL)
        for pid in mine:
            os.waitpid(pid, 0)
    raise TimeoutError(f"processes still left after {patience} s")
