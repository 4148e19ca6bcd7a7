"""Puts into a picture what the stats endpoint publishes, or the command `stats` answers (PROTOCOL.md 3.2, 1.7)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from circus_plugins.phrases import bytes_of
from circus_plugins.picture.views import OWN, ProcessView, SocketView

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from circus_plugins.picture.views import Figures, Picture, WatcherView

TOPIC = "stat."


class Measures:
    """Takes what is published. `known`: `status` tells which watchers and processes there are.

    Otherwise it is these figures that do, and who is silent for `timeout` seconds is gone.
    """

    def __init__(self, picture: Picture, timeout: float) -> None:
        self._picture = picture
        self._timeout = timeout
        self.known = False
        self._round_ended = 0.0

    def arrived(self, topic: str, payload: bytes) -> None:
        """Take one message; one that nobody here can read is left alone."""
        told = json.loads(payload)
        if not topic.startswith(TOPIC) or not isinstance(told, dict):
            return
        name = topic.removeprefix(TOPIC)
        # A name may have dots, and end like that of a process: what is told of several has a list of their pids.
        if isinstance(told.get("pid"), list):
            self._sum(name, told)
        elif name.startswith("sockets.") and "fd" in told:
            self._socket(told)
        elif isinstance(told.get("pid"), int) and name.startswith("circus."):
            self._part(str(told.get("name")), told)
        elif isinstance(told.get("pid"), int):
            self._process(str(told.get("watcher") or name.rpartition(".")[0]), told["pid"], told)

    def answered(self, infos: Mapping[str, Mapping[str, Any]]) -> None:
        """Take the answer of `stats` for all watchers."""
        for name, processes in infos.items():
            total, memory = 0.0, 0
            for pid, info in processes.items():
                if isinstance(info, dict):
                    self._process(name, int(pid), info)
                    total += info["cpu"]
                    memory += rss(info)
            if name.lower() in self._picture.watchers:
                self._measure(self._picture.watchers[name.lower()].figures, total, memory)
        self._picture.rounds += 1

    def circusd(self, info: Mapping[str, Any]) -> None:
        """Take the answer of `dstats`, as far as it is about circusd itself."""
        if isinstance(info.get("cpu"), int | float):
            self._measure(self._picture.circusd, info["cpu"], rss(info))

    def recalled(self, past: Mapping[str, Any]) -> None:
        """Take the answer of `history`, as far as it is about who is known here."""
        step = past["step"]
        moments = [past["begin"] + (place + 1) * step for place in range(past["points"])]
        streamers = [line for name, line in past["watchers"].items() if name in OWN]
        self._picture.circusd.recalled(_points(moments, [past.get("circusd") or {}, *streamers]), step)
        for name, line in past["watchers"].items():
            if name.lower() in self._picture.watchers:
                self._picture.watchers[name.lower()].figures.recalled(_points(moments, [line]), step)
        for name, lines in past["processes"].items():
            watcher = self._picture.watchers.get(name.lower())
            for line in lines:
                if watcher is not None and line["running"] and line["pid"] in watcher.processes:
                    watcher.processes[line["pid"]].figures.recalled(_points(moments, [line]), step)

    def expire(self) -> None:
        """Forget who is silent, where only figures tell who there is."""
        if self.known:
            return
        limit = time.monotonic() - self._timeout
        for watcher in tuple(self._picture.watchers.values()):
            for process in tuple(watcher.processes.values()):
                if process.figures.at < limit:
                    del watcher.processes[process.pid]
            if not watcher.processes and watcher.figures.at < limit:
                self._picture.forget(watcher.name)

    def _sum(self, name: str, told: dict[str, Any]) -> None:
        if not isinstance(told.get("cpu"), int | float):
            return
        pids = told.get("pid") or []
        # In Circus the figure is the average.
        cpu = told["cpu_sum"] if "cpu_sum" in told else told["cpu"] * len(pids)
        watcher = None if name == "circus" else self._watcher(str(told.get("watcher") or name))
        if name == "circus":
            self._measure(self._picture.circusd, cpu, _memory(told))
            self._end_round()
        elif watcher is not None:
            memory = _memory(told) or sum(process.figures.memory or 0 for process in watcher.processes.values())
            self._measure(watcher.figures, cpu, memory)

    def _part(self, name: str, told: dict[str, Any]) -> None:
        """A process that is told of as a part of circusd, and is a watcher of its own if `status` says so."""
        watcher = self._picture.watchers.get(name) if name in OWN else None
        process = watcher.processes.get(told["pid"]) if watcher is not None else None
        if watcher is not None and process is not None and isinstance(told.get("cpu"), int | float):
            process.name = str(told.get("cmdline") or process.name)
            for figures in (process.figures, watcher.figures):
                self._measure(figures, told["cpu"], rss(told))

    def _end_round(self) -> None:
        """circusd itself is told of last. Of a watcher without processes nothing is told: it used nothing."""
        before, self._round_ended = self._round_ended, time.monotonic()
        self._picture.rounds += 1
        for watcher in self._picture.watchers.values():
            if (
                self.known
                and not watcher.processes
                and watcher.figures.cpu is not None
                and watcher.figures.at <= before
            ):
                self._measure(watcher.figures, 0.0, 0)

    def _process(self, name: str, pid: int, told: dict[str, Any]) -> None:
        watcher = self._watcher(name)
        if watcher is None or not isinstance(told.get("cpu"), int | float):
            return
        process = watcher.processes.get(pid)
        if process is None:
            if self.known:
                # It is on its way out, or `status` is about to tell of it.
                return
            process = watcher.processes[pid] = ProcessView(pid, wid=told.get("wid"))
            age = told.get("age")
            process.since = time.time() - age if isinstance(age, int | float) else 0.0
        process.name = str(told.get("cmdline") or process.name)
        self._measure(process.figures, told["cpu"], rss(told))

    def _measure(self, figures: Figures, cpu: float, memory: int) -> None:
        self._picture.measured = True
        figures.measured(float(cpu), memory)

    def _watcher(self, name: str) -> WatcherView | None:
        if name in OWN:
            return None
        found = self._picture.watchers.get(name.lower())
        return found if found is not None or self.known else self._picture.watcher(name)

    def _socket(self, told: dict[str, Any]) -> None:
        known = self._picture.sockets.get(told["fd"])
        if known is None:
            address = str(told.get("address", ""))
            known = self._picture.sockets[told["fd"]] = SocketView(told["fd"], str(told.get("name") or ""), address)
        known.measured(told.get("waiting", told.get("reads")))


def rss(told: Mapping[str, Any]) -> int:
    """The resident memory of a process, in bytes; of Circus, which says it in words, to the last digit it says."""
    if "rss" in told:
        return int(told["rss"])
    try:
        return bytes_of(str(told.get("mem_info1") or ""))
    except ValueError:
        return 0


def _memory(told: Mapping[str, Any]) -> int:
    return int(told.get("rss") or 0)


def _points(
    moments: Iterable[float], lines: Iterable[Mapping[str, Sequence[Any]]]
) -> Iterator[tuple[float, float, int]]:
    """When, and what those did together of whom something is known then."""
    there = [line for line in lines if line]
    for at, *values in zip(moments, *(zip(line["cpu"], line["rss"], strict=True) for line in there), strict=False):
        known = [(cpu, memory) for cpu, memory in values if cpu is not None]
        if known:
            yield at, sum(cpu for cpu, _memory in known), sum(memory for _cpu, memory in known)
