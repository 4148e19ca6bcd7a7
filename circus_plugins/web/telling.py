"""What browsers are told of a picture of circusd: all of it, and then what changed. It sends nothing.

Everything is made once, however many browsers there are.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import psutil

from circus_plugins.picture import OWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_plugins.picture import Picture, ProcessView, SocketView, WatcherView
    from circus_plugins.picture.views import Figures

POINTS = 60_000
"""Points of the past in a snapshot, at most: each watcher has fewer of them where there are many."""


class Telling:
    """Tells of `picture`; `local` says that circusd runs on this machine, whose figures can be read."""

    def __init__(self, picture: Picture, *, local: bool) -> None:
        self._picture = picture
        self._local = local
        self._ids: dict[str, int] = {}
        self._last = 0
        self._details: dict[str, Any] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._told: dict[int, tuple[float, int]] = {}
        self._waiting: dict[int, int | None] = {}
        self._since: tuple[int | None, float | None] = (None, None)

    # All of it

    def snapshot(self) -> dict[str, Any]:
        """All there is now."""
        picture = self._picture
        points = max(10, POINTS // (len(picture.watchers) or 1))
        past = {key: _past(view.figures, points) for key, view in picture.watchers.items()}
        return {
            "at": time.time(),
            "problem": picture.problem,
            "circusd": self._circusd(),
            "machine": self.machine(),
            "watchers": [{**self._row(key, view), "past": past[key]} for key, view in picture.watchers.items()],
            "sockets": [_socket(view) for view in picture.sockets.values()],
        }

    def _circusd(self) -> dict[str, Any]:
        picture, figures = self._picture, self._picture.circusd
        if self._since[0] != picture.pid:
            self._since = picture.pid, _started(picture.pid) if self._local else None
        return {
            "pid": picture.pid,
            "version": picture.version,
            "cpu": figures.cpu,
            "memory": figures.memory,
            "cpus": list(figures.cpus),
            "memories": list(figures.memories),
            "since": self._since[1],
        }

    def machine(self) -> dict[str, Any] | None:
        """Its processors, load and memory; None where circusd is on another."""
        if not self._local:
            return None
        memory = psutil.virtual_memory()
        return {
            "cpus": os.cpu_count() or 1,
            "load": [round(each, 2) for each in os.getloadavg()],
            "memory_used": memory.total - memory.available,
            "memory_total": memory.total,
        }

    # What changed

    def rows(self) -> dict[str, Any] | None:
        """The watchers that changed since this was last asked, and those that are gone; None if none did."""
        watchers = self._picture.watchers
        changed = []
        for key, view in watchers.items():
            if self._details.get(key) is view.details and key in self._rows:
                continue
            self._details[key] = view.details
            state = _state(view)
            if self._rows.get(key) != state:
                self._rows[key] = state
                changed.append(self._row(key, view))
        gone = [key for key in self._rows if key not in watchers]
        ids = [self._ids.pop(key) for key in gone]
        for key, number in zip(gone, ids, strict=True):
            del self._rows[key]
            self._details.pop(key, None)
            self._told.pop(number, None)
        return {"at": time.time(), "rows": changed, "gone": ids} if changed or ids else None

    def figures(self) -> dict[str, Any]:
        """What is measured anew since this was last asked."""
        rows = []
        for key, view in self._picture.watchers.items():
            cpu, memory = view.figures.cpu, view.figures.memory
            number = self._ids.get(key)
            if number is None or cpu is None or memory is None or self._told.get(number) == (cpu, memory):
                continue
            self._told[number] = cpu, memory
            rows.append([number, cpu, memory])
        waiting = {fd: view.waiting for fd, view in self._picture.sockets.items()}
        sockets = [[fd, each] for fd, each in waiting.items() if each is not None and self._waiting.get(fd) != each]
        self._waiting = waiting
        circusd = self._picture.circusd
        return {
            "at": time.time(),
            "machine": self.machine(),
            "circusd": None if circusd.cpu is None else [circusd.cpu, circusd.memory],
            "rows": rows,
            "sockets": sockets,
        }

    def _row(self, key: str, view: WatcherView) -> dict[str, Any]:
        if key not in self._ids:
            self._last += 1
            self._ids[key] = self._last
        figures = view.figures
        return {"id": self._ids[key], **_state(view), "cpu": figures.cpu, "memory": figures.memory}

    # One of them

    def watcher(self, name: str) -> dict[str, Any] | None:
        """One watcher at length; None if there is none of this name."""
        view = self._picture.watchers.get(name.lower())
        if view is None:
            return None
        return {
            "name": view.name,
            "at": time.time(),
            "details": view.details,
            "processes": [_process(each) for each in view.processes.values()],
        }

    def processes(self, name: str) -> dict[str, Any] | None:
        """What the processes of one watcher use."""
        view = self._picture.watchers.get(name.lower())
        if view is None:
            return None
        rows = [[each.pid, each.figures.cpu, each.figures.memory] for each in view.processes.values()]
        return {"name": view.name, "at": time.time(), "rows": [row for row in rows if None not in row]}

    def detail(self, name: str) -> Mapping[str, Any] | None:
        """What `status` said of a watcher last: another object each time."""
        view = self._picture.watchers.get(name.lower())
        return view.details if view is not None else None


def _state(view: WatcherView) -> dict[str, Any]:
    counting = bool(view.retry) and view.mood != "bad"
    return {
        "name": view.name,
        "state": view.state,
        "mood": view.mood,
        "wanted": view.wanted,
        "up": view.up,
        "ready": sum(process.state == "ready" for process in view.processes.values()),
        "restarts": view.restarts,
        "since": view.since or None,
        # The browser counts down by itself.
        "trouble": str(view.details.get("last_error") or "") if counting else view.trouble,
        "retry": round(view.retry, 1) if counting else None,
        "plugin": view.name.startswith("plugin:") or view.name in OWN,
    }


def _process(view: ProcessView) -> dict[str, Any]:
    return {
        "pid": view.pid,
        "wid": view.wid,
        "state": view.state,
        "since": view.since or None,
        "restarts": view.restarts,
        "cpu": view.figures.cpu,
        "memory": view.figures.memory,
        "past": _past(view.figures, len(view.figures.times)),
    }


def _socket(view: SocketView) -> dict[str, Any]:
    return {
        "fd": view.fd,
        "name": view.name,
        "address": view.address,
        "waiting": view.waiting,
        "limit": view.backlog,
        "dropped": view.dropped,
        "watchers": list(view.watchers),
        "pids": list(view.pids),
        "past": [[round(at, 1), waiting] for at, waiting in view.past],
    }


def _past(figures: Figures, most: int) -> list[list[float]]:
    points = zip(figures.times, figures.cpus, figures.memories, strict=True)
    return [[round(at, 1), cpu, memory] for at, cpu, memory in points][-most:] if most else []


def _started(pid: int | None) -> float | None:
    try:
        return psutil.Process(pid).create_time() if pid else None
    except psutil.Error:
        return None
