"""Who a process is: the program and the user, which hardly ever change. It is read anew whenever it is asked for."""

from __future__ import annotations

import os
import pwd
import shlex
from functools import lru_cache
from typing import NamedTuple

UNKNOWN = "N/A"


class Identity(NamedTuple):
    """In the words of Circus (PROTOCOL.md 1.7): the first word of the command without its folder, and the login."""

    cmdline: str
    username: str


def identify(pid: int) -> Identity:
    """Who it is; what cannot be told, as of a process that has ended, is `N/A`."""
    return Identity(_program(_read(f"/proc/{pid}/cmdline")), _owner(_read(f"/proc/{pid}/status")))


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except OSError:  # it is gone, or hidden from us: `N/A` says so
        return ""


def _program(line: str) -> str:
    first = line.partition("\0")[0]
    try:
        words = shlex.split(first)
    except ValueError:  # programs write into that line what they like
        words = first.split()
    text = os.path.basename(words[0]) if words else ""
    return text.encode(errors="replace").decode() or UNKNOWN


def _owner(status: str) -> str:
    # Not the owner of the files in /proc: those of a program that gave up rights while it ran belong to root.
    uids = [line.split()[1] for line in status.splitlines() if line.startswith("Uid:")]
    return _login(int(uids[0])) if uids else UNKNOWN


@lru_cache(maxsize=256)
def _login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
