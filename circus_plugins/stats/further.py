"""What else a process uses, for who asks at length: open files, bytes read and written, share of memory, cgroup.

Each of these costs at least one file to be opened, the share of memory a look at the whole address space.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

OF_CGROUP = {"memory": "memory.current", "memory_max": "memory.max", "processes": "pids.current"}


def further(pid: int, *, pss: bool = False) -> dict[str, Any]:
    """All of it. What this user may not see of the process, and what this machine does not count, is None."""
    return {**figures(pid, files=True, io=True, pss=pss), "cgroup": cgroup(pid)}


def figures(pid: int, *, files: bool, io: bool, pss: bool) -> dict[str, int | None]:
    """Those that are asked for: open files, bytes read and written, and the proportional set size in bytes."""
    found: dict[str, int | None] = {}
    if files:
        found["open_files"] = _open_files(pid)
    if io:
        traffic = _fields(f"/proc/{pid}/io")
        found |= {"read_bytes": traffic.get("read_bytes"), "write_bytes": traffic.get("write_bytes")}
    if pss:
        share = _fields(f"/proc/{pid}/smaps_rollup").get("Pss")
        found["pss"] = None if share is None else share * 1024
    return found


def _open_files(pid: int) -> int | None:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:  # of another user, or gone
        return None


def cgroup(pid: int) -> dict[str, Any] | None:
    """The figures of its cgroup (version 2), which other processes may share; None where it is in none of its own."""
    line = next((line for line in _text(f"/proc/{pid}/cgroup").splitlines() if line.startswith("0::")), "")
    path = line.removeprefix("0::")
    folder = _mounted() + path
    if path in ("", "/") or not os.path.isdir(folder):
        return None
    found: dict[str, Any] = {"path": path}
    for key, name in OF_CGROUP.items():
        text = _text(f"{folder}/{name}").strip()
        found[key] = int(text) if text.isdigit() else None
    used = _fields(f"{folder}/cpu.stat", separator=" ").get("usage_usec")
    found["cpu_seconds"] = None if used is None else used / 1e6
    return found


@cache
def _mounted() -> str:
    """Where cgroups of version 2 are (proc_pid_mounts(5)); beside those of version 1 that is a folder of its own."""
    mounts = [line.split() for line in _text("/proc/self/mounts").splitlines()]
    return next((words[1] for words in mounts if words[2] == "cgroup2"), "/sys/fs/cgroup")


def _fields(path: str, separator: str = ":") -> dict[str, int]:
    """The numbers in a file of lines `NAME: NUMBER`."""
    found = {}
    for line in _text(path).splitlines():
        name, found_it, rest = line.partition(separator)
        words = rest.split()
        if found_it and words and words[0].isdigit():
            found[name] = int(words[0])
    return found


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:  # of another user, gone, or unknown to this kernel: whoever asks is told None
        return ""
