"""bound: until circusd is up with 1,000 sockets, and what of that they are; beside 100 watchers that use ten each."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from bench import Bench, say
from report import Column, Report

NAMES = ("bound",)
SOCKETS, WATCHERS, EACH = 1000, 100, 10
MEMORY = Path("/dev/shm")
CASES = {"nothing": (0, 0), "sockets": (SOCKETS, 0), "sockets of watchers": (SOCKETS, WATCHERS)}
CLOCK = os.sysconf("SC_CLK_TCK")


def run(bench: Bench, _wanted: set[str]) -> list[Report]:
    """The cases take turns, so that what else the machine does hits all of them alike."""
    columns = [Column("up", "until it is up: s", 2, ratio=False), Column("cpu", "CPU s", 2, ratio=False)]
    title = (
        f"{SOCKETS:,} sockets, half of them at ports and half at paths, and {WATCHERS} watchers that use {EACH} each"
    )
    report = Report("bound", title, columns)
    for number in range(bench.rounds):
        for case, (sockets, watchers) in CASES.items():
            say(f"bound: round {number + 1}, {case}")
            report.add(case, **_life(bench, sockets, watchers))
    report.at_most(f"{SOCKETS:,} sockets within 1 s", "sockets", "up", 1.0, " s")
    return [report]


def _life(bench: Bench, sockets: int, watchers: int) -> dict[str, float]:
    """Seconds from the start to "circusd is up", and how many of them the daemon was at work."""
    # Paths in memory, as in /run: a disk is not what is measured.
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    file = folder / "circus.ini"
    file.write_text(_configuration(folder, sockets, watchers))
    began = time.monotonic()
    daemon = subprocess.Popen(
        [bench.cache.ours / "circusd", file],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert daemon.stdout is not None
        said = []
        for line in daemon.stdout:
            said.append(line)
            if "circusd is up" in line:
                break
        else:
            raise RuntimeError(f"circusd did not come up: {''.join(said)[-200:]}")
        took = time.monotonic() - began
        fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
        return {"up": took, "cpu": (int(fields[11]) + int(fields[12])) / CLOCK}
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate()
        shutil.rmtree(folder)


def _configuration(folder: Path, sockets: int, watchers: int) -> str:
    text = [f"[circus]\nendpoint = ipc://{folder}/control\npubsub_endpoint = ipc://{folder}/events\n"]
    for number in range(sockets):
        where = "host = 127.0.0.1\nport = 0" if number % 2 else f"path = {folder}/{number}.sock"
        text.append(f"[socket:s{number}]\n{where}\n")
    for number in range(watchers):
        used = range(number * EACH, (number + 1) * EACH)
        env = ",".join(f"FD{each}=$(circus.sockets.s{each % sockets})" for each in used)
        text.append(f"[watcher:w{number}]\ncmd = sleep 100000\ncopy_env = True\nenv = {env}\n")
    return "".join(text)
