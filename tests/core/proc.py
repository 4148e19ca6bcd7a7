"""What /proc tells of a child, and a few programs for children."""

from __future__ import annotations

import os
from pathlib import Path

from circus_core.testing import python, until


def status(pid: int) -> dict[str, str]:
    """The lines of /proc/PID/status: Uid, Gid, Groups, Umask, SigIgn and so on."""
    with open(f"/proc/{pid}/status") as file:
        pairs = (line.split(":", 1) for line in file)
        return {key: value.strip() for key, value in pairs}


def environ(pid: int) -> dict[str, str]:
    """The environment a process was started with."""
    return dict(entry.split("=", 1) for entry in _words(pid, "environ"))


def cmdline(pid: int) -> list[str]:
    """The words of its command line."""
    return _words(pid, "cmdline")


def _words(pid: int, name: str) -> list[str]:
    """The kernel says that a program runs a moment before it says how it was called."""
    path = Path(f"/proc/{pid}/{name}")
    return os.fsdecode(until(path.read_bytes, f"{path}")).removesuffix("\0").split("\0")


def limit(pid: int, title: str) -> tuple[str, str]:
    """The soft and hard limit that /proc/PID/limits has under a title such as `Max open files`."""
    with open(f"/proc/{pid}/limits") as file:
        line = next(line for line in file if line.startswith(title))
    soft, hard, *_unit = line.removeprefix(title).split()
    return soft, hard


def descriptor(pid: int, number: int) -> str:
    """What one of its descriptors is."""
    return os.readlink(f"/proc/{pid}/fd/{number}")


def is_file(pid: int, name: str, path: str | Path) -> bool:
    """Whether /proc/PID/`name`, `exe` or `cwd`, is the file or folder `path`."""
    return os.path.samefile(f"/proc/{pid}/{name}", path)


def descriptors() -> dict[str, str]:
    """This process' own descriptors, but for the one that reads them."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue
    return found


def stubborn(folder: Path, signum: str = "SIGTERM") -> str:
    """A program that ignores a signal, and leaves a file named after its pid in `folder` once it does."""
    return python(f"""
        import os, signal
        signal.signal(signal.{signum}, signal.SIG_IGN)
        open({str(folder)!r} + "/" + str(os.getpid()), "w").close()
        while True:
            signal.pause()
    """)


def settled(folder: Path, *pids: int) -> None:
    """Wait until programs that leave a file named after their pid have done so."""
    for pid in pids:
        until((folder / str(pid)).exists, f"a file of pid {pid}")


def counter(path: Path, code: str) -> str:
    """A program that adds its pid to a file, then runs `code`, in which `n` is the number of starts so far."""
    return python(f"""
        import os, signal, sys, time
        with open({str(path)!r}, "a+") as file:
            print(os.getpid(), file=file, flush=True)
            file.seek(0)
            n = len(file.readlines())
        {code}
    """)
