"""What circusd says of this moment, when it is asked: the answers of `status` and `stats` as values of metrics."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from circus_core.errors import CircusError, UnknownCommandError
from circus_prometheus import metrics

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

    from circus_core.plugin import Client
    from circus_prometheus.metrics import Metric

    Value = tuple[Metric, tuple[str, ...], float]

UNITS = "BKMGTPEZY"


async def take(client: Client, log: logging.Logger, *, each_process: bool) -> tuple[list[Value], set[str] | None]:
    """Values of all metrics that circusd has to be asked for, and the names of all watchers; None if it is silent."""
    info: Value = (metrics.INFO, (version("circus-bus"),), 1)
    try:
        details = (await client.call("status", extended=True))["details"]
        infos = await _stats(client) if each_process else {}
    except CircusError as error:
        log.warning("circusd does not answer: %s", error)
        return [info, (metrics.UP, (), 0)], None
    values = [info, (metrics.UP, (), 1)]
    for name, detail in details.items():
        values += _watcher(name, detail)
        if each_process:
            values += [(metrics.AGE, (name, str(one["wid"])), one["age"]) for one in detail["processes"]]
        values += _processes(name, infos.get(name, {}))
    return values, set(details)


async def _stats(client: Client) -> Mapping[str, Any]:
    """What `stats` says of each watcher; nothing where this circusd has no such command."""
    try:
        infos: Mapping[str, Any] = (await client.call("stats"))["infos"]
    except UnknownCommandError:
        return {}
    return infos


def _watcher(name: str, detail: Mapping[str, Any]) -> Iterator[Value]:
    for state in metrics.STATES:
        yield metrics.STATE, (name, state), float(detail["state"] == state)
    yield metrics.WANTED, (name,), detail["numprocesses"]
    yield metrics.RUNNING, (name,), len(detail["processes"])
    yield metrics.WAITING, (name,), len(detail["waiting"])
    yield metrics.GIVEN_UP, (name,), len(detail["gave_up"])
    yield metrics.RESTARTS, (name,), detail["restarts"]
    if detail["uptime"] is not None:
        yield metrics.UPTIME, (name,), detail["uptime"]


def _processes(name: str, processes: Mapping[str, Any]) -> Iterator[Value]:
    """The values of a watcher's processes (PROTOCOL.md 1.7); one that has just ended is told by a text."""
    for told in processes.values():
        if not isinstance(told, dict) or "wid" not in told:
            continue
        labels = name, str(told["wid"])
        for metric, key in ((metrics.RESIDENT, "mem_info1"), (metrics.VIRTUAL, "mem_info2")):
            size = in_bytes(told.get(key))
            if size is not None:
                yield metric, labels, size
        if isinstance(told.get("cpu"), int | float):
            yield metrics.CPU, labels, told["cpu"] / 100


def in_bytes(text: object) -> float | None:
    """The size in a text such as `12.34M`; None if there is none, as in `N/A`."""
    if not isinstance(text, str) or text[-1:] not in UNITS or not text[:-1]:
        return None
    try:
        return float(text[:-1]) * float(1024 ** UNITS.index(text[-1]))
    except ValueError:
        return None
