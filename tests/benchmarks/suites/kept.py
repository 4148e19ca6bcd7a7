"""history: what it takes to keep what many processes used: CPU of the streamer while nobody is subscribed, memory once
an hour and a day are full, and what circusd and the streamer need for an answer. No peer keeps any."""

import json
import subprocess
import sys
import time
from typing import ClassVar

import proc
from bench import Bench, bring_up, say
from report import Column, Report
from supervisors.base import lives

from suites.sampled import COUNTS, OursStreaming

NAMES = ("history",)
LIMITS = {1000: 3.0, 5000: 12.0}
"""Percent of a core, at the most: as for telling it to a subscriber."""
SETTLE, SPAN, ASKED = 5.0, 10.0, 20
FULL = """
import json, os, resource, sys, time
from circus_plugins.stats.feed import Seen
from circus_plugins.stats.history.answering import Question, answer
from circus_plugins.stats.history.keeping import History
from circus_plugins.stats.known import Group, Known

class Used:
    def __init__(self, number):
        self.cpu, self.rss, self.threads = number % 50 / 10, (number % 97 + 10) << 20, 3

def anonymous():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:")) * 1024

count = int(sys.argv[1])
history = History(int(sys.argv[2]) << 20)
group = Group("web", b"")
processes = [(Known("web", pid, pid, 0.0), Used(pid)) for pid in range(count)]
group.processes.update((known.pid, known) for known, _ in processes)
seen = [Seen(group, processes, 5.0, 1 << 30)]
before, began, looks = anonymous(), time.process_time(), 0
for looks in range(1440 + 3700):
    history.take(looks * 60.0 if looks < 1440 else 86400.0 + looks, 1.0, seen)
print(json.dumps({
    "taken": anonymous() - before, "said": history.size, "each": (time.process_time() - began) / looks,
    "looks": len(history.processes.looks.frames), "minutes": len(history.processes.minutes.frames),
}))
"""


class OursKeeping(OursStreaming):
    """Ours, which keeps a history."""

    name: ClassVar[str] = "ours, history"

    def configure(self, names: list[str]) -> None:  # type: ignore[override]
        super().configure(names)
        with (self.folder / "app.ini").open("a") as file:
            file.write("[plugin:stats]\nhistory = True\n")


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """What it costs to keep it, and what it takes once it is full."""
    return [*(_kept(bench, count) for count in COUNTS), _full()]


def _kept(bench: Bench, count: int) -> Report:
    columns = [
        Column("cpu", "nobody subscribed: % of a core", 2),
        Column("circusd", "circusd: % of a core", 2, ratio=False),
        Column("answered", "an answer: ms", 1, ratio=False),
        Column("streamer_ms", "streamer's CPU for it: ms", 1, ratio=False),
        Column("circusd_ms", "circusd's: ms", 1, ratio=False),
    ]
    report = Report("history", f"{count:,} processes, looked at once a second", columns)
    for number in range(bench.rounds):
        for kind in bench.pick((OursStreaming, OursKeeping), report):
            say(f"history: round {number + 1}, {count} processes, {kind.name}")
            _life(bench, kind, count, report)  # type: ignore[arg-type]
    if count in LIMITS:
        title = f"{count:,} processes for under {LIMITS[count]:g} % of a core"
        report.at_most(title, OursKeeping.name, "cpu", LIMITS[count], " %")
    return report


def _life(bench: Bench, kind: type[OursStreaming], count: int, report: Report) -> None:
    with lives(bench.cache, bench.program, [kind], count) as [supervisor]:
        bring_up([supervisor], count)
        time.sleep(SETTLE)
        pid = supervisor.streamer()
        cpu, own = proc.cpu_ns([pid]), proc.cpu_ns([supervisor.root()])
        time.sleep(SPAN)
        cpu, own = proc.cpu_ns([pid]) - cpu, proc.cpu_ns([supervisor.root()]) - own
        report.add(kind.name, cpu=cpu / SPAN / 1e7, circusd=own / SPAN / 1e7)
        if kind is OursKeeping:
            cpu, own = proc.cpu_ns([pid]), proc.cpu_ns([supervisor.root()])
            seconds = _ask(supervisor)
            cpu, own = proc.cpu_ns([pid]) - cpu, proc.cpu_ns([supervisor.root()]) - own
            report.add(kind.name, answered=seconds * 1e3, streamer_ms=cpu / ASKED / 1e6, circusd_ms=own / ASKED / 1e6)


def _ask(supervisor: OursStreaming) -> float:
    """Seconds for one answer with all processes, of as many values as there may be."""
    from circus_plugins.client import Client

    with Client(supervisor.endpoint) as client:
        began = time.monotonic()
        for _ in range(ASKED):
            client.call("history", last=30, step=0, processes=True)
        return (time.monotonic() - began) / ASKED


def _full() -> Report:
    columns = [
        Column("taken", "anonymous memory: MB", 1, ratio=False),
        Column("said", "as it says: MB", 1, ratio=False),
        Column("looks", "seconds kept", 0, ratio=False),
        Column("minutes", "minutes kept", 0, ratio=False),
        Column("each", "to keep a look: ms of CPU", 2, ratio=False),
    ]
    report = Report("history", "an hour and a day of looks, put in at once", columns)
    for count, limit in ((10, 64), (100, 64), (1000, 64), (1000, 1000), (5000, 64)):
        say(f"history: {count} processes in {limit} MB")
        done = subprocess.run(
            [sys.executable, "-c", FULL, str(count), str(limit)], capture_output=True, text=True, check=True
        )
        found = json.loads(done.stdout)
        mb = {key: found[key] / 1e6 for key in ("taken", "said")}
        looks, minutes = found["looks"], found["minutes"]
        who = f"{count:,} processes, limit {limit} MB"
        report.add(who, **mb, looks=looks, minutes=minutes, each=found["each"] * 1e3)
    return report
