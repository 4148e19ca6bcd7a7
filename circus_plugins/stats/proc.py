"""One process as /proc/PID/stat has it (proc_pid_stat(5)): what changes from one look to the next. It keeps nothing."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

HERTZ = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
RAM = os.sysconf("SC_PHYS_PAGES") * PAGE
"""Bytes of this machine's memory."""
LONGEST = 2048
"""More bytes than that file ever has."""


class Stat(NamedTuple):
    """`ticks` is user plus system time, `started` is since the machine's start, both in parts of `HERTZ`.

    `name` is what the kernel calls the program, `rss` and `vms` are bytes.
    """

    name: bytes
    state: str
    parent: int
    ticks: int
    nice: int
    threads: int
    started: int
    vms: int
    rss: int


def parse(raw: bytes) -> Stat:
    """What a line says. The name, in parentheses, may itself have blanks and parentheses."""
    end = raw.rindex(b")")
    found = raw[end + 2 :].split(None, 22)
    return Stat(
        raw[raw.index(b"(") + 1 : end],
        found[0].decode(),
        int(found[1]),
        int(found[11]) + int(found[12]),
        int(found[16]),
        int(found[17]),
        int(found[19]),
        int(found[20]),
        int(found[21]) * PAGE,
    )


def opened(pid: int) -> int:
    """A descriptor of a process' line. Reads of it fail with ESRCH once the process is gone, whoever has the pid then.

    Raises OSError.
    """
    return os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)


def read(pid: int) -> Stat | None:
    """One look at a process; None if it is gone."""
    try:
        descriptor = opened(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        return parse(os.pread(descriptor, LONGEST, 0))
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)


def age(started: int) -> float:
    """Seconds since that moment."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / HERTZ


def created(started: int) -> float:
    """That moment by the wall clock."""
    return time.time() - age(started)
