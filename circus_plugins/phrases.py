"""Figures as people say them: times, sizes, signals, and how a process ended; it knows no reply and no screen."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

UNITS = "BKMGTPEZY"
BARS = "▁▂▃▄▅▆▇█"


def duration(seconds: float | None) -> str:
    """Seconds as `41s`, `3m 05s`, `2h 11m` or `4d 3h`; a dash for None."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if not minutes:
        return f"{whole}s"
    if not hours:
        return f"{minutes}m {whole % 60:02d}s"
    return f"{hours}h {minutes % 60:02d}m" if not days else f"{days}d {hours % 24}h"


def size(number: float) -> str:
    """Bytes as `512B`, `29.3M` and so on, in powers of 1024."""
    for unit in UNITS[:5]:
        if number < 1024 or unit == "T":
            break
        number /= 1024
    return f"{number:.0f}{unit}" if unit == "B" else f"{number:.1f}{unit}"


def bytes_of(written: str) -> int:
    """The bytes of a size as Circus writes it in its figures: `512B`, `12.34M`. Raises ValueError for another text."""
    return round(float(written[:-1]) * (1 << 10 * UNITS.index(written[-1:] or "?")))


def sparkline(values: Iterable[float | None], width: int, top: float) -> str:
    """The latest values as one character each, the highest bar for `top`; blanks where there is none."""
    latest = list(values)[-width:]
    step = max(top, 1e-9) / len(BARS)
    bars = (" " if value is None else BARS[max(min(int(value / step), len(BARS) - 1), 0)] for value in latest)
    return "".join(bars).rjust(width)


def signal_name(number: int) -> str:
    """`SIGTERM` for 15; `signal 40` where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def ending(exit_code: int | None) -> str:
    """How a process ended, from its exit code (minus the number of a signal)."""
    if exit_code is None:
        return "unknown exit code"
    return f"exit code {exit_code}" if exit_code >= 0 else f"ended by {signal_name(-exit_code)}"
