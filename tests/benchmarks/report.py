"""What a benchmark found, as a table with ratios to ours, as verdicts on the targets, and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

OURS = "ours"


@dataclass(frozen=True)
class Column:
    """One figure of every row. With `ratio`, the table also says how many times ours it is."""

    key: str
    title: str
    digits: int = 1
    ratio: bool = True


@dataclass(frozen=True)
class Verdict:
    """A target, what was seen, and whether that meets it; `met` is None where a peer or ours is missing."""

    target: str
    seen: str
    met: bool | None


Figures = Mapping[str, float | None]


@dataclass
class Report:
    """`rows` maps the name of a supervisor to its figures; `samples` to what they were made of."""

    name: str
    title: str
    columns: Sequence[Column]
    baseline: str = OURS
    rows: dict[str, Figures] = field(default_factory=dict)
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def add(self, who: str, **values: float | None) -> None:
        """Keep one sample of each figure of `who`; a row shows the medians."""
        for key, value in values.items():
            if value is not None:
                self.samples.setdefault(who, {}).setdefault(key, []).append(value)
        self.rows[who] = {key: median(samples) for key, samples in self.samples.get(who, {}).items()}

    def get(self, who: str, key: str) -> float | None:
        return self.rows.get(who, {}).get(key)

    def at_most(self, target: str, who: str, key: str, limit: float | None, unit: str = "") -> None:
        """Add a verdict: figure `key` of `who` is to be no more than `limit`."""
        self._judge(target, who, key, limit, unit, 1)

    def at_least(self, target: str, who: str, key: str, limit: float | None, unit: str = "") -> None:
        """Add a verdict: figure `key` of `who` is to be no less than `limit`."""
        self._judge(target, who, key, limit, unit, -1)

    def _judge(self, target: str, who: str, key: str, limit: float | None, unit: str, sign: int) -> None:
        seen = self.get(who, key)
        met = None if seen is None or limit is None else sign * seen <= sign * limit
        told = "not measured" if seen is None else f"{seen:,.4g}{unit}"
        self.verdicts.append(Verdict(target, told if limit is None else f"{told}, limit {limit:,.4g}{unit}", met))

    def text(self) -> str:
        """The table and the verdicts, for a terminal."""
        heads = ["", *(head for column in self.columns for head in _heads(column))]
        lines = [heads, *([who, *self._cells(figures)] for who, figures in self.rows.items())]
        widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
        out = [f"{self.name}: {self.title}", ""]
        for line in lines:
            cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
            out.append("  " + "  ".join(cells).rstrip())
        out += [f"  {who}: {why}" for who, why in self.absent.items()]
        marks = {True: "met   ", False: "MISSED", None: "?     "}
        out += ["", *(f"  {marks[verdict.met]} {verdict.target} ({verdict.seen})" for verdict in self.verdicts)]
        return "\n".join(out).rstrip() + "\n"

    def _cells(self, figures: Figures) -> list[str]:
        cells = []
        for column in self.columns:
            value, base = figures.get(column.key), self.get(self.baseline, column.key)
            cells.append("-" if value is None else f"{value:,.{column.digits}f}")
            if column.ratio:
                cells.append(f"x{value / base:.2f}" if value is not None and base else "")
        return cells


def _heads(column: Column) -> list[str]:
    return [column.title, "/ours"] if column.ratio else [column.title]


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that is not below `share` (0 to 1) of all samples."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
