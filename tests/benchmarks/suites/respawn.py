"""respawn: from the SIGKILL of a child until its successor runs, for one that lived well and one that died young."""

import random
import time

from bench import Bench, bring_up, say
from children import Birth
from report import Column, Report, percentile
from supervisors.base import Supervisor, lives
from supervisors.circus import Circus, CircusFast
from supervisors.loop import CLoop
from supervisors.ours import Ours, OursOneWatcher
from supervisors.pm2 import Pm2
from supervisors.scandirs import S6, Daemontools, Runit, RunitNoShell
from supervisors.supervisord import Supervisord

NAMES = ("respawn",)
KINDS = (Ours, OursOneWatcher, CLoop, Runit, RunitNoShell, Daemontools, S6, Pm2, Circus, CircusFast, Supervisord)
COUNT = 60
AGAIN = 20  # of them die again, young
AGAIN_TIMES = 2  # "the first few" deaths in a row
WELL_LIVED = 2.5  # seconds; every supervisor here takes a child for well started after 1 s or 2
YOUNG = 0.3  # seconds of life of a child that dies again
BUDGET = 20.0  # seconds for each of the two halves: one that is slow to notice gives fewer samples
PATIENCE = 15.0


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """Deaths come one at a time, so that none is noticed for the sake of another; samples of all rounds are pooled."""
    columns = [
        Column("well_p50", "lived well: p50 ms", 2),
        Column("well_p99", "p99", 2),
        Column("well_count", "deaths", 0, ratio=False),
        Column("young_p50", "died young: p50 ms", 2),
        Column("young_p99", "p99", 2),
        Column("young_count", "deaths", 0, ratio=False),
    ]
    report = Report("respawn", "from the SIGKILL of a child until its successor's main()", columns)
    for number in range(bench.rounds):
        for kind in bench.pick(KINDS, report):
            say(f"respawn: round {number + 1}, {kind.name}")
            _life(bench, kind, report)
    for who, samples in report.samples.items():
        figures: dict[str, float] = {}
        for key, times in samples.items():
            figures |= {f"{key}_p50": percentile(times, 0.5), f"{key}_p99": percentile(times, 0.99)}
            figures[f"{key}_count"] = len(times)
        report.rows[who] = figures
    _judge(report)
    return [report]


def _life(bench: Bench, kind: type[Supervisor], report: Report) -> None:
    with lives(bench.cache, bench.program, [kind], COUNT) as [supervisor]:
        [births] = bring_up([supervisor], COUNT)
        time.sleep(WELL_LIVED)
        random.shuffle(births)

        until = time.monotonic() + BUDGET
        for birth in births[AGAIN:]:
            if time.monotonic() < until:
                took, _ = _kill(supervisor, birth)
                report.add(kind.name, well=took)
                # A random pause of up to the length of its periodic look, if it has one, meets that at any phase.
                time.sleep(random.uniform(0.05, 0.1 + took / 1000))

        until = time.monotonic() + BUDGET
        for birth in births[:AGAIN]:
            if time.monotonic() < until:
                _, birth = _kill(supervisor, birth)
                for _ in range(AGAIN_TIMES):
                    time.sleep(max(0.0, birth.at / 1e9 + YOUNG - time.monotonic()))
                    took, birth = _kill(supervisor, birth)
                    report.add(kind.name, young=took)


def _kill(supervisor: Supervisor, birth: Birth) -> tuple[float, Birth]:
    """How long after the death the successor ran, in ms, and the successor."""
    killed = supervisor.nursery.kill(birth)
    [successor] = supervisor.nursery.wait_for(1, PATIENCE)
    return (successor.at - killed) / 1e6, successor


def _judge(report: Report) -> None:
    runit = report.get(Runit.name, "well_p50")
    for ours in (Ours, OursOneWatcher):
        report.at_most(f"{ours.name}: p50 no worse than runit's", ours.name, "well_p50", runit, " ms")
        report.at_most(f"{ours.name}: p99 under 6 ms", ours.name, "well_p99", 6.0, " ms")
        report.at_most(f"{ours.name}: p50 of one that died young no worse either", ours.name, "young_p50", runit, " ms")
        report.at_most(f"{ours.name}: p99 of one that died young under 6 ms", ours.name, "young_p99", 6.0, " ms")
