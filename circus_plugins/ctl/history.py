"""`history` for people: what each watcher and process used, as a row of bars and in figures; it asks nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from circus_plugins.ctl.tables import Cell
from circus_plugins.phrases import duration, size, sparkline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circus_plugins.ctl.tables import Terminal

HEADS = ("WATCHER", "PID", "CPU %", "MAX", "", "RSS", "MAX", "")
FIGURES = 50
"""Columns that everything but the bars takes, names included, as long as they are of a usual length."""
LEAST, MOST, ANYWHERE = 8, 60, 40
"""Bars in a row: the least, the most, and those where the output is no terminal."""

Values = list[float | None]


def draw(reply: dict[str, Any], terminal: Terminal) -> list[str]:
    """The reply to `history`."""
    reply = _begun(reply)
    processes: dict[str, list[dict[str, Any]]] = reply["processes"]
    watchers: dict[str, dict[str, Values]] = reply["watchers"]
    names = sorted({**watchers, **dict.fromkeys(processes)})
    if not names:
        return ["None."]
    wide = terminal.width if terminal.width < 1000 else FIGURES + 2 * ANYWHERE
    longest = max(map(len, names))
    width = max(min((wide - FIGURES - max(longest - 12, 0)) // 2, MOST), LEAST)
    rows = []
    if "circusd" in reply:
        rows.append(_row("circusd", "", reply["circusd"], width))
    for name in names:
        if name in watchers:
            rows.append(_row(name, "", watchers[name], width))
        for process in processes.get(name, ()):
            label = f"  {process['wid']}" if name in watchers else name
            rows.append(_row(label, str(process["pid"]), process, width, "" if process["running"] else "dim"))
    return [_head(reply, width), *terminal.table(HEADS, rows), *_notes(reply)]


def _begun(reply: dict[str, Any]) -> dict[str, Any]:
    """The reply without the time of which nobody knows anything, at its beginning."""
    watchers, processes = reply["watchers"], reply["processes"]
    lines = [*watchers.values(), *(line for each in processes.values() for line in each)]
    empty = min(
        (next((at for at, value in enumerate(line["cpu"]) if value is not None), reply["points"]) for line in lines),
        default=0,
    )

    def rest(line: dict[str, Any]) -> dict[str, Any]:
        return {key: value[empty:] if isinstance(value, list) else value for key, value in line.items()}

    return {
        **reply,
        **({"circusd": rest(reply["circusd"])} if "circusd" in reply else {}),
        "begin": reply["begin"] + empty * reply["step"],
        "points": reply["points"] - empty,
        "late": empty > 0,
        "watchers": {name: rest(line) for name, line in watchers.items()},
        "processes": {name: [rest(line) for line in each] for name, each in processes.items()},
    }


def _head(reply: dict[str, Any], width: int) -> str:
    span = reply["points"] * reply["step"]
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(reply["begin"] + span))
    bar = max(span / width, reply["step"])
    return f"The last {duration(span)} until {until}; a bar is {duration(bar) if bar >= 1 else f'{bar:g}s'}."


def _notes(reply: dict[str, Any]) -> list[str]:
    notes = []
    if reply["since"] is None:
        notes.append("Nothing is kept yet.")
    elif reply["late"]:
        notes.append("Nothing is kept of what was before.")
    if reply["left_out"]:
        notes.append(f"{reply['left_out']} more processes are left out.")
    if reply["shortened"]:
        notes.append(f"{reply['shortened']}.")
    return notes


def _row(name: str, pid: str, line: dict[str, Values], width: int, mood: str = "") -> list[Cell | str]:
    cpu, memory = line["cpu"], line["rss"]
    most = _most(line, "cpu")
    there = [value for value in cpu if value is not None]
    largest = _most(line, "rss")
    latest = next((value for value in reversed(memory) if value is not None), None)
    return [
        Cell(name, mood),
        pid,
        f"{sum(there) / len(there):.1f}" if there else "-",
        "-" if most is None else f"{most:.1f}",
        sparkline(squeezed(cpu, width), width, most or 1),
        "-" if latest is None else size(latest),
        "-" if largest is None else size(largest),
        sparkline(squeezed(memory, width), width, largest or 1),
    ]


def _most(line: dict[str, Values], key: str) -> float | None:
    values = line.get(f"{key}_max") or line[key]
    return max((value for value in values if value is not None), default=None)


def squeezed(values: Sequence[float | None], width: int) -> Values:
    """So many values, each the mean of those whose place it takes; all of them where they are no more."""
    count = len(values)
    if count <= width:
        return list(values)
    parts = [values[at * count // width : (at + 1) * count // width] for at in range(width)]
    known = [[value for value in part if value is not None] for part in parts]
    return [sum(part) / len(part) if part else None for part in known]
