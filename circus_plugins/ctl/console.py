"""Replies in the words of Circus' circusctl (PROTOCOL.md 1.5 and 8.2), for scripts; it draws nothing for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Reply = dict[str, Any]
ENVELOPE = frozenset({"status", "time", "id"})
_INFO = "{pid}  {cmdline} {username} {nice} {mem_info1} {mem_info2} {cpu} {mem} {ctime}"


def lines(command: str, reply: Reply, properties: Reply) -> list[str]:
    """The lines of an ok reply to a request. Replies with fields that Circus does not know are shown as JSON."""
    if command == "reloadconfig" and not properties.get("plan"):
        return ["ok"]
    write = _COMMANDS.get(command)
    if write is not None:
        return write(reply)
    if command in _DONE or not reply.keys() - ENVELOPE:
        return ["ok"]
    import json

    return [json.dumps({key: value for key, value in reply.items() if key not in ENVELOPE})]


def value(item: object) -> str:
    """An option's value as `get` and `options` show it."""
    if item is None:
        return ""
    if isinstance(item, dict):
        return ",".join(f"{key}={value(entry)}" for key, entry in item.items())
    return str(item)


def _status(reply: Reply) -> list[str]:
    if "statuses" in reply:
        return [f"{name}: {state}" for name, state in sorted(reply["statuses"].items())]
    return [str(reply["status"])]


def _list(reply: Reply) -> list[str]:
    return [",".join(map(str, reply["watchers"] if "watchers" in reply else reply["pids"]))]


def _options(reply: Reply) -> list[str]:
    return [f"{key}: {value(item)}" for key, item in reply["options"].items()]


def _count(reply: Reply) -> list[str]:
    if reply.get("singleton"):
        return ["This watcher is a Singleton - not changing the number of processes"]
    number = reply.get("numprocesses", reply.get("numwatchers"))
    return ["ok" if number is None else str(number)]


def in_groups(sockets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sockets by descriptor, but those of one name together, where the first of them is."""
    found = sorted(sockets, key=lambda entry: entry["fd"])
    first = {entry["name"]: entry["fd"] for entry in reversed(found)}
    return sorted(found, key=lambda entry: first[entry["name"]])


def _sockets(reply: Reply) -> list[str]:
    found = []
    for entry in in_groups(reply["sockets"]):
        where = entry["path"] if "path" in entry else f"{entry['host']}:{entry['port']}"
        found.append(f"{entry['fd']}:socket '{entry['name']}' at {where}")
    return found


def _stats(reply: Reply) -> list[str]:
    if "infos" in reply:
        found = []
        for name, processes in reply["infos"].items():
            found += [f"{name}:", *_processes(processes)]
        return found
    if "process" in reply:
        return [*_processes({reply["process"]: reply["info"]}), ""]
    return [f"{reply['name']}:", *_processes(reply["info"])]


def _processes(processes: dict[Any, Any]) -> list[str]:
    found = []
    for pid, info in processes.items():
        if not isinstance(info, dict):
            found.append(f"{pid}: {info}")
            continue
        found.append(f"{pid}: {_info(info)}")
        found += [f"   {_info(child)}" for child in info.get("children", [])]
    return found


def _dstats(reply: Reply) -> list[str]:
    info = reply["info"]
    children = [f"    {_info(child)}" for child in info.get("children", [])]
    return ["Main Process:", f"    {_info(info)}", *(["Children:", *children] if children else [])]


def _info(info: object) -> str:
    return _INFO.format_map(_Known(info)) if isinstance(info, dict) else str(info)


class _Known(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "N/A"


def _plan(reply: Reply) -> list[str]:
    if "plan" not in reply:
        return ["ok"]
    return list(plan_lines(reply["plan"])) or ["ok"]


def plan_lines(plan: list[dict[str, Any]]) -> Iterator[str]:
    """One line per step of a plan: what, to which watcher, and why."""
    for step in plan:
        why = f" ({step['why']})" if step.get("why") else ""
        yield f"{step.get('action', '')} {step.get('target', '')}{why}".strip()


def _commands(reply: Reply) -> list[str]:
    return [f"{entry['name']}: {entry['summary']}" for entry in reply["commands"]]


def _plugins(reply: Reply) -> list[str]:
    if "installed" in reply:
        installed = reply["installed"]
        return [f"{each['name']}: {each['path']}, {each['distribution']} {each['version']}" for each in installed]
    return [f"{entry['name']}: {entry.get('use', '')}" for entry in reply["plugins"]]


def _ipython(reply: Reply) -> list[str]:
    return [str(reply.get("msg") or "")]


_DONE = frozenset({"start", "stop", "restart", "reload", "add", "rm", "set", "signal", "kill", "quit"})
_COMMANDS: dict[str, Callable[[Reply], list[str]]] = {
    "status": _status,
    "list": _list,
    "get": _options,
    "options": _options,
    "globaloptions": _options,
    "numprocesses": _count,
    "numwatchers": _count,
    "incr": _count,
    "decr": _count,
    "listsockets": _sockets,
    "stats": _stats,
    "dstats": _dstats,
    "reloadconfig": _plan,
    "commands": _commands,
    "plugins": _plugins,
    "ipython": _ipython,
}
KNOWN = _DONE | _COMMANDS.keys()
"""The commands whose replies have a form of Circus' own."""
