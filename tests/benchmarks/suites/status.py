"""status: what a person waits for the answer to "how are they?", as a whole process."""

import subprocess
import time

from bench import Bench, bring_up, say
from report import Column, Report
from supervisors.base import Supervisor, lives
from supervisors.circus import Circus
from supervisors.ours import Ours
from supervisors.pm2 import Pm2
from supervisors.scandirs import Daemontools, Runit
from supervisors.supervisord import Supervisord

NAMES = ("status",)
KINDS = (Ours, Runit, Daemontools, Supervisord, Circus, Pm2)
CHILDREN = 10
RUNS = 10  # of each command, in each round
SETTLE = 3.0


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """All daemons are up at the same time; their commands take turns."""
    report = Report("status", f"the status command as a whole process, {CHILDREN} children", [Column("ms", "p50 ms")])
    kinds = bench.pick(KINDS, report)
    with lives(bench.cache, bench.program, kinds, CHILDREN) as running:
        bring_up(running, CHILDREN)
        time.sleep(SETTLE)
        for supervisor in running:
            _once(supervisor)
        for number in range(bench.rounds):
            say(f"status: round {number + 1}")
            for _ in range(RUNS):
                for supervisor in running:
                    report.add(supervisor.name, ms=_once(supervisor))
    limit = report.get(Supervisord.name, "ms")
    report.at_most("at most 60 % of supervisorctl's time", Ours.name, "ms", limit and 0.6 * limit, " ms")
    return [report]


def _once(supervisor: Supervisor) -> float:
    """Time of one run in ms. RuntimeError if it fails."""
    command = supervisor.status_command()
    assert command is not None
    before = time.monotonic()
    done = subprocess.run(command, env=supervisor.environment(), stdin=subprocess.DEVNULL, capture_output=True)
    took = (time.monotonic() - before) * 1000
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode()
        raise RuntimeError(f"{supervisor.name}: {command[0]} ended with {done.returncode}: {said[-200:]}")
    return took
