"""streamed: what it takes to bring up many children and keep their standard output and standard error, in two files
each, while they say nothing."""

import time

import proc
from bench import Bench, bring_up, say
from report import Column, Report
from supervisors.base import lives
from supervisors.keepers import CircusKeeping, Keeper, Keeping, OursKeeping, Pm2Keeping, SupervisordKeeping, keeping

NAMES = ("streamed",)
KINDS = (OursKeeping, SupervisordKeeping, Pm2Keeping, CircusKeeping)
COUNT = 1000
SETTLE = 3.0
BOTH = Keeping(both=True)


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """One life with one child and one with many, for each supervisor and round."""
    columns = [
        Column("seconds", f"{COUNT:,} up: s", 2),
        Column("rss", "resident MB"),
        Column("child", "per child: anonymous KB", ratio=False),
        Column("cpu_ms", "idle for 5 s: CPU ms", ratio=False),
    ]
    report = Report("streamed", f"{COUNT:,} children with two streams", columns)
    for number in range(bench.rounds):
        for kind in [kind for kind in bench.pick(KINDS, report) if kind.can(BOTH)]:
            say(f"streamed: round {number + 1}, {kind.name}")
            try:
                _life(bench, keeping(kind, BOTH), report)
            except (RuntimeError, TimeoutError) as error:
                report.absent[kind.name] = str(error)
    report.at_most(
        "up ahead of supervisor", OursKeeping.name, "seconds", report.get(SupervisordKeeping.name, "seconds"), " s"
    )
    return [report]


def _life(bench: Bench, kind: type[Keeper], report: Report) -> None:
    with lives(bench.cache, bench.program, [kind], 1) as [keeper]:
        bring_up([keeper], 1)
        time.sleep(SETTLE)
        one = proc.memory(keeper.own_pids()).anonymous
    with lives(bench.cache, bench.program, [kind], COUNT) as [keeper]:
        before = time.monotonic_ns()
        [births] = bring_up([keeper], COUNT)
        seconds = (max(birth.at for birth in births) - before) / 1e9
        time.sleep(SETTLE)
        own = keeper.own_pids()
        many, cpu = proc.memory(own), proc.cpu_ns(own)
        time.sleep(5)
        report.add(
            kind.name,
            seconds=seconds,
            rss=many.rss / 1024,
            child=(many.anonymous - one) / (COUNT - 1),
            cpu_ms=(proc.cpu_ns(own) - cpu) / 1e6,
        )
