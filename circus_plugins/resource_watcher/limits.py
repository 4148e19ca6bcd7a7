"""What a process may use: the options of the resource watcher, and which of its limits a usage is beyond.

It measures nothing and orders nothing. PROTOCOL.md 7 has Circus' options.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from circus_core.kinds import FALSE, INTEGER, NUMBER, SIGNAL, TRUE, choice
from circus_core.options import Kind, option
from circus_plugins.statsd import StatsdOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
NO, EACH, SUM = "no", "each", "sum"


@frozen
class Amount:
    """An amount of memory: so many bytes, or percent of the machine's."""

    number: float
    percent: bool

    def __str__(self) -> str:
        if self.percent:
            return f"{self.number:g}"
        for unit, size in reversed(UNITS.items()):
            if unit and self.number >= size:
                return f"{self.number / size:g}{unit}"
        return f"{self.number:g}B"


@frozen
class Usage:
    """What a process used: `cpu` percent of one processor, None at the first look; `memory` bytes and percent."""

    cpu: float | None
    memory: int
    percent: float


@frozen
class Excess:
    """A limit that a process is beyond: its name in metrics, the value and the limit in words."""

    name: str
    value: str
    limit: str

    def __str__(self) -> str:
        relation = "less" if self.name.startswith("under") else "more"
        return f"{self.name}: {self.value}, {relation} than {self.limit}"


def _amount(value: object) -> Amount:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return Amount(float(value), percent=True)
    found = re.fullmatch(r"\s*([0-9]+|[0-9]*\.[0-9]+)\s*(%|[KMGT]?I?B|[KMGT])?\s*", str(value), re.IGNORECASE)
    if not isinstance(value, str) or found is None:
        raise ValueError("expected percent of the machine's memory, such as 90, or a size, such as 250M or 1.5G")
    number, unit = float(found[1]), (found[2] or "%").upper()
    if unit == "%":
        return Amount(number, percent=True)
    return Amount(number * UNITS[unit.rstrip("IB")], percent=False)


def _names(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("expected names of watchers, with commas between them")
    return tuple(name.strip() for name in names if name.strip())


def _children(value: object) -> str:
    word = str(value).lower()
    return EACH if word in TRUE else NO if word in FALSE else _WORD.check(word)


_WORD = choice(NO, EACH, SUM)

AMOUNT: Kind[Amount] = Kind(
    "amount of memory", "percent, or a size such as 250M", "isn't an amount of memory", _amount, _amount,
    show=str, schema={"type": ["number", "string"]},
)  # fmt: skip
NAMES: Kind[tuple[str, ...]] = Kind(
    "names", "names of watchers", "isn't a list of names", _names, _names,
    show=", ".join, schema={"type": ["string", "array"], "items": {"type": "string"}},
)  # fmt: skip
CHILDREN: Kind[str] = evolve(_WORD, parse=_children, check=_children, schema={"type": ["string", "boolean", "integer"]})


@frozen(kw_only=True)
class Limits(StatsdOptions):
    """The options; a limit of 0 is none."""

    watcher: tuple[str, ...] = option(NAMES, (), help="Whose processes: names or patterns, such as `web, worker*`.")
    service: tuple[str, ...] = option(NAMES, (), help="The old name of `watcher`.")
    loop_rate: float = option(NUMBER, 60, unit="seconds", minimum=0.01, help="How often their use is looked at.")
    max_cpu: float = option(NUMBER, 90, minimum=0, unit="percent", help="The most of one processor; 0: no limit.")
    min_cpu: float = option(NUMBER, 0, minimum=0, unit="percent", help="The least of one processor; 0: no limit.")
    max_mem: Amount = option(AMOUNT, Amount(90, percent=True), help="The most memory: percent, or a size; 0: no limit.")
    min_mem: Amount = option(AMOUNT, Amount(0, percent=True), help="The least memory: percent, or a size; 0: no limit.")
    health_threshold: float = option(
        NUMBER, 75, minimum=0, unit="percent", help="The most of the mean of both, processor and memory; 0: no limit."
    )
    max_count: int = option(INTEGER, 3, minimum=0, help="So many times in a row a process may be beyond a limit.")
    process_children: str = option(
        CHILDREN, NO,
        help="Descendants: `no`; `each` is judged by itself (or 1); or the `sum` of a process and all of them.",
    )  # fmt: skip
    child_signal: int = option(SIGNAL, 15, help="What a descendant gets that is beyond a limit.")
    action: str = option(
        choice("restart", "kill", "notify"), "restart",
        help="Restart the watcher; `kill` the process, which is replaced; or only `notify`.",
    )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """Whose processes."""
        return self.watcher or self.service

    def contradictions(self) -> list[tuple[str, ...]]:
        """Called when they are read."""
        found = super().contradictions()
        if not self.names:
            found.append(("watcher", "is missing", "name a watcher, several, or * for all", "service"))
        return found

    def doubts(self) -> Iterator[tuple[str, str, str]]:
        """Called when they are read."""
        if self.service:
            yield "service", "is an old name", "write watcher"
        for key in ("max_mem", "min_mem"):
            amount = getattr(self, key)
            if amount.percent and amount.number > 100:
                hint = f"a size has a unit: {amount.number:g}M"
                yield key, f"is {amount.number:g} percent of the machine's memory", hint

    def beyond(self, usage: Usage) -> Iterator[Excess]:
        """The limits that a usage is beyond."""
        if usage.cpu is not None:
            if self.max_cpu and usage.cpu > self.max_cpu:
                yield Excess("over_cpu", f"{usage.cpu:.1f} %", f"{self.max_cpu:g} %")
            if usage.cpu < self.min_cpu:
                yield Excess("under_cpu", f"{usage.cpu:.1f} %", f"{self.min_cpu:g} %")
            health = (usage.cpu + usage.percent) / 2
            if self.health_threshold and health > self.health_threshold:
                yield Excess("over_health", f"{health:.1f} %", f"{self.health_threshold:g} %")
        for name, amount in (("over_memory", self.max_mem), ("under_memory", self.min_mem)):
            value: float = usage.percent if amount.percent else usage.memory
            if amount.number and (value > amount.number if name == "over_memory" else value < amount.number):
                shown = f"{value:.1f} %" if amount.percent else str(Amount(value, percent=False))
                yield Excess(name, shown, f"{amount} %" if amount.percent else str(amount))
