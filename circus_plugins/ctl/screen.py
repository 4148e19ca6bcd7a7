"""Replies for people at a terminal: tables where there is something to compare; the rest looks as in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_plugins.ctl import console, plugins
from circus_plugins.ctl.grammar import spoken
from circus_plugins.ctl.tables import Cell, Terminal, shorten, visible

if TYPE_CHECKING:
    from collections.abc import Callable

Reply = dict[str, Any]
_USAGE = {"CPU %": "cpu", "MEM %": "mem", "RSS": "mem_info1", "TIME": "ctime"}
_AT_LENGTH = {
    "CPU %": "cpu", "RSS": "mem_info1", "THR": "threads", "FDS": "open_files", "READ": "read_bytes",
    "WRITTEN": "write_bytes", "RESTARTS": "restarts",
}  # fmt: skip


def lines(command: str, reply: Reply, properties: Reply, terminal: Terminal) -> list[str]:
    """The lines of an ok reply to a request."""
    if command == "status":
        from circus_plugins.ctl import status

        return status.draw(reply, terminal)
    if command == "history":
        from circus_plugins.ctl import history

        return history.draw(reply, terminal)
    view = _VIEWS.get(command)
    if view is not None:
        return view(reply, terminal)
    if command == "stats" and "infos" in reply:
        return _stats(reply["infos"], terminal)
    if command == "stats" and "process" not in reply and "name" in reply:
        return _stats({reply["name"]: reply["info"]}, terminal)
    rest = {key: value for key, value in reply.items() if key not in console.ENVELOPE}
    if rest and command not in console.KNOWN:
        return _anything(rest, terminal)
    return [visible(line) for line in console.lines(command, reply, properties)]


def _list(reply: Reply, terminal: Terminal) -> list[str]:
    found = reply["watchers"] if "watchers" in reply else reply["pids"]
    none = "No watchers." if "watchers" in reply else "No processes."
    return [visible(str(entry)) for entry in found] or [none]


def _options(reply: Reply, terminal: Terminal) -> list[str]:
    return terminal.pairs({key: console.value(item) for key, item in reply["options"].items()})


def _plan(reply: Reply, terminal: Terminal) -> list[str]:
    if "plan" not in reply:
        return ["ok"]
    rows: list[list[Cell | str]] = [
        [Cell(str(step.get("action", "")), "busy"), str(step.get("target", "")), Cell(_why(step), "dim")]
        for step in reply["plan"]
    ]
    return terminal.table(["ACTION", "TARGET", "WHY"], rows) if rows else ["Nothing to do."]


def _why(step: dict[str, Any]) -> str:
    why = step.get("why", "")
    return ", ".join(map(str, why)) if isinstance(why, list) else str(why or "")


def _commands(reply: Reply, terminal: Terminal) -> list[str]:
    rows = [[spoken(entry["name"]), Cell(entry["role"], "dim"), entry["summary"]] for entry in reply["commands"]]
    return terminal.table(["COMMAND", "ROLE", ""], rows, whole=True)


def _schema(reply: Reply, terminal: Terminal) -> list[str]:
    import json

    return json.dumps(reply["sections"], indent=2).splitlines()


def _sockets(reply: Reply, terminal: Terminal) -> list[str]:
    rows = []
    for entry in console.in_groups(reply["sockets"]):
        where = entry["path"] if "path" in entry else f"{entry['host']}:{entry['port']}"
        users = ", ".join(entry.get("watchers") or ())
        rows.append([entry["name"], where, str(entry["fd"]), str(entry.get("backlog", "")), _queue(entry), users])
    heads = ["SOCKET", "ADDRESS", "FD", "BACKLOG", "WAITING", "WATCHERS"]
    return terminal.table(heads, rows) if rows else ["No sockets."]


def _queue(entry: dict[str, Any]) -> Cell:
    """What waits at a socket, of what may, and what was turned away."""
    if entry.get("waiting") is None:
        return Cell("-", "dim")
    text = f"{entry['waiting']}/{entry['limit']}" + ("" if entry.get("listens", True) else " bytes")
    if entry.get("dropped"):
        text += f", {entry['dropped']} tries lost" if entry.get("listens", True) else f", {entry['dropped']} lost"
    return Cell(text, "bad" if entry["waiting"] > entry["limit"] else "busy" if entry.get("dropped") else "")


def _stats(infos: dict[str, Any], terminal: Terminal) -> list[str]:
    rows: list[list[Cell | str]] = []
    columns = _AT_LENGTH if any(_has("threads", each) for each in infos.values()) else _USAGE
    if any(_has("pss", each) for each in infos.values()):
        columns = {**columns, "PSS": "pss"}
    for name, processes in sorted(infos.items()):
        for pid, info in processes.items():
            if not isinstance(info, dict):
                rows.append([name, pid, Cell(str(info), "dim"), *[""] * len(columns)])
                continue
            rows.append(_usage(name, info, "", columns))
            rows += [_usage("", child, "  ", columns) for child in info.get("children", []) if isinstance(child, dict)]
    return terminal.table(["WATCHER", "PID", "PROGRAM", *columns], rows) if rows else ["None."]


def _dstats(reply: Reply, terminal: Terminal) -> list[str]:
    info = reply["info"]
    return _stats({"circusd": {info["pid"]: info}}, terminal)


def _has(key: str, processes: dict[str, Any]) -> bool:
    return any(isinstance(info, dict) and key in info for info in processes.values())


def _usage(name: str, info: dict[str, Any], indent: str, columns: dict[str, str]) -> list[Cell | str]:
    figures = [console.value(info.get(key, "")) for key in columns.values()]
    return [name, indent + str(info.get("pid", "")), str(info.get("cmdline", "")), *figures]


def _anything(rest: dict[str, Any], terminal: Terminal) -> list[str]:
    """The reply of a command this circusctl does not know: lists of objects as tables, objects as pairs."""
    found: list[str] = []
    for key, item in rest.items():
        if isinstance(item, list) and item and all(isinstance(entry, dict) for entry in item):
            heads = list(dict.fromkeys(name for entry in item for name in entry))
            rows = [[_shown(entry.get(name)) for name in heads] for entry in item]
            found += terminal.table([name.upper() for name in heads], rows)
        elif isinstance(item, dict):
            found += terminal.pairs({name: _shown(entry) for name, entry in item.items()})
        else:
            found.append(shorten(visible(f"{key}: {_shown(item)}"), terminal.width))
    return found


def _shown(item: object) -> str:
    return ", ".join(map(str, item)) if isinstance(item, list) else console.value(item)


_VIEWS: dict[str, Callable[[Reply, Terminal], list[str]]] = {
    "list": _list,
    "get": _options,
    "options": _options,
    "globaloptions": _options,
    "plugins": plugins.listed,
    "plugins_show": plugins.shown,
    "reloadconfig": _plan,
    "commands": _commands,
    "dstats": _dstats,
    "listsockets": _sockets,
    "schema": _schema,
}
