"""Processes that write as much as they can: nobody waits for them, nothing grows with it, and a kill loses nothing."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import PATIENCE, python, until
from circus_plugins.streams import Streams
from circus_plugins.streams.channel import pipe
from circus_plugins.streams.pump import CHUNK, TURN, Pump
from tests.plugins.streams.test_streams import comes, streamed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FLOODING = """
import os
text = (b"x" * 99 + b"\\n") * 5000
while True:
    os.write(1, text)
"""
TALKING = """
import os, sys
text = (b"x" * 99 + b"\\n") * 5000
for _ in range(600):
    left = memoryview(text)
    while left:
        left = left[os.write(1, left[:int(sys.argv[1])]):]
open(sys.argv[2], "w").close()
"""
KEPT = "stdout_stream.class = FileStream\nstdout_stream.max_bytes = 1M\nstdout_stream.filename ="


def section(name: str, script: Path, *arguments: object, more: str = "") -> str:
    words = " ".join(map(str, arguments))
    return f"[watcher:{name}]\ncmd = {sys.executable} {script} {words}\n{more}\n"


def inode(path: Path) -> int:
    """0 if it is just being exchanged."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def anonymous(pid: int) -> int:
    """Bytes of memory that are a process' own (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024


def test_a_command_and_a_death_do_not_wait_for_the_end_of_a_flood(circusd: Any, tmp_path: Path) -> None:
    """The flood has no end, so whoever waited for it would wait for ever."""
    script = tmp_path / "flooding.py"
    script.write_text(FLOODING)
    flood = section("flood", script, more=f"numprocesses = 4\n{KEPT} flood-$(circus.wid).log")
    daemon = circusd(f"{flood}\n[watcher:quiet]\ncmd = sleep 1000\n").up()
    logs = [daemon.folder / f"flood-{wid}.log" for wid in (1, 2, 3, 4)]
    until(lambda: all(log.with_suffix(".log.1").exists() for log in logs))
    before = [inode(log) for log in logs]
    assert daemon.call("status", name="flood")["status"] == "active"
    (pid,) = daemon.call("list", name="quiet")["pids"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: daemon.call("list", name="quiet")["pids"] not in ([], [pid]))
    for log, old in zip(logs, before, strict=True):
        until(lambda log=log, old=old: inode(log) not in (0, old), "each has its turn")


@pytest.mark.parametrize("block", [1000, 1_000_000])
def test_memory_does_not_grow_with_what_is_written(circusd: Any, tmp_path: Path, block: int) -> None:
    script = tmp_path / "talking.py"
    script.write_text(TALKING)
    names = ("one", "two")
    more = f"autostart = False\nrespawn = False\n{KEPT}"
    talk = [section(name, script, block, tmp_path / name, more=f"{more} {name}.log") for name in names]
    daemon = circusd("\n".join(talk)).up()
    most = before = anonymous(daemon.pid)
    for name in names:
        daemon.call("start", name=name, waiting=True)

    def all_said() -> bool:
        nonlocal most
        most = max(most, anonymous(daemon.pid))
        return all((tmp_path / name).exists() for name in names)

    until(all_said, "600 MB are written")
    assert most - before < 32 << 20


class Counted:
    """Reads, and keeps what it read."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.text = b""
        self.ended = asyncio.Event()

    def pull(self, buffer: bytearray, view: memoryview) -> int:
        try:
            got = os.readv(self.descriptor, [view])
        except BlockingIOError:
            return 0
        self.text += view[:got]
        if not got:
            self.ended.set()
        return got


def test_what_comes_in_little_pieces_arrives_whole_though_the_pipe_is_left_to_fill() -> None:
    asyncio.run(in_little_pieces())


async def in_little_pieces() -> None:
    pump = Pump()
    ours, theirs = pipe()
    reader = Counted(ours)
    pump.add(ours, reader)
    lines = [b"%d\n" % number for number in range(3000)]
    for number, line in enumerate(lines):
        os.write(theirs, line)
        if number % 3 == 0:
            await asyncio.sleep(0)
        if number % 1000 == 0:
            await comes(lambda number=number: len(reader.text) == sum(map(len, lines[: number + 1])))
    os.close(theirs)
    await asyncio.wait_for(reader.ended.wait(), PATIENCE)
    assert reader.text == b"".join(lines)
    pump.remove(ours, reader)
    pump.close()
    os.close(ours)


def test_a_pipe_that_is_left_alone_is_not_read_after_its_rest_either() -> None:
    asyncio.run(left_alone())


async def left_alone() -> None:
    pump = Pump()
    ours, theirs = pipe()
    reader = Counted(ours)
    for _ in range(20):
        pump.add(ours, reader)
        for _ in range(5):
            before = len(reader.text)
            os.write(theirs, b"x\n")
            await comes(lambda before=before: len(reader.text) > before)
        pump.remove(ours, reader)
        os.write(theirs, b"y\n")
        await asyncio.sleep(0.003)
        assert not reader.text.endswith(b"y\n")
    pump.close()
    os.close(theirs)
    os.close(ours)


class Insatiable:
    """Hardly worth reading at first, so that it is left to fill; from then on it always is full."""

    def __init__(self) -> None:
        self.pulls = 0

    def pull(self, buffer: bytearray, view: memoryview) -> int:
        self.pulls += 1
        return 1 if self.pulls < 4 else CHUNK


def test_each_of_many_that_flood_has_its_turn() -> None:
    asyncio.run(many_turns())


async def many_turns() -> None:
    pump = Pump()
    readers = [Insatiable() for _ in range(4 * TURN // CHUNK)]
    ends = [pipe() for _ in readers]
    for (ours, theirs), reader in zip(ends, readers, strict=True):
        os.write(theirs, b"x")
        pump.add(ours, reader)
    await comes(lambda: min(reader.pulls for reader in readers) > 20)
    pulls = [reader.pulls for reader in readers]
    assert max(pulls) < 3 * min(pulls), "they take turns"
    for (ours, theirs), reader in zip(ends, readers, strict=True):
        pump.remove(ours, reader)
        os.close(ours)
        os.close(theirs)
    pump.close()


CHATTER = """
import mmap, os, random
pid = os.getpid()
with open(f"{pid}.said", "w+b") as file:
    file.truncate(8)
    said = mmap.mmap(file.fileno(), 8)
chance = random.Random(pid)
text, number, total = b"", 0, 0
while True:
    size = chance.choice((1, 7, 100, 4096, chance.randrange(1, 200_000)))
    while len(text) < size:
        text += b"%d %d %s\\n" % (pid, number, b"x" * (number % 200))
        number += 1
    written = os.write(1, text[:size])
    total += written
    said[:] = total.to_bytes(8, "little")
    text = text[written:]
"""


def chatter(pid: int, length: int) -> bytes:
    """So many of the first bytes that a process says, or a few more."""
    parts, number, total = [], 0, 0
    while total < length:
        parts.append(b"%d %d %s\n" % (pid, number, b"x" * (number % 200)))
        total += len(parts[-1])
        number += 1
    return b"".join(parts)


def is_whole(text: bytes, lives: Sequence[tuple[int, int]]) -> bool:
    """Whether all that each process (its pid, and how much it had written by its death) said is there once, in order,
    and nothing else. Where the last line of one has no end, that has been added."""
    if not lives:
        return not text
    (pid, recorded), *others = lives
    said = chatter(pid, len(text))
    alike = next((place for place, (one, other) in enumerate(zip(text, said, strict=False)) if one != other), len(text))
    # The next may begin like the line that this one did not come to.
    for end in range(alike, max(recorded, alike - 20) - 1, -1):
        torn = 0 < end < len(text) and text[end - 1 : end] != b"\n"
        if (not torn or text[end : end + 1] == b"\n") and is_whole(text[end + torn :], others):
            return True
    return False


def in_order(folder: Path) -> Iterator[Path]:
    """The files of a log, oldest first."""
    names = [name for name in os.listdir(folder) if name.startswith("out.log.")]
    numbered = sorted((name for name in names if int(name.split(".")[2]) < 10**6), key=lambda n: -int(n.split(".")[2]))
    dated = sorted(set(names) - set(numbered))
    yield from (folder / name for name in [*numbered, *dated])
    yield folder / "out.log"


def moved(folder: Path, number: int) -> None:
    os.rename(folder / "out.log", folder / f"out.log.{1000 - number}")


MODES: dict[str, tuple[dict[str, object], Callable[[Path, int], None] | None]] = {
    "plain": ({"class": "FileStream"}, None),
    "size": ({"class": "FileStream", "max_bytes": 100_000, "backup_count": 2000}, None),
    "packed": ({"class": "FileStream", "max_bytes": 500_000, "backup_count": 500, "compress": True}, None),
    "time": ({"class": "TimedRotatingFileStream", "rotate_when": "S"}, None),
    "watched": ({"class": "WatchedFileStream"}, moved),
    "reopened": ({"class": "FileStream"}, moved),
}


@pytest.mark.parametrize("mode", MODES)
async def test_a_kill_at_any_moment_loses_nothing_of_what_was_written(
    supervise: Any, tmp_path: Path, mode: str
) -> None:
    options, move = MODES[mode]
    given = {f"stdout__{key}": value for key, value in options.items()}
    one = streamed(
        "one", python(CHATTER), working_dir=str(tmp_path), restart_burst=100, min_uptime=0.0,
        stdout__filename=str(tmp_path / "out.log"), **given,
    )  # fmt: skip
    chance = random.Random(mode)
    pids = []

    def said(pid: int) -> int:
        path = tmp_path / f"{pid}.said"
        return int.from_bytes(path.read_bytes(), "little") if path.exists() else 0

    async with supervise(one, plugins={"streams": Streams()}) as run:
        for life in range(8):
            spawned = await run.events.wait_for("process_spawned", watcher="one", count=life + 1)
            pids.append(spawned.pid)
            enough = chance.choice((1, chance.randrange(1, 5000), chance.randrange(1, 1_500_000)))
            await comes(lambda pid=spawned.pid, enough=enough: said(pid) >= enough)
            if move:
                move(tmp_path, life)
                if mode == "reopened":
                    await run.call("reopenlogs")
            if life < 7:
                os.kill(spawned.pid, signal.SIGKILL)
        if mode == "time":
            await comes(lambda: len(list(in_order(tmp_path))) > 1)
        await run.call("stop", name="one", waiting=True)
        if mode == "packed":
            await comes(lambda: all(path.suffix == ".gz" for path in list(in_order(tmp_path))[:-1]))
    files = list(in_order(tmp_path))
    assert mode == "plain" or len(files) > 1
    texts = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in files]
    # A torn line needs no end where another file begins.
    text = b"".join(each if each.endswith(b"\n") or not each else each + b"\n" for each in texts[:-1]) + texts[-1]
    assert is_whole(text, [(pid, said(pid)) for pid in pids])
