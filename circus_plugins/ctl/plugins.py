"""Plugins for people at a terminal: those that circusd has, those that are installed, and one at length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_plugins.ctl import console
from circus_plugins.ctl.tables import Cell, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

Entry = dict[str, Any]


def listed(reply: Entry, terminal: Terminal) -> list[str]:
    """The answer to `plugins`."""
    if "installed" in reply:
        return _installed(reply["installed"], terminal)
    rows: list[list[Cell | str]] = []
    for entry in reply["plugins"]:
        said = str(entry.get("last_error") or "") or _at_work(entry)
        rows.append([entry["name"], str(entry.get("host", "")), _health(entry), said or Cell(_hooks(entry), "dim")])
    more = terminal.paint("`circusctl plugins --installed` lists what is installed besides.", "dim")
    return [*terminal.table(["PLUGIN", "HOST", "HEALTH", "LAST ERROR, OR HOOKS"], rows, whole=True), "", more]


def shown(reply: Entry, terminal: Terminal) -> list[str]:
    """The answer to `plugins show`."""
    entry = reply["plugin"]
    health = _health(entry)
    where = "inside circusd" if entry.get("host") == "core" else f"in the process of {entry.get('watcher')}"
    if entry.get("pid"):
        where += f", pid {entry['pid']}"
    facts = {
        "use": str(entry.get("use") or ""),
        "installed as": entry.get("installed") or "",
        "hooks": _hooks(entry),
        "last error": str(entry.get("last_error") or ""),
        "at work": _at_work(entry),
        "adds commands": _joined(entry.get("adds_commands")),
        "adds sections": _joined(entry.get("adds_sections")),
        "adds options": _joined(entry.get("adds_options")),
    }
    found = [f"{entry['name']}: {terminal.paint(health.text, health.mood)}, {where}"]
    found += _pairs([], {key: text for key, text in facts.items() if text}, terminal)
    options = entry.get("options")
    if options:
        values = {key: console.value(value) for key, value in options.items()}
        found += ["", *_pairs(["OPTION", "VALUE"], values, terminal)]
    return found


def _pairs(heads: list[str], texts: dict[str, str], terminal: Terminal) -> list[str]:
    rows: list[list[Cell | str]] = [[Cell(key, "dim"), text] for key, text in texts.items()]
    return terminal.table(heads, rows, indent="  ", whole=True)


def _installed(entries: list[Entry], terminal: Terminal) -> list[str]:
    rows: list[list[Cell | str]] = []
    for entry in entries:
        loaded = ", ".join(f"{each['name']} ({each['host']})" for each in entry["loaded"])
        source = f"{entry['distribution']} {entry['version']}"
        state = Cell(loaded, "good") if loaded else Cell("no", "dim")
        rows.append([Cell(entry["name"], "bad" if entry["problem"] else ""), state, source, Cell(entry["path"], "dim")])
    problems = [[Cell(entry["name"], "bad"), entry["problem"]] for entry in entries if entry["problem"]]
    below = ["", *terminal.table([], problems, whole=True)] if problems else []
    return [*terminal.table(["INSTALLED", "LOADED AS", "FROM", "CODE"], rows), *below]


def _health(entry: Entry) -> Cell:
    """How a plugin fares, in a few words."""
    failures, behind = entry.get("failures") or 0, entry.get("behind") or 0
    if entry.get("disabled"):
        return Cell("disabled", "bad")
    if entry.get("started") is False:
        return Cell("not at work", "bad" if entry.get("last_error") else "busy")
    if behind:
        return Cell(f"{behind} event{'s' * (behind > 1)} behind", "busy")
    if failures:
        return Cell(f"failed {failures} times" if failures > 1 else "failed once", "busy")
    return Cell("well", "good")


def _at_work(entry: Entry) -> str:
    """What a plugin that is behind has in hand."""
    return f"it has event {entry['handling']} in hand" if entry.get("handling") else ""


def _hooks(entry: Entry) -> str:
    return _joined(str(hook).removeprefix("circus_") for hook in entry.get("hooks") or ())


def _joined(texts: Iterable[str] | None) -> str:
    return ", ".join(texts or ())
