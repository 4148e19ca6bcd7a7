"""The plugin `full_stats`: tells a statsd server at regular times what watchers use, and what waits at sockets.

The figures are those of the commands `stats` and `listsockets`; it looks at no process itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import frozen

from circus_core.errors import CircusError
from circus_core.kinds import NUMBER
from circus_core.options import option
from circus_plugins.phrases import bytes_of
from circus_plugins.statsd.sending import StatsdOptions, StatsdPlugin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PLUGINS = "plugin:"
"""How the names of the watchers of plugins begin, which Circus leaves out."""
TURN = 20
"""Watchers told of in one turn of the loop: about a millisecond."""
QUEUE = ("waiting", "limit", "dropped")


class FullStats(StatsdPlugin):
    """Tells a statsd server what watchers use."""

    name = "full_stats"

    @frozen(kw_only=True)
    class Options(StatsdOptions):
        """PROTOCOL.md 7."""

        loop_rate: float = option(NUMBER, 60, unit="seconds", minimum=0.01, help="How often circusd is asked.")

    options: Options

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._failing = False

    async def circus_startup(self) -> None:
        """Begin to ask."""
        await super().circus_startup()
        self.every(self.options.loop_rate, self.look)

    async def look(self) -> None:
        """Ask once, and tell; a server that is not found is told nothing, and circusd is not asked."""
        if self.metrics is None:
            return
        try:
            infos = (await self.client.call("stats"))["infos"]
            sockets = (await self.client.call("listsockets"))["sockets"]
        except CircusError as error:
            self.count("error", group="_stats")
            if not self._failing:
                self.log.warning("circusd was not asked what watchers use: %s", error)
            self._failing = True
            return
        self._failing = False
        await self._tell(infos, sockets)

    async def _tell(self, infos: Mapping[str, Mapping[str, Any]], sockets: Iterable[Mapping[str, Any]]) -> None:
        assert self.metrics is not None
        shown = {name: processes for name, processes in infos.items() if not name.startswith(PLUGINS)}
        # A gauge keeps its last value: one that is gone would look as if it ran for ever.
        gone: dict[str, Mapping[str, Any]] = {name: {} for name in self._known - shown.keys()}
        self._known = set(shown)
        told = list({**shown, **gone}.items())
        for start in range(0, len(told), TURN):
            with self.metrics.together() as metrics:
                for watcher, processes in told[start : start + TURN]:
                    for name, value in figures(processes).items():
                        metrics.gauge(name, value, group="_stats", plain=watcher, watcher=watcher)
            await asyncio.sleep(0)
        with self.metrics.together() as metrics:
            for entry in sockets:
                for name in QUEUE:
                    if entry[name] is not None:
                        socket = entry["name"]
                        metrics.gauge(name, entry[name], group="_sockets", plain=socket, socket=socket)


def figures(processes: Mapping[str, Any]) -> dict[str, float]:
    """Circus' gauges of one watcher, from what `stats` says of its processes; who ended meanwhile has no object."""
    alive = [each for each in processes.values() if isinstance(each, dict)]
    cpu = [each["cpu"] for each in alive]
    percent = [each["mem"] for each in alive]
    memory = [bytes_of(each["mem_info1"]) for each in alive]
    return {
        "watchers_num": len(alive),
        "cpu_max": max(cpu, default=0),
        "cpu_sum": round(sum(cpu), 1),
        "mem_pct_max": max(percent, default=0),
        "mem_pct_sum": round(sum(percent), 3),
        "mem_max": max(memory, default=0),
        "mem_sum": sum(memory),
    }
