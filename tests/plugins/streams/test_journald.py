"""JournaldStream: entries as a listener reads them by the protocol's rules, and as systemd-journald keeps them."""

from __future__ import annotations

import array
import asyncio
import fcntl
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.testing import until
from circus_plugins.streams import Streams
from circus_plugins.streams.journald import JournaldOptions, JournaldStream, entry_field
from circus_plugins.streams.shared import Shared
from circus_plugins.streams.wires import SEALS
from tests.plugins.streams.servers import in_a_loop
from tests.plugins.streams.test_sinks import ANYTHING, CUTS, LINES, ONE, in_pieces, piped
from tests.plugins.streams.test_streams import comes, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOURNALD = "/lib/systemd/systemd-journald"
OWN_RUN = """
mount -t tmpfs none /run && mkdir -p /run/systemd /run/log/journal || exit 7
exec env SYSTEMD_LOG_TARGET=null {journald}
"""


def fields(entry: bytes) -> dict[str, bytes]:
    """The fields of an entry; raises AssertionError if it is none."""
    found: dict[str, bytes] = {}
    while entry:
        line, end, rest = entry.partition(b"\n")
        assert end
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", rest)
            value, rest = rest[8 : 8 + length], rest[8 + length :]
            assert rest.startswith(b"\n")
            rest = rest[1:]
        assert name.isascii()
        assert name.decode().replace("_", "A").isalnum()
        found[name.decode()] = value
        entry = rest
    return found


class Journal:
    """A socket to which entries are sent."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix://{path}"
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.passed = 0

    def entries(self) -> list[dict[str, bytes]]:
        """All that have arrived."""
        found = []
        while True:
            try:
                data, ancillary, _flags, _address = self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return found
            if ancillary:
                assert not data, "either data or a file"
                (descriptor,) = array.array("i", ancillary[0][2])
                assert fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) == SEALS
                with open(descriptor, "rb") as file:
                    file.seek(0)
                    data = file.read()
                self.passed += 1
            found.append(fields(data))


@given(value=st.binary(max_size=30))
def test_a_field_is_read_as_it_was_whatever_is_in_it(value: bytes) -> None:
    assert fields(entry_field("MESSAGE", value) + entry_field("PRIORITY", b"6")) == {
        "MESSAGE": value,
        "PRIORITY": b"6",
    }


@pytest.mark.covers("JournaldStream-option:address", "JournaldStream-option:max_wait")
@ANYTHING
@given(lines=LINES, tail=st.binary(max_size=30).filter(lambda text: b"\n" not in text), cuts=CUTS)
def test_every_line_is_an_entry_byte_for_byte(tmp_path: Path, lines: list[bytes], tail: bytes, cuts: list[int]) -> None:
    async def run() -> list[dict[str, bytes]]:
        journal = Journal(tmp_path / "socket")
        found: list[dict[str, bytes]] = []

        async def read() -> None:
            # The queue of such a socket is short, so the sink has to wait.
            while True:
                found.extend(journal.entries())
                await asyncio.sleep(0)

        reading = asyncio.create_task(read())
        sink = JournaldStream(JournaldOptions(address=journal.address, max_wait=20.0))
        assert not await piped(sink, [in_pieces(b"".join(lines) + tail, cuts)])
        await comes(lambda: len(found) >= len(lines) + bool(tail))
        reading.cancel()
        journal.socket.close()
        return found

    found = asyncio.run(run())
    assert [each["MESSAGE"] for each in found] == [line.removesuffix(b"\n") for line in lines] + [tail] * bool(tail)
    assert [each.get("CIRCUS_MORE") for each in found] == [None] * len(lines) + [b"1"] * bool(tail)


@pytest.mark.covers("JournaldStream-option:severity", "JournaldStream-option:identifier")
@in_a_loop
async def test_what_fields_an_entry_has_and_a_large_one_is_passed_in_a_sealed_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "socket")
    sink = JournaldStream(JournaldOptions(address=journal.address))
    own = JournaldStream(JournaldOptions(address=journal.address, severity="crit", identifier="my app"))
    sink.open()
    long = b"x" * 9_000_000
    shared = Shared("", "", sink, lambda *_: None, lambda _: None)
    assert shared.write(memoryview(b"one\n" + long + b"\n\xff\n"), ONE) == len(long) + 7
    own.write(memoryview(b"two\n"), ONE)
    one, large, odd, two = journal.entries()
    sink.close()
    own.close()
    journal.socket.close()
    assert one == {
        "PRIORITY": b"6", "SYSLOG_IDENTIFIER": b"web", "SYSLOG_PID": b"100", "OBJECT_PID": b"100",
        "CIRCUS_WATCHER": b"web", "CIRCUS_WID": b"1", "CIRCUS_PID": b"100", "CIRCUS_CHANNEL": b"stdout",
        "MESSAGE": b"one",
    }  # fmt: skip
    assert (large["MESSAGE"], odd["MESSAGE"], journal.passed) == (long, b"\xff", 1)
    assert (two["PRIORITY"], two["SYSLOG_IDENTIFIER"]) == (b"2", b"my app")
    assert shared.loss.total == 0


async def test_the_journal_may_be_started_anew(supervise: Any, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "socket")
    counting = "sh -c 'n=0; while true; do n=$((n+1)); echo $n; sleep 0.005; done'"
    one = streamed("one", counting, stdout__class="JournaldStream", stdout__address=journal.address)
    found: list[dict[str, bytes]] = []

    def read() -> int:
        found.extend(journal.entries())
        return len(found)

    async with supervise(one, plugins={"streams": Streams()}) as run:
        await comes(lambda: read() > 5)
        read()
        journal.socket.close()
        journal = Journal(tmp_path / "socket")
        before = len(found)
        await comes(lambda: read() > before + 5)
        await run.call("stop", name="one", waiting=True)
        read()
        assert not run.events.named("output_lost")
    journal.socket.close()
    numbers = [int(entry["MESSAGE"]) for entry in found]
    # What was in the queue of the old socket is gone with it; nobody can know of that.
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - len(numbers) <= 10


@pytest.fixture
def journald() -> Iterator[str]:
    """A systemd-journald whose /run only it sees, by the folder in which others do."""
    tools = all(map(shutil.which, ("unshare", "mount", "journalctl")))
    if os.geteuid() != 0 or not tools or not os.path.exists(JOURNALD):
        pytest.skip("systemd-journald cannot be run here")
    script = OWN_RUN.format(journald=JOURNALD)
    running = subprocess.Popen(["unshare", "--mount", "sh", "-c", script], stderr=subprocess.DEVNULL)
    run = f"/proc/{running.pid}/root/run"
    until(lambda: running.poll() is not None or os.path.exists(f"{run}/systemd/journal/socket"))
    try:
        if running.poll() is not None:
            pytest.skip("a file system cannot be mounted here")
        yield run
    finally:
        running.terminate()
        running.wait()


async def test_the_journal_of_systemd_keeps_each_line(supervise: Any, journald: str, tmp_path: Path) -> None:
    script = tmp_path / "says.py"
    script.write_text(
        "import os, signal, sys\n"
        "print('one', flush=True)\n"
        "sys.stderr.buffer.write(b'\\xff odd\\n'); sys.stderr.flush()\n"
        "print('x' * 250_000, flush=True)\n"
        "print('last', end='', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    address = f"unix://{journald}/systemd/journal/socket"
    given = {f"{channel}__class": "JournaldStream" for channel in ("stdout", "stderr")}
    given |= {f"{channel}__address": address for channel in ("stdout", "stderr")}
    one = streamed("one", f"{sys.executable} {script}", respawn=False, **given)

    def kept() -> dict[Any, dict[str, Any]]:
        words = ["journalctl", f"--directory={journald}/log/journal", "-o", "json", "--all", "CIRCUS_WATCHER=one"]
        lines = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
        entries = [json.loads(line) for line in lines]
        return {tuple(each["MESSAGE"]) if isinstance(each["MESSAGE"], list) else each["MESSAGE"]: each
                for each in entries}  # fmt: skip

    async with supervise(one, plugins={"streams": Streams()}) as run:
        exited = await run.events.wait_for("process_exited", watcher="one")
        await comes(lambda: len(kept()) == 4)
    found = kept()
    assert set(found) == {"one", "x" * 250_000, "last", tuple(b"\xff odd")}
    entry = found["one"]
    assert (entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"], entry["CIRCUS_WID"]) == ("6", "one", "1")
    assert entry["CIRCUS_PID"] == entry["SYSLOG_PID"] == str(exited.pid)
    assert found[tuple(b"\xff odd")]["PRIORITY"] == "3"
    assert found[tuple(b"\xff odd")]["CIRCUS_CHANNEL"] == "stderr"
