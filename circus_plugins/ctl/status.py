"""`status` for people: a table of all watchers, or everything about one, as circusd told it; it asks nothing."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from circus_plugins.ctl.tables import Cell, shorten, visible
from circus_plugins.phrases import duration, ending

if TYPE_CHECKING:
    from circus_plugins.ctl.tables import Terminal

Details = dict[str, Any]
_UP = frozenset({"starting", "ready"})


def draw(reply: dict[str, Any], terminal: Terminal) -> list[str]:
    """The reply to `status` with `extended`; a daemon that sends no details gets the states alone."""
    details: dict[str, Details] = reply.get("details") or {}
    if "statuses" not in reply:
        if not details:
            return [terminal.paint(reply["status"], _mood(reply["status"], {}))]
        name, entry = next(iter(details.items()))
        return _one(name, entry, terminal)
    statuses: dict[str, str] = reply["statuses"]
    if not statuses:
        return ["No watchers."]
    if not details:
        plain = [(name, Cell(state, _mood(state, {}))) for name, state in sorted(statuses.items())]
        return terminal.table(["WATCHER", "STATE"], plain)
    rows = [_row(name, state, details.get(name, {})) for name, state in sorted(statuses.items())]
    table = terminal.table(["WATCHER", "STATE", "UP", "UPTIME", "RESTARTS", "LAST ERROR"], rows)
    return table if len(table) < terminal.height else [*table, *_summary(statuses, details, terminal)]


def _summary(statuses: dict[str, str], details: dict[str, Details], terminal: Terminal) -> list[str]:
    """What a table that is higher than the terminal comes to: its head is out of sight, and so may be what is wrong."""
    counts = Counter(statuses.values())
    states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    lines = ["", f"{len(statuses)} watchers: {states}"]
    ill = sorted(name for name, state in statuses.items() if _mood(state, details.get(name, {})) in ("bad", "busy"))
    if ill:
        said = f"{len(ill)} not well: {', '.join(map(visible, ill))}"
        lines.append(terminal.paint(shorten(said, terminal.width), "busy"))
    return lines


def _row(name: str, state: str, entry: Details) -> list[Cell | str]:
    mood = _mood(state, entry)
    error = _trouble(entry)
    return [
        name,
        Cell(state, mood),
        Cell(f"{_up(entry)}/{entry.get('numprocesses', '?')}", "busy" if mood == "busy" else ""),
        duration(entry.get("uptime")),
        str(entry.get("restarts", 0)),
        Cell(error, "bad" if entry.get("gave_up") else "busy" if entry.get("waiting") else "dim"),
    ]


def _trouble(entry: Details) -> str:
    for gone in entry.get("gave_up") or []:
        return f"gave up: {gone['reason']}"
    parts = [str(entry["last_error"])] if entry.get("last_error") else []
    for slot in (entry.get("waiting") or [])[:1]:
        if not parts and entry.get("last_exit"):
            parts = [ending(entry["last_exit"].get("exit_code"))]
        parts.insert(0, f"next try in {duration(slot['in'])}")
    return ": ".join(parts)


def _up(entry: Details) -> int:
    return sum(process.get("state") in _UP for process in entry.get("processes") or [])


def _mood(state: str, entry: Details) -> str:
    if entry.get("gave_up"):
        return "bad"
    if state == "active":
        wanted = entry.get("numprocesses")
        return "good" if wanted is None or _up(entry) >= wanted else "busy"
    return "dim" if state == "stopped" else "busy"


def _one(name: str, entry: Details, terminal: Terminal) -> list[str]:
    state = str(entry.get("state", ""))
    up = f"{_up(entry)} of {entry.get('numprocesses', '?')} up"
    lines = [f"{visible(name)}: {terminal.paint(state, _mood(state, entry))}, {up}"]
    facts = {
        "uptime": duration(entry["uptime"]) if entry.get("uptime") is not None else "",
        "restarts": str(entry.get("restarts", 0)),
        "doing": entry.get("operation") or "",
        "last exit": _exit(entry.get("last_exit")),
        "last error": str(entry.get("last_error") or ""),
        **(entry.get("facts") or {}),
    }
    lines += terminal.pairs({key: text for key, text in facts.items() if text}, indent="  ")
    words = entry.get("last_words") or []
    if words:
        lines += [f"  {terminal.paint('last words', 'dim')}", *(f"    {visible(line)}" for line in words)]
    return lines + _slots(entry, terminal)


def _slots(entry: Details, terminal: Terminal) -> list[str]:
    found: list[tuple[int, list[Cell | str]]] = []
    for process in entry.get("processes") or []:
        state = Cell(process["state"], "good" if process["state"] in _UP else "busy")
        age, restarts = duration(process.get("age")), str(process.get("restarts", 0))
        found.append((process["wid"], [str(process["wid"]), str(process["pid"]), state, age, restarts, ""]))
    for slot in entry.get("waiting") or []:
        count = f"{slot['failures']} failure{'' if slot['failures'] == 1 else 's'}"
        note = f"next try in {duration(slot['in'])}, after {count}"
        found.append((slot["wid"], [str(slot["wid"]), "-", Cell("waiting", "busy"), "-", "-", note]))
    for slot in entry.get("gave_up") or []:
        found.append((slot["wid"], [str(slot["wid"]), "-", Cell("gave up", "bad"), "-", "-", slot["reason"]]))
    if not found:
        return []
    rows = [row for _wid, row in sorted(found, key=lambda item: item[0])]
    return ["", *terminal.table(["WID", "PID", "STATE", "AGE", "RESTARTS", ""], rows, indent="  ")]


def _exit(last: dict[str, Any] | None) -> str:
    if not last:
        return ""
    since = f", {duration(time.time() - last['at'])} ago" if last.get("at") else ""
    return f"pid {last.get('pid')} (wid {last.get('wid')}): {ending(last.get('exit_code'))}{since}"
