"""Each sink for itself, through a real pipe: every byte arrives, whole lines, in order, whatever the pieces were."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import os
import re
import select
import subprocess
import sys
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circus_plugins.streams.backups import Backups
from circus_plugins.streams.channel import Channel, pipe
from circus_plugins.streams.console import FancyOptions, FancyStdoutStream
from circus_plugins.streams.files import FileOptions, FileStream, WatchedFileStream, WatchedOptions
from circus_plugins.streams.jsonlines import JsonOptions, JsonStream
from circus_plugins.streams.memory import QueueOptions, QueueStream
from circus_plugins.streams.pump import LONGEST, Pump
from circus_plugins.streams.recent import Recent
from circus_plugins.streams.shared import Shared
from circus_plugins.streams.sink import Sink, Source
from circus_plugins.streams.timed import TimedOptions, TimedRotatingFileStream

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE = Source("web", 1, 100, "stdout")
TWO = Source("web", 2, 200, "stdout")

LINES = st.lists(st.binary(max_size=60).map(lambda text: text.replace(b"\n", b" ") + b"\n"), max_size=40)
ANYTHING = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def piped(sink: Sink, said: Sequence[Sequence[bytes]], *, recent: Recent | None = None) -> list[int]:
    """Write to one pipe for each source, a piece at a time in turn, and read all; answers what losses were told."""
    told: list[int] = []
    over = asyncio.Event()
    pump = Pump()
    shared = Shared(
        "", "sink", sink, lambda source, shared: told.append(shared.loss.unwritten), lambda shared: over.set()
    )
    sink.open()
    ends = []
    for source, _ in zip((ONE, TWO), said, strict=False):
        ours, theirs = pipe()
        shared.promise()
        Channel(ours, source, shared, recent or Recent(0), pump, lambda channel: None)
        ends.append(theirs)
        os.set_blocking(theirs, False)
    longest = max(map(len, said))
    for number in range(longest):
        for end, pieces in zip(ends, said, strict=True):
            if number < len(pieces):
                await written(end, pieces[number])
        await asyncio.sleep(0)
    for end in ends:
        os.close(end)
    await asyncio.wait_for(over.wait(), 20)
    pump.close()
    return told


async def written(end: int, piece: bytes) -> None:
    """Write to a pipe whose reader is in this thread too, and so cannot be waited for."""
    assert len(piece) <= select.PIPE_BUF, "may be written in part"
    while True:
        with suppress(BlockingIOError):
            os.write(end, piece)
            return
        await asyncio.sleep(0)


def in_pieces(text: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(places) if start < end]


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@pytest.mark.covers("FileStream-option:filename")
@ANYTHING
@given(lines=LINES, tail=st.binary(max_size=30).filter(lambda text: b"\n" not in text), cuts=CUTS)
def test_a_file_has_every_byte(tmp_path: Path, lines: list[bytes], tail: bytes, cuts: list[int]) -> None:
    path = tmp_path / "out.log"
    path.unlink(missing_ok=True)
    said = b"".join(lines) + tail
    assert not asyncio.run(piped(FileStream(FileOptions(filename=str(path))), [in_pieces(said, cuts)]))
    assert path.read_bytes() == said


@ANYTHING
@given(first=LINES, second=LINES, cuts=CUTS)
def test_lines_of_two_processes_are_never_mixed(
    tmp_path: Path, first: list[bytes], second: list[bytes], cuts: list[int]
) -> None:
    path = tmp_path / "out.log"
    path.unlink(missing_ok=True)
    said = [[b"1" + line for line in first], [b"2" + line for line in second]]
    sink = FileStream(FileOptions(filename=str(path)))
    asyncio.run(piped(sink, [in_pieces(b"".join(lines), cuts) for lines in said]))
    written = path.read_bytes().splitlines(keepends=True)
    for number, lines in zip((b"1", b"2"), said, strict=True):
        assert [line for line in b"".join(written).split(b"\n") if line.startswith(number)] == [
            line for line in b"".join(lines).split(b"\n") if line
        ]


@pytest.mark.parametrize(
    "sink",
    [
        lambda path: FileStream(FileOptions(filename=path, max_bytes=10)),
        lambda path: TimedRotatingFileStream(TimedOptions(filename=path, rotate_when="S")),
    ],
)
def test_what_is_no_file_is_never_moved_away(tmp_path: Path, sink: Any) -> None:
    # As /dev/null it would be gone for everybody on the machine.
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        made = sink(str(path))
        lines = [b"a line of some bytes\n", b"another\n", b"the last\n"]
        made.open()
        for line in lines:
            made._due = 0
            assert made.write(memoryview(line), ONE) == len(line)
        made.close()
        assert os.read(reader, 1000) == b"".join(lines)
    finally:
        os.close(reader)
    assert path.is_fifo()
    assert os.listdir(tmp_path) == ["fifo"]


@pytest.mark.covers("FileStream-option:max_bytes", "FileStream-option:backup_count")
@ANYTHING
@given(lines=LINES, cuts=CUTS, most=st.integers(1, 300))
def test_a_rotation_loses_nothing_and_keeps_the_limit(
    tmp_path: Path, lines: list[bytes], cuts: list[int], most: int
) -> None:
    path = tmp_path / "out.log"
    for old in tmp_path.iterdir():
        old.unlink()
    said = b"".join(lines)
    options = FileOptions(filename=str(path), max_bytes=most, backup_count=1000)
    asyncio.run(piped(FileStream(options), [in_pieces(said, cuts)]))
    numbered = sorted(tmp_path.glob("out.log.*"), key=lambda found: -int(found.suffix[1:]))
    files = [found.read_bytes() for found in (*numbered, path)]
    assert b"".join(files) == said
    for text in files:
        assert text.endswith(b"\n") or not text
        assert len(text) <= most or text.count(b"\n") == 1, "a file is larger than max_bytes, and has several lines"


def test_max_bytes_without_backups_keeps_one(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    lines = [b"line %02d\n" % number for number in range(50)]
    asyncio.run(piped(FileStream(FileOptions(filename=str(path), max_bytes=40)), [lines]))
    assert sorted(found.name for found in tmp_path.iterdir()) == ["out.log", "out.log.1"]
    assert (path.with_name("out.log.1").read_bytes() + path.read_bytes()).endswith(b"line 48\nline 49\n")


@pytest.mark.covers("FileStream-option:compress")
def test_earlier_files_can_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    lines = [b"line %03d\n" % number for number in range(100)]

    async def write() -> None:
        (tmp_path / "out.log.77.packing").write_text("left by a circusd that was killed")
        sink = FileStream(FileOptions(filename=str(path), max_bytes=200, backup_count=3, compress=True))
        await piped(sink, [lines])
        names = ["out.log", *(f"out.log.{number}.gz" for number in (1, 2, 3))]
        async with asyncio.timeout(20):
            while sorted(os.listdir(tmp_path)) != names:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    asyncio.run(write())
    packed = b"".join(gzip.decompress((tmp_path / f"out.log.{number}.gz").read_bytes()) for number in (3, 2, 1))
    assert b"".join(lines).endswith(packed + path.read_bytes())
    assert packed.count(b"\n") >= 3


@pytest.mark.covers("TimedRotatingFileStream-option:compress")
def test_an_earlier_file_of_a_time_can_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    path.write_text("old\n")
    os.utime(path, (10_000, 10_000))

    async def write() -> None:
        sink = TimedRotatingFileStream(TimedOptions(filename=str(path), rotate_when="D", compress=True))
        sink.open()
        sink.write(memoryview(b"new\n"), ONE)
        async with asyncio.timeout(20):
            while not any(re.fullmatch(r"out\.log\.\d{8}\.gz", name) for name in os.listdir(tmp_path)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        sink.close()

    asyncio.run(write())
    (packed,) = tmp_path.glob("out.log.*")
    assert gzip.decompress(packed.read_bytes()) == b"old\n"


@pytest.mark.covers("FileStream-option:max_age")
def test_old_backups_go_by_their_age(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    for number in (1, 2):
        (tmp_path / f"out.log.{number}").write_text("old")
    long_ago = time.time() - 100
    os.utime(tmp_path / "out.log.2", (long_ago, long_ago))
    path.write_text("now")
    Backups(str(path), 5, compress=False, max_age=50).shift()
    assert sorted(found.name for found in tmp_path.iterdir()) == ["out.log.1", "out.log.2"]
    assert (tmp_path / "out.log.1").read_text() == "now"


@pytest.mark.covers("FileStream-option:time_format")
def test_each_line_has_its_stamp_even_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    sink = FileStream(FileOptions(filename=str(path), time_format="%Y"))
    asyncio.run(piped(sink, [[b"on", b"e\ntw", b"o\n\nthree"]]))
    year = time.strftime("%Y")
    assert path.read_text() == "".join(f"{year} [100] | {line}" for line in ("one\n", "two\n", "\n", "three"))


def test_stamps_can_have_microseconds(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    asyncio.run(piped(FileStream(FileOptions(filename=str(path), time_format="%S.%f")), [[b"one\n"]]))
    assert re.fullmatch(r"\d\d\.\d{6} \[100\] \| one\n", path.read_text())


def test_a_line_longer_than_is_kept_stays_one_line_and_has_one_stamp(tmp_path: Path) -> None:
    plain, stamped = tmp_path / "plain.log", tmp_path / "stamped.log"
    long = b"x" * (3 * LONGEST)
    pieces = [long[at : at + 4096] for at in range(0, len(long), 4096)] + [b"\nnext\n"]
    asyncio.run(piped(FileStream(FileOptions(filename=str(plain))), [pieces]))
    assert plain.read_bytes() == long + b"\nnext\n"
    asyncio.run(piped(FileStream(FileOptions(filename=str(stamped), time_format="T")), [pieces]))
    assert stamped.read_bytes() == b"T [100] | " + long + b"\nT [100] | next\n"


def test_what_comes_after_last_words_without_an_end_begins_a_line(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    options = FileOptions(filename=str(path))
    asyncio.run(piped(FileStream(options), [[b"one\nlast words"]]))
    asyncio.run(piped(FileStream(options), [[b"two\n"]]))
    assert path.read_bytes() == b"one\nlast words\ntwo\n"


def test_without_a_filename_there_is_a_file_all_the_same() -> None:
    sink = FileStream(FileOptions())
    asyncio.run(piped(sink, [[b"one\n"]]))
    path = Path(sink.path)
    try:
        assert path.read_bytes() == b"one\n"
    finally:
        path.unlink()


@pytest.mark.covers("WatchedFileStream-option:filename")
def test_a_watched_file_is_opened_anew_when_it_was_moved(tmp_path: Path) -> None:
    path = tmp_path / "out.log"

    async def write() -> None:
        sink = WatchedFileStream(WatchedOptions(filename=str(path)))
        sink.open()
        sink.write(memoryview(b"one\n"), ONE)
        path.rename(tmp_path / "moved.log")
        sink.write(memoryview(b"two\n"), ONE)
        path.rename(tmp_path / "moved2.log")
        path.write_text("theirs\n")
        sink.write(memoryview(b"three\n"), ONE)
        sink.close()

    asyncio.run(write())
    assert (tmp_path / "moved.log").read_text() == "one\n"
    assert (tmp_path / "moved2.log").read_text() == "two\n"
    assert path.read_text() == "theirs\nthree\n"


@pytest.mark.covers(
    "TimedRotatingFileStream-option:filename", "TimedRotatingFileStream-option:rotate_when",
    "TimedRotatingFileStream-option:utc",
)  # fmt: skip
@pytest.mark.parametrize(
    ("unit", "suffix"),
    [("S", r"\d{14}"), ("m", r"\d{12}"), ("H", r"\d{10}"), ("d", r"\d{8}"), ("midnight", r"\d{8}"), ("W0", r"\d{8}")],
)
@pytest.mark.parametrize("utc", [False, True])
def test_a_timed_file_is_exchanged_when_its_time_has_come(tmp_path: Path, unit: str, suffix: str, utc: bool) -> None:
    path = tmp_path / "out.log"
    path.write_text("old\n")
    long_ago = time.time() - 15 * 86_400
    os.utime(path, (long_ago, long_ago))

    async def write() -> None:
        sink = TimedRotatingFileStream(TimedOptions(filename=str(path), rotate_when=unit.upper(), utc=utc))
        sink.open()
        sink.write(memoryview(b"new\n"), ONE)
        sink.write(memoryview(b"newer\n"), ONE)
        sink.close()

    asyncio.run(write())
    assert path.read_text() == "new\nnewer\n"
    (earlier,) = tmp_path.glob("out.log.*")
    assert re.fullmatch(suffix, earlier.suffix[1:])
    assert earlier.read_text() == "old\n"


@pytest.mark.covers("TimedRotatingFileStream-option:backup_count")
def test_a_timed_file_keeps_so_many_earlier_ones(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    for day in range(1, 6):
        earlier = tmp_path / f"out.log.2020010{day}"
        earlier.write_text(str(day))
        os.utime(earlier, (day * 1000, day * 1000))
    (tmp_path / "out.log.other").write_text("not ours")
    path.write_text("old\n")
    os.utime(path, (10_000, 10_000))

    async def write() -> None:
        sink = TimedRotatingFileStream(TimedOptions(filename=str(path), rotate_when="MIDNIGHT", backup_count=2))
        sink.open()
        sink.write(memoryview(b"new\n"), ONE)
        sink.close()

    asyncio.run(write())
    kept = sorted(found.name for found in tmp_path.glob("out.log.*"))
    assert len(kept) == 3
    assert "out.log.20200105" in kept
    assert "out.log.other" in kept


@pytest.mark.covers("JsonStream-option:filename")
def test_json_has_an_object_for_each_line(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    before = time.time()
    asyncio.run(piped(JsonStream(JsonOptions(filename=str(path))), [[b'a "quoted" \xc3\xa4\n', b"\xff\n\nlast"]]))
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [each["line"] for each in found] == ['a "quoted" ä', "�", "", "last"]
    assert all(before - 1 <= each.pop("at") <= time.time() + 1 for each in found)
    assert found[0] == {"watcher": "web", "wid": 1, "pid": 100, "channel": "stdout", "line": 'a "quoted" ä'}
    assert [each.get("more") for each in found] == [None, None, None, True]


@pytest.mark.covers("QueueStream-option:max_items")
def test_a_queue_has_what_circus_calls_streams_with() -> None:
    sink = QueueStream(QueueOptions(max_items=2))
    told = asyncio.run(piped(sink, [[b"one\n"]]))
    assert not told
    assert sink.queue.get_nowait() == {"data": b"one\n", "pid": 100, "name": "stdout"}
    sink.write(memoryview(b"1\n"), ONE)
    sink.write(memoryview(b"2\n"), ONE)
    with pytest.raises(OSError, match="nobody takes") as caught:
        sink.write(memoryview(b"3\n"), ONE)
    assert caught.value.errno == errno.ENOBUFS


@pytest.mark.covers("FancyStdoutStream-option:color", "FancyStdoutStream-option:time_format")
def test_fancy_lines_have_colour_time_and_pid_and_none_is_empty() -> None:
    sink = FancyStdoutStream(FancyOptions(color="green", time_format="T"))
    shown = sink.shown(memoryview(b"one\n\ntwo\n"), ONE)
    assert shown == b"\x1b[0;32mT [100] | one\x1b[0m\n\x1b[0;32mT [100] | two\x1b[0m\n"


SLOW = """
import asyncio, os
from circus_plugins.streams.channel import Channel, pipe
from circus_plugins.streams.console import StdoutStream
from circus_plugins.streams.pump import Pump
from circus_plugins.streams.recent import Recent
from circus_plugins.streams.shared import Shared
from circus_plugins.streams.sink import NoOptions, Source

async def main():
    told, over, pump = [], asyncio.Event(), Pump()
    sink = StdoutStream(NoOptions())
    shared = Shared("", "out", sink, lambda *given: told.append(given), lambda shared: over.set())
    sink.open()
    ours, theirs = pipe()
    shared.promise()
    Channel(ours, Source("web", 1, 1, "stdout"), shared, Recent(0), pump, lambda channel: None)
    os.set_blocking(theirs, False)
    writable = asyncio.Event()
    asyncio.get_running_loop().add_writer(theirs, writable.set)
    text = b"".join(b"%06d %s\\n" % (number, b"x" * 90) for number in range(20_000))
    while text:
        try:
            text = text[os.write(theirs, text[:3970]):]
        except BlockingIOError:
            writable.clear()
            await writable.wait()
    asyncio.get_running_loop().remove_writer(theirs)
    os.close(theirs)
    await over.wait()
    assert not told

asyncio.run(main())
"""


def test_standard_output_that_is_read_slowly_loses_nothing_and_blocks_nobody() -> None:
    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        read = bytearray()
        while piece := os.read(running.stdout.fileno(), 700):
            read += piece
        assert running.wait() == 0
    assert read == b"".join(b"%06d %s\n" % (number, b"x" * 90) for number in range(20_000))


class Failing(Sink):
    """Takes nothing as long as it is told not to."""

    def __init__(self) -> None:
        super().__init__(None)
        self.full = True
        self.taken = b""

    def write(self, data: memoryview, source: Source) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.taken += bytes(data)
        return len(data)


def test_what_is_lost_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    sink = Failing()
    told: list[int] = []
    shared = Shared(
        "", "disk.log", sink, lambda source, shared: told.append(shared.loss.unwritten), lambda shared: None
    )
    for _ in range(3):
        assert shared.write(memoryview(b"1234\n"), ONE) == 5
    assert (shared.loss.total, shared.loss.unwritten, told) == (15, 15, [5])
    assert "web/1: output of its stdout is lost: disk.log: No space left on device; 5 bytes so far" in caplog.text
    sink.full = False
    shared.write(memoryview(b"1234\n"), ONE)
    assert (shared.loss.total, shared.loss.unwritten, sink.taken) == (15, 0, b"1234\n")
    assert "disk.log can be written again: 15 bytes were lost" in caplog.text


def test_the_latest_output_is_kept_and_bounded() -> None:
    recent = Recent(1000)
    for number in range(500):
        recent.add(memoryview(b"line %d\n" % number), 100, "stdout" if number % 2 else "stderr")
    kept = list(recent)
    assert sum(len(said.text) for said in kept) < 1000
    assert recent.last_lines(1, "stdout") == ["line 499"]
    assert recent.last_lines(1, "stderr") == ["line 498"]
    recent.add(memoryview(b"x" * 5000 + b"\nend\n"), 100, "stdout")
    assert recent.last_lines(5, "stdout", 100) == ["end"]
    assert recent.last_lines(5, "stdout", 7) == []


def test_a_flood_does_not_keep_others_waiting() -> None:
    async def run() -> list[Any]:
        order: list[Any] = []

        class Endless:
            def pull(self, buffer: bytearray, view: memoryview) -> int:
                order.append("flood")
                return 1 << 18

        class Quiet:
            def pull(self, buffer: bytearray, view: memoryview) -> int:
                order.append("quiet")
                asyncio.get_running_loop().remove_reader(small[0])
                return 1

        pump = Pump()
        flood, small = os.pipe(), os.pipe()
        os.write(flood[1], b"x")
        pump.add(flood[0], Endless())
        for _ in range(20):
            await asyncio.sleep(0)
        del order[:]
        pump.add(small[0], Quiet())
        os.write(small[1], b"x")
        for _ in range(20):
            await asyncio.sleep(0)
        pump.close()
        for end in (*flood, *small):
            asyncio.get_running_loop().remove_reader(end)
            os.close(end)
        return order

    order = asyncio.run(run())
    assert "quiet" in order
    assert order.index("quiet") <= 20


@pytest.mark.covers("TimedRotatingFileStream-option:rotate_interval", "TimedRotatingFileStream-option:time_format")
def test_a_timed_file_may_wait_for_several_units(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    path.write_text("old\n")

    def write(hours_ago: float) -> None:
        long_ago = time.time() - hours_ago * 3600
        os.utime(path, (long_ago, long_ago))
        options = TimedOptions(filename=str(path), rotate_when="H", rotate_interval=3, time_format="T")
        sink = TimedRotatingFileStream(options)
        sink.open()
        sink.write(memoryview(b"new\n"), ONE)
        sink.close()

    write(2)
    assert path.read_text() == "old\nT [100] | new\n"
    write(4)
    assert path.read_text() == "T [100] | new\n"


@pytest.mark.covers("TimedRotatingFileStream-option:max_age")
def test_earlier_files_of_a_time_go_by_their_age(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    (tmp_path / "out.log.20200101").write_text("too old")
    (tmp_path / "out.log.20200102").write_text("old")
    for day, age in ((1, 500), (2, 50)):
        at = time.time() - age
        os.utime(tmp_path / f"out.log.2020010{day}", (at, at))
    path.write_text("now\n")
    at = time.time() - 100_000
    os.utime(path, (at, at))

    async def write() -> None:
        sink = TimedRotatingFileStream(TimedOptions(filename=str(path), rotate_when="D", max_age=100))
        sink.open()
        sink.write(memoryview(b"new\n"), ONE)
        sink.close()

    asyncio.run(write())
    assert sorted(os.listdir(tmp_path)) == ["out.log", "out.log.20200102"]


@pytest.mark.covers("WatchedFileStream-option:time_format")
def test_a_watched_file_can_have_stamps(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    asyncio.run(piped(WatchedFileStream(WatchedOptions(filename=str(path), time_format="T")), [[b"one\n"]]))
    assert path.read_text() == "T [100] | one\n"


@pytest.mark.covers(
    "JsonStream-option:max_bytes", "JsonStream-option:backup_count", "JsonStream-option:compress",
    "JsonStream-option:max_age",
)  # fmt: skip
def test_json_files_are_kept_below_a_size_as_others_are(tmp_path: Path) -> None:
    path = tmp_path / "out.log"
    (tmp_path / "out.log.2.gz").write_text("too old")
    os.utime(tmp_path / "out.log.2.gz", (1000, 1000))
    options = JsonOptions(filename=str(path), max_bytes=250, backup_count=4, compress=True, max_age=1000)

    async def write() -> None:
        await piped(JsonStream(options), [[b"one\n", b"two\n", b"three\n"]])
        async with asyncio.timeout(20):
            while sorted(os.listdir(tmp_path)) != ["out.log", "out.log.1.gz"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    asyncio.run(write())
    text = gzip.decompress((tmp_path / "out.log.1.gz").read_bytes()) + path.read_bytes()
    assert [json.loads(line)["line"] for line in text.splitlines()] == ["one", "two", "three"]


class Full(Sink):
    """Takes nothing."""

    def write(self, data: memoryview, source: Source) -> int:
        return 0


def test_what_is_left_in_a_pipe_that_is_closed_is_counted_as_lost() -> None:
    async def lost() -> int:
        pump = Pump()
        shared = Shared("", "sink", Full(None), lambda source, shared: None, lambda shared: None)
        ours, theirs = pipe()
        shared.promise()
        channel = Channel(ours, ONE, shared, Recent(0), pump, lambda channel: None)
        os.write(theirs, b"read\n")
        pump.now(channel)
        os.write(theirs, b"and not even read\n")
        channel.close()
        os.close(theirs)
        pump.close()
        return shared.loss.total

    assert asyncio.run(lost()) == len(b"read\nand not even read\n")
