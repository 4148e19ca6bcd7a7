"""Figures as Circus writes them (PROTOCOL.md 1.7), and its object of them for one process. It reads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_plugins.stats.proc import HERTZ, RAM, created

if TYPE_CHECKING:
    from circus_plugins.stats.identity import Identity
    from circus_plugins.stats.proc import Stat

UNITS = "KMGTPEZY"


def size(number: int) -> str:
    """Bytes, as `12.34M`."""
    if number < 1024:
        return f"{number}B"
    power = (number.bit_length() - 1) // 10
    return f"{number / (1 << 10 * power):.2f}{UNITS[power - 1]}"


def cpu_time(ticks: int) -> str:
    """CPU time, as `M:SS.cc`; minutes begin at 0 again after 59, as in Circus."""
    seconds, parts = divmod(ticks, HERTZ)
    return f"{seconds // 60 % 60}:{seconds % 60:02}.{parts * 100 // HERTZ:02}"


def memory(number: int) -> float:
    """Bytes, in percent of this machine's."""
    return round(100 * number / RAM, 3)


def percent(ticks: float, seconds: float) -> float:
    """CPU time used within some seconds, in percent of one core."""
    return round(100 * ticks / HERTZ / seconds, 1) if seconds > 0 else 0.0


def nice(seen: Stat) -> int | str:
    """The niceness, or in its place that the process has ended and waits for its parent."""
    return "Zombie" if seen.state == "Z" else seen.nice


def info(pid: int, who: Identity, seen: Stat, cpu: float, age: float) -> dict[str, Any]:
    """The object for one process, without its children."""
    return {
        "pid": pid,
        "cmdline": who.cmdline,
        "username": who.username,
        "nice": nice(seen),
        "mem_info1": size(seen.rss),
        "mem_info2": size(seen.vms),
        "mem": memory(seen.rss),
        "cpu": cpu,
        "ctime": cpu_time(seen.ticks),
        "create_time": round(created(seen.started), 2),
        "age": round(age, 3),
    }
