"""flooded: how long a command and a death wait while other children write as much as they can."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import proc
from bench import Bench, bring_up, say
from children import Birth
from floods import ENDLESS, MEGABYTE, Flood, need
from report import Column, Report, percentile
from supervisors.base import lives
from supervisors.circus import Circus
from supervisors.keepers import CircusKeeping, Keeper, Keeping, OursKeeping, RunitKeeping, SupervisordKeeping, keeping

from suites.requests import ZmqClient

NAMES = ("flooded",)
KINDS = (OursKeeping, SupervisordKeeping, RunitKeeping, CircusKeeping)
FLOODS = (1, 50)
KEPT = Keeping(max_bytes=20 * MEGABYTE, earlier=1)
QUIET = 20  # children that say nothing, and are killed one after another
ASKED = 300
COMMANDS = 60
WELL_LIVED = 3.0
PAUSE = 0.02
BUDGET = 15.0  # seconds for the deaths
PATIENCE = 15.0


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """A flood without an end, into files of 20 MB. `bare` is `python -c pass` beside the status command: what any
    program waits for until the machine, which is full, has started it."""
    if bench.program is None:
        raise RuntimeError("gcc is missing, and no script floods fast enough")
    columns = [
        Column("asked_p50", "request: p50 ms", 2, ratio=False),
        Column("asked_p99", "p99", 2, ratio=False),
        Column("command_p50", "status command: p50 ms", ratio=False),
        Column("command_p99", "p99", ratio=False),
        Column("bare_p50", "bare: p50", ratio=False),
        Column("bare_p99", "p99", ratio=False),
        Column("respawn_p50", "respawn: p50 ms", ratio=False),
        Column("respawn_p99", "p99", ratio=False),
        Column("growth", "grown by MB", ratio=False),
    ]
    program = bench.cache.compiled("flood")
    reports = []
    for floods in FLOODS:
        need(floods * 2 * KEPT.max_bytes)
        report = Report("flooded", f"while {floods} flood", columns)
        for kind in bench.pick(KINDS, report):
            for number in range(bench.rounds):
                say(f"flooded by {floods}: round {number + 1}, {kind.name}")
                try:
                    _life(bench, program, keeping(kind, KEPT), floods, report)
                except (RuntimeError, TimeoutError) as error:
                    report.absent[kind.name] = str(error)
        for who, samples in report.samples.items():
            figures: dict[str, float] = {}
            for key, seen in samples.items():
                if key == "growth":
                    figures[key] = max(seen)
                else:
                    figures |= {f"{key}_p50": percentile(seen, 0.5), f"{key}_p99": percentile(seen, 0.99)}
            report.rows[who] = figures
        ours = OursKeeping.name
        report.at_most("a request is answered within 100 ms at p99", ours, "asked_p99", 100.0, " ms")
        report.at_most("the status command takes less than 100 ms at p99", ours, "command_p99", 100.0, " ms")
        report.at_most("a death is respawned within 20 ms", ours, "respawn_p99", 20.0, " ms")
        report.at_most("memory grows by less than 32 MB", ours, "growth", 32.0, " MB")
        reports.append(report)
    return reports


def _life(bench: Bench, program: Path, kind: type[Keeper], floods: int, report: Report) -> None:
    loud = [f"{number:04d}" for number in range(floods)]
    quiet = [f"idle{number:02d}" for number in range(QUIET)]
    with lives(bench.cache, program, [kind], [*loud, *quiet]) as [keeper]:
        flood = Flood(keeper, loud, ENDLESS)
        try:
            [births] = bring_up([keeper], len(loud) + len(quiet))
            time.sleep(WELL_LIVED)
            own = keeper.own_pids()
            memory = proc.memory(own).rss
            flood.let_go()
            time.sleep(1)
            keeper.nursery.births(0)
            if isinstance(keeper, Circus):
                client = ZmqClient(keeper.endpoint, "status")
                for number in range(ASKED):
                    report.add(kind.name, asked=_took(lambda number=number: client.ask(number)))
                    time.sleep(PAUSE / 2)
            command = keeper.status_command()
            for _ in range(COMMANDS if command else 0):
                report.add(kind.name, command=_took(lambda: _run(command or [])))
                report.add(kind.name, bare=_took(lambda: _run([sys.executable, "-I", "-c", "pass"])))
            until = time.monotonic() + BUDGET
            for birth in births:
                if birth.name.startswith("idle") and time.monotonic() < until:
                    report.add(kind.name, respawn=_respawn(keeper, birth))
                    time.sleep(PAUSE)
            report.add(kind.name, growth=(proc.peak(own) - memory) / 1024)
        finally:
            flood.close()


def _took(what: Callable[[], object]) -> float:
    before = time.monotonic()
    what()
    return (time.monotonic() - before) * 1000


def _run(command: list[str]) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _respawn(keeper: Keeper, birth: Birth) -> float:
    """How long after the death of a child its successor ran, in ms."""
    killed = keeper.nursery.kill(birth)
    [successor] = keeper.nursery.wait_for(1, PATIENCE)
    return (successor.at - killed) / 1e6
