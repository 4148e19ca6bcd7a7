"""output: how fast what children write gets into files, and what that takes of the processor and of memory."""

import time
from dataclasses import dataclass
from pathlib import Path

import proc
from bench import Bench, bring_up, say
from floods import MEGABYTE, Flood, need, warm
from report import Column, Report
from supervisors.base import lives
from supervisors.keepers import (
    Cat,
    CircusKeeping,
    DaemontoolsKeeping,
    Keeper,
    Keeping,
    OursKeeping,
    Pm2Keeping,
    RunitKeeping,
    S6Keeping,
    Splice,
    SupervisordKeeping,
    keeping,
)

NAMES = ("output", "output-rotated", "output-many", "output-stamped", "output-lines")
KINDS = (
    OursKeeping, Splice, Cat, SupervisordKeeping, Pm2Keeping, S6Keeping, DaemontoolsKeeping, RunitKeeping,
    CircusKeeping,
)  # fmt: skip
MANY = 50
ROTATED = 100 * MEGABYTE
SETTLE = 1.0
PATIENCE = 300.0
GB = 1e9
LINES_SHARE = 5  # a write(2) for each line takes long: one part in so many is written then


PLAIN = Keeping()


@dataclass(frozen=True)
class Case:
    """One sort of flood."""

    title: str
    wanted: Keeping = PLAIN
    children: int = 1
    block: int = MEGABYTE


CASES = {
    "output": Case("one child, a plain file"),
    "output-rotated": Case("one child, a new file every 100 MB", Keeping(max_bytes=ROTATED)),
    "output-many": Case(f"{MANY} children at once, a plain file each", children=MANY),
    "output-stamped": Case("one child, a time before each line", Keeping(stamped=True)),
    "output-lines": Case("one child that writes each line by itself", block=100),
}


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """One life for each case, supervisor and round. What was written is compared with the files byte by byte."""
    if bench.program is None:
        raise RuntimeError("gcc is missing, and no script floods fast enough")
    need(bench.size)
    program = bench.cache.compiled("flood")
    reports = []
    for name in [name for name in NAMES if name in wanted]:
        case = CASES[name]
        report = Report(name, f"{case.title}, {_size(bench, case) * case.children / GB:.2f} GB in all", _columns())
        kinds = [keeping(kind, case.wanted) for kind in bench.pick(KINDS, report) if kind.can(case.wanted)]
        for number in range(bench.rounds):
            for kind in [kind for kind in kinds if kind.name not in report.absent]:
                say(f"{name}: round {number + 1}, {kind.name}")
                try:
                    _life(bench, program, kind, case, report)
                except (RuntimeError, TimeoutError) as error:
                    report.absent[kind.name] = str(error)
        _judge(name, report)
        reports.append(report)
    return reports


def _columns() -> list[Column]:
    return [
        Column("rate", "MB/s", 0),
        Column("cpu", "CPU s per GB", 2),
        Column("child", "MB/s as the child sees it", 0),
        Column("growth", "grown by MB", ratio=False),
    ]


def _size(bench: Bench, case: Case) -> int:
    size = bench.size // (LINES_SHARE if case.block < MEGABYTE else 1) // case.children
    return size // MEGABYTE * MEGABYTE


def _life(bench: Bench, program: Path, kind: type[Keeper], case: Case, report: Report) -> None:
    names = [f"{number:04d}" for number in range(case.children)]
    warm(_size(bench, case) * case.children)
    with lives(bench.cache, program, [kind], names) as [keeper]:
        flood = Flood(keeper, names, _size(bench, case), case.block)
        try:
            bring_up([keeper], len(names))
            time.sleep(SETTLE)
            own = keeper.own_pids()
            cpu, memory = proc.cpu_ns(own), proc.memory(own).rss
            flood.let_go()
            course = flood.wait(PATIENCE)
            used, grown = proc.cpu_ns(own) - cpu, proc.peak(own) - memory
            flood.check()
        finally:
            flood.close()
        total = flood.size * len(names)
        report.add(
            kind.name,
            rate=total / (course.complete - course.begun) * 1000,
            child=total / (course.last - course.begun) * 1000,
            cpu=used / total,
            growth=grown / 1024,
        )


def _judge(name: str, report: Report) -> None:
    ours = OursKeeping.name
    rates, cpus, children = (
        {who: figures[key] for who, figures in report.rows.items()} for key in ("rate", "cpu", "child")
    )
    bare, cat, supervisord = Splice.name, Cat.name, SupervisordKeeping.name
    if name == "output":
        splice = rates.get(bare)
        peers = [who for who in rates if who not in (ours, bare, cat)]
        report.at_least("0.9 of a bare splice loop", ours, "rate", splice and 0.9 * splice, " MB/s")
        report.at_least("ahead of every peer", ours, "rate", max((rates[who] for who in peers), default=None), " MB/s")
        report.at_most(
            "less CPU than every peer", ours, "cpu", min((cpus[who] for who in peers), default=None), " s/GB"
        )
    elif name in ("output-rotated", "output-many"):
        report.at_least("ahead of supervisor", ours, "rate", rates.get(supervisord), " MB/s")
        report.at_most("less CPU than supervisor", ours, "cpu", cpus.get(supervisord), " s/GB")
    elif name == "output-stamped":
        report.at_least("250 MB/s", ours, "rate", 250.0, " MB/s")
    else:
        report.at_least("a child is no slower than under cat", ours, "child", children.get(cat), " MB/s")
    report.at_most("memory grows by less than 32 MB", ours, "growth", 32.0, " MB")
