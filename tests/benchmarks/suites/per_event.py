"""per_event: the daemon's CPU time for one death and its respawn, which is not to depend on how many processes live."""

import random
import time

import proc
from bench import Bench, bring_up, say
from report import Column, Report
from supervisors.base import Supervisor, lives
from supervisors.ours import Ours, OursOneWatcher

NAMES = ("per_event",)
COUNTS = (100, 1000, 5000)
KILLS = 200
WELL_LIVED = 2.5  # seconds
SETTLE = 1.0  # for what the last death may still cause
PATIENCE = 10.0


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """200 children, each once, are killed one after another: the next when the last one's successor runs."""
    columns = [
        Column(f"us_{count}", f"{count:,} processes: us" if count == COUNTS[0] else f"{count:,}", 0, ratio=False)
        for count in COUNTS
    ]
    report = Report("per_event", "daemon CPU for one death and respawn", columns)
    for number in range(bench.rounds):
        for count in COUNTS:
            for kind in bench.pick((Ours, OursOneWatcher), report):
                say(f"per_event: round {number + 1}, {kind.name}, {count:,} processes")
                report.add(kind.name, **{f"us_{count}": _life(bench, kind, count)})
    for ours in (Ours, OursOneWatcher):
        few = report.get(ours.name, f"us_{COUNTS[0]}")
        for count in COUNTS[1:]:
            target = f"{ours.name}: at {count:,} processes no more than 1.2x of that at {COUNTS[0]}"
            report.at_most(target, ours.name, f"us_{count}", few and 1.2 * few, " us")
    return [report]


def _life(bench: Bench, kind: type[Supervisor], count: int) -> float:
    """CPU time in us per death."""
    kills = min(KILLS, count)
    with lives(bench.cache, bench.program, [kind], count) as [supervisor]:
        [births] = bring_up([supervisor], count)
        time.sleep(WELL_LIVED)
        own = supervisor.own_pids()
        before = proc.cpu_ns(own)
        for birth in random.sample(births, kills):
            supervisor.nursery.kill(birth)
            supervisor.nursery.wait_for(1, PATIENCE)
        time.sleep(SETTLE)
        return (proc.cpu_ns(own) - before) / kills / 1000
