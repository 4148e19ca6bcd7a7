"""up, memory, idle, stop: one life of each supervisor with 1,000 children gives all four."""

import os
import time

import proc
from bench import Bench, bring_up, say
from report import Column, Report
from supervisors.base import Supervisor, lives
from supervisors.circus import Circus, CircusOneWatcher
from supervisors.loop import CLoop
from supervisors.ours import Ours, OursOneWatcher
from supervisors.pm2 import Pm2
from supervisors.scandirs import S6, Daemontools, Runit
from supervisors.supervisord import Supervisord

NAMES = ("up", "memory", "idle", "stop")
KINDS = (Ours, OursOneWatcher, CLoop, Daemontools, S6, Runit, Pm2, Circus, CircusOneWatcher, Supervisord)
COUNT = 1000
SETTLE = 3.0  # seconds between the last birth and the first look at the supervisor
IDLE = 20.0
STOP_PATIENCE = 60.0
KB = 1024


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """Rounds of one life per supervisor. The idle time is looked at in the first round only."""
    reports = _reports()
    kinds = bench.pick(KINDS, reports["up"])
    for report in reports.values():
        report.absent = reports["up"].absent
    for number in range(bench.rounds):
        for kind in [kind for kind in kinds if kind.name not in reports["up"].absent]:
            say(f"{', '.join(sorted(wanted))}: round {number + 1}, {kind.name}")
            try:
                _life(bench, kind, wanted - ({"idle"} if number else set()), reports)
            except (RuntimeError, TimeoutError) as error:
                reports["up"].absent[kind.name] = str(error)
    _judge(reports)
    return [report for name, report in reports.items() if name in wanted]


def _life(bench: Bench, kind: type[Supervisor], wanted: set[str], reports: dict[str, Report]) -> None:
    if "memory" in wanted:
        with lives(bench.cache, bench.program, [kind], 1) as [supervisor]:
            bring_up([supervisor], 1)
            time.sleep(SETTLE)
            one = proc.memory(supervisor.own_pids())
    with lives(bench.cache, bench.program, [kind], COUNT) as [supervisor]:
        before = time.monotonic_ns()
        [births] = bring_up([supervisor], COUNT)
        reports["up"].add(kind.name, seconds=(max(birth.at for birth in births) - before) / 1e9)
        if wanted == {"up"}:
            return
        time.sleep(SETTLE)
        own = supervisor.own_pids()
        if "memory" in wanted:
            many = proc.memory(own)
            for key in ("rss", "anonymous", "pss"):
                at_one, at_many = getattr(one, key), getattr(many, key)
                growth = (at_many - at_one) / (COUNT - 1)
                figures = {key: at_one / KB, f"{key}_many": at_many / KB, f"{key}_child": growth}
                reports["memory"].add(kind.name, **figures)
        if "idle" in wanted:
            cpu, switched = proc.cpu_ns(own), proc.switches(own)
            time.sleep(IDLE)
            reports["idle"].add(
                kind.name, cpu_ms=(proc.cpu_ns(own) - cpu) / 1e6, switches=float(proc.switches(own) - switched)
            )
        if "stop" in wanted:
            daemon = os.pidfd_open(supervisor.root())
            before = time.monotonic_ns()
            supervisor.request_stop()
            gone = supervisor.nursery.wait_until_empty(STOP_PATIENCE)
            ended = proc.wait_for_end(daemon, STOP_PATIENCE)
            os.close(daemon)
            reports["stop"].add(kind.name, seconds=(gone - before) / 1e9, ended=(ended - before) / 1e9)


def _reports() -> dict[str, Report]:
    memory = [
        Column("rss", "resident MB", ratio=False),
        Column("anonymous", "anonymous", ratio=False),
        Column("pss", "proportional", ratio=False),
        Column("rss_many", f"{COUNT:,}: resident MB"),
        Column("anonymous_many", "anonymous"),
        Column("pss_many", "proportional"),
        Column("rss_child", "per child: resident KB", ratio=False),
        Column("anonymous_child", "anonymous", ratio=False),
        Column("pss_child", "proportional", ratio=False),
    ]
    return {
        "up": Report("up", f"from launch until {COUNT:,} children live", [Column("seconds", "s", 2)]),
        "memory": Report("memory", f"of the supervision itself, at 1 child and at {COUNT:,}", memory),
        "idle": Report(
            "idle",
            f"the supervision of {COUNT:,} children for {IDLE:.0f} s",
            [Column("cpu_ms", "CPU ms", 2, ratio=False), Column("switches", "context switches", 0, ratio=False)],
        ),
        "stop": Report(
            "stop",
            f"from the request until none of {COUNT:,} children lives, and until the daemon has ended",
            [Column("seconds", "s", 2), Column("ended", "daemon s", 2)],
        ),
    }


def _judge(reports: dict[str, Report]) -> None:
    up, memory, idle, stop = (reports[name] for name in NAMES)
    loop = up.get(CLoop.name, "seconds")
    peers = [up.get(kind.name, "seconds") for kind in KINDS[3:]]
    fastest = min((seconds for seconds in peers if seconds is not None), default=None)
    supervisor = {key: memory.get(Supervisord.name, key) for key in ("rss", "anonymous")}
    for ours in (Ours, OursOneWatcher):
        up.at_most(f"{ours.name}: up within 2x of the C loop", ours.name, "seconds", loop and 2 * loop, " s")
        up.at_most(f"{ours.name}: up ahead of every peer", ours.name, "seconds", fastest, " s")
        for key, limit in supervisor.items():
            memory.at_most(f"{ours.name}: {key} at 1 child no more than supervisord's", ours.name, key, limit, " MB")
        memory.at_most(f"{ours.name}: under 2 KB more per child (resident)", ours.name, "rss_child", 2.0, " KB")
        idle.at_most(f"{ours.name}: no wake-ups", ours.name, "switches", 0)
        stop.at_most(
            f"{ours.name}: stopped ahead of daemontools",
            ours.name,
            "seconds",
            stop.get(Daemontools.name, "seconds"),
            " s",
        )
