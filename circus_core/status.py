"""What is, as JSON-ready values for whoever asks: watchers, masked options, plugins. It changes nothing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from circus_core.errors import RequestError
from circus_core.plan import masked
from circus_core.values import keys, read

if TYPE_CHECKING:
    from circus_core.loaded import Loaded
    from circus_core.model import PluginOptions, WatcherOptions
    from circus_core.options import Section
    from circus_core.watcher import Watcher


def details(watcher: Watcher) -> dict[str, Any]:
    """A watcher at length: its processes, what waits, what was given up, and the last that went wrong and was said."""
    slots = watcher.slots
    now = asyncio.get_running_loop().time()
    entries = sorted(slots.by_wid.values(), key=lambda slot: slot.wid)
    last = slots.last_exit
    operation = watcher.queue.current
    return {
        "state": str(watcher.state),
        "numprocesses": watcher.options.numprocesses,
        "processes": [
            {
                "wid": slot.wid,
                "pid": slot.process.pid,
                "state": str(slot.process.state),
                "age": slot.process.age,
                "spawned_at": slot.process.spawned_at,
                "restarts": slot.restarts,
            }
            for slot in entries
            if slot.process is not None
        ],
        "restarts": slots.restarts,
        "waiting": [
            {"wid": slot.wid, "in": max(slot.timer.when() - now, 0.0), "failures": slot.failures}
            for slot in entries
            if slot.timer is not None
        ],
        "gave_up": [{"wid": slot.wid, "reason": slot.gave_up} for slot in entries if slot.gave_up],
        "leaving": sorted(process.pid for process in slots.leaving),
        "last_error": slots.last_error,
        "last_exit": last and {"pid": last.pid, "wid": last.wid, "exit_code": last.exit_code, "at": last.at},
        "facts": _facts(watcher),
        "last_words": _last_words(watcher, last.wid) if last else [],
        "operation": operation and operation.name,
        "uptime": None if watcher.started_at is None else time.time() - watcher.started_at,
    }


def _facts(watcher: Watcher) -> dict[str, str]:
    asked = watcher.slots.around.bus.ask("circus_describe_watcher", watcher=watcher.options)
    return {heading: words for _plugin, found in asked for heading, words in found.items()}


def _last_words(watcher: Watcher, wid: int) -> list[str]:
    found = watcher.slots.around.bus.first("circus_recall_output", watcher=watcher.options, wid=wid)
    return list(found[1]) if found else []


def options(section: Section, values: WatcherOptions) -> dict[str, Any]:
    """Every option of a watcher by key, its free-form ones too; `set` takes each as it is shown."""
    return {key: _shown(section, values, key) for key in keys(section, values)}


def option(section: Section, values: WatcherOptions, key: str) -> Any:
    """One option of a watcher, as `options` has it, and None where it is not set; raises RequestError."""
    entry = section.find(key)
    if entry is not None:
        entry.check_name(key)
    elif key not in values.extra:
        near = section.nearest(key)
        raise RequestError(f"{key!r} option not found", hint=f"did you mean {near}?" if near else "")
    return _shown(section, values, key)


def _shown(section: Section, values: WatcherOptions, key: str) -> Any:
    entry, value = section.find(key), read(section, values, key)
    if key == "env":
        return masked(value)
    return value if entry is None else entry.shown(value)


def failed_plugin(options: PluginOptions, error: str) -> dict[str, Any]:
    """A plugin that is to be inside circusd and could not be loaded, as `plugin` has it."""
    return {
        "name": options.name,
        "use": options.use,
        "host": "core",
        "started": False,
        "hooks": [],
        "failures": 1,
        "last_error": error,
        "disabled": True,
    }


def plugin(loaded: Loaded) -> dict[str, Any]:
    """How a plugin fares."""
    return {
        "name": loaded.name,
        "use": loaded.use,
        "host": "core",
        "started": loaded.started,
        "hooks": list(loaded.hooks),
        "failures": loaded.failures,
        "last_error": loaded.last_error,
        "disabled": loaded.disabled,
    }
