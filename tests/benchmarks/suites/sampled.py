"""stats: what it takes to tell, once a second, what many processes use: the streamer of ours and that of Circus, with
one subscriber; and psutil in a loop, which tells nobody."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from typing import ClassVar

import proc
from bench import Bench, bring_up, say
from report import OURS, Column, Report
from supervisors.base import lives
from supervisors.circus import Circus, ini
from supervisors.ours import Ours

NAMES = ("stats",)
COUNTS = (100, 1000, 5000)
LIMITS = {1000: 3.0, 5000: 12.0}
"""Percent of a core, at the most."""
SETTLE, SPAN, TRACED = 5.0, 10.0, 5.0
"""Seconds: until it runs steadily, of the measurement, and of that with strace."""
SUBSCRIBER = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.set_hwm(100_000)
socket.connect(sys.argv[1])
socket.subscribe("stat.")
while True:
    topic, _ = socket.recv_multipart()
    if topic.count(b".") == 2:
        print(end=".", flush=True)
"""
LOOP = """
import sys, time, psutil
known = [psutil.Process(int(pid)) for pid in sys.stdin.read().split()]
due = time.monotonic()
while True:
    for each in known:
        with each.oneshot():
            each.cpu_percent(), each.memory_info()
    due += 1
    time.sleep(max(due - time.monotonic(), 0))
"""


class CircusStreaming(Circus):
    """Its circusd-stats, on one watcher with all the children."""

    def configure(self, names: list[str]) -> None:  # type: ignore[override]
        extra = f"statsd = True\nstats_endpoint = {self.stats}\n"
        (self.folder / "app.ini").write_text(ini(self.folder, self.nursery, names, True, extra))

    @property
    def stats(self) -> str:
        return f"ipc://{self.folder}/stats.sock"

    def streamer(self) -> int:
        """The one process besides the daemon."""
        [found] = [pid for pid in self.own_pids() if pid != self.root()]
        return found


class OursStreaming(Ours, CircusStreaming):
    """Ours reads the same file."""

    name: ClassVar[str] = OURS


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """A report for each number of processes."""
    return [_of(bench, count) for count in COUNTS]


def _of(bench: Bench, count: int) -> Report:
    columns = [
        Column("cpu", "subscribed: % of a core", 2),
        Column("idle", "nobody subscribed: % of a core", 2, ratio=False),
        Column("wakes", "wake-ups in 5 s", 0, ratio=False),
        Column("reads", "reads per process and look", 2, ratio=False),
        Column("opens", "opens", 2, ratio=False),
        Column("told", "told per process and second", 2, ratio=False),
    ]
    report = Report("stats", f"{count:,} processes, each told of once a second", columns)
    for number in range(bench.rounds):
        for kind in bench.pick((OursStreaming, CircusStreaming), report):
            say(f"stats: round {number + 1}, {count} processes, {kind.name}")
            try:
                _life(bench, kind, count, report)  # type: ignore[arg-type]
            except (RuntimeError, TimeoutError) as error:
                report.absent[kind.name] = str(error)
    if count in LIMITS:
        report.at_most(f"{count:,} processes for under {LIMITS[count]:g} % of a core", OURS, "cpu", LIMITS[count], " %")
    report.at_most("at most 2 reads", OURS, "reads", 2.05)
    report.at_most("no opens", OURS, "opens", 0.02)
    report.at_most("nobody subscribed: no wake-up", OURS, "wakes", 0)
    return report


def _life(bench: Bench, kind: type[CircusStreaming], count: int, report: Report) -> None:
    with lives(bench.cache, bench.program, [kind], count) as [supervisor]:
        [births] = bring_up([supervisor], count)
        time.sleep(SETTLE)
        pid = supervisor.streamer()
        cpu, wakes = proc.cpu_ns([pid]), proc.switches([pid])
        time.sleep(5)
        idle, wakes = (proc.cpu_ns([pid]) - cpu) / 5e7, proc.switches([pid]) - wakes
        with open(supervisor.folder / "told", "wb") as told:
            words = [sys.executable, "-c", SUBSCRIBER, supervisor.stats]
            subscriber = subprocess.Popen(words, stdout=told)
        # Who each process is is read again when it is ten times as old.
        time.sleep(SETTLE)
        before, cpu = _size(supervisor), proc.cpu_ns([pid])
        time.sleep(SPAN)
        used, came = (proc.cpu_ns([pid]) - cpu) / SPAN / 1e7, _size(supervisor) - before
        reads, opens = _calls(pid, lambda: _size(supervisor))
        subscriber.kill()
        subscriber.wait()
        report.add(kind.name, cpu=used, idle=idle, wakes=wakes, reads=reads, opens=opens, told=came / SPAN / count)
        if kind is OursStreaming:
            report.add("psutil in a loop", cpu=_psutil([birth.pid for birth in births]))


def _size(supervisor: CircusStreaming) -> int:
    return (supervisor.folder / "told").stat().st_size


def _calls(pid: int, told: Callable[[], int]) -> tuple[float | None, float | None]:
    """Reads and opens for each time that a process was told of, as strace counts them."""
    if shutil.which("strace") is None:
        return None, None
    before = told()
    command = ["timeout", "-s", "INT", f"{TRACED}", "strace", "-c", "-f", "-p", str(pid)]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    looks = max(told() - before, 1)
    # Lines of: % time, seconds, microseconds a call, calls, perhaps errors, name.
    rows = [words for line in said.splitlines() if len(words := line.split()) >= 5]
    reads = sum(int(words[3]) for words in rows if words[-1] in ("read", "pread64"))
    opens = sum(int(words[3]) for words in rows if words[-1] in ("open", "openat"))
    return reads / looks, opens / looks


def _psutil(pids: list[int]) -> float:
    loop = subprocess.Popen([sys.executable, "-c", LOOP], stdin=subprocess.PIPE)
    assert loop.stdin is not None
    loop.stdin.write(" ".join(map(str, pids)).encode())
    loop.stdin.close()
    time.sleep(SETTLE)
    cpu = proc.cpu_ns([loop.pid])
    time.sleep(SPAN)
    used = (proc.cpu_ns([loop.pid]) - cpu) / SPAN / 1e7
    loop.kill()
    loop.wait()
    return used
