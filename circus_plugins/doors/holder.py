"""Who else holds an address that cannot be opened, as far as /proc shows it to us; only asked after a failure."""

from __future__ import annotations

import os
import socket
import struct

LISTENING = "0A"


def describe(pid: int) -> str:
    """`pid 42 (nginx)`, or just the pid if its name cannot be read."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f"pid {pid} ({file.read().strip()})"
    except OSError:
        return f"pid {pid}"


def of_port(port: int) -> int | None:
    """The pid of a process that listens on a TCP port, our own if we do, or None if it is hidden from us."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return None
    own = os.getpid()
    others = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return next((pid for pid in (own, *others) if _has_descriptor(f"/proc/{pid}/fd", wanted)), None)


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        found += [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]
    return found


def _has_descriptor(folder: str, wanted: set[str]) -> bool:
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    for name in names:
        try:
            if os.readlink(f"{folder}/{name}") in wanted:
                return True
        except OSError:
            continue
    return False


def of_path(path: str) -> int | None:
    """The pid of a process that answers on a unix socket, or None for a stale one that nobody answers on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except BlockingIOError:
            return 0  # its queue of connections is full, so somebody is there
        except OSError:
            return None
        size = struct.calcsize("3i")
        pid: int = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0]
        return pid
