"""SyslogStream by itself: every line arrives whole, at servers that are slow, absent, or come and go."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.testing import PATIENCE
from circus_plugins.streams.shared import Shared
from circus_plugins.streams.sink import Source
from circus_plugins.streams.syslog import SyslogOptions, SyslogStream
from circus_plugins.streams.syslogformats import pieces
from tests.plugins.streams.servers import counted, datagrams, in_a_loop, listening, parsed, received
from tests.plugins.streams.test_sinks import ANYTHING, CUTS, LINES, in_pieces, piped

if TYPE_CHECKING:
    from collections.abc import Callable

WEB = Source("web", 1, 100, "stdout")
ERR = Source("web", 1, 100, "stderr")


async def comes(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


class Given:
    """A sink, what it was given that it did not take yet, and what it lost."""

    def __init__(self, **options: Any) -> None:
        self.sink = SyslogStream(SyslogOptions(**options))
        self.shared = Shared("", options["address"], self.sink, lambda *_: None, lambda _: None)
        self.asked = asyncio.Event()
        self.sink.ready = self.asked.set

    async def say(self, data: bytes, source: Source = WEB) -> None:
        """As a channel does: again with the rest once the sink is ready."""
        left = memoryview(data)
        async with asyncio.timeout(PATIENCE):
            while left:
                self.asked.clear()
                left = left[self.shared.write(left, source) :]
                if left:
                    await self.asked.wait()

    def lost(self) -> int:
        return self.shared.loss.total


@pytest.mark.covers("SyslogStream-option:address", "SyslogStream-option:framing")
@ANYTHING
@given(lines=LINES, tail=st.binary(max_size=30).filter(lambda text: b"\n" not in text), cuts=CUTS)
def test_every_line_arrives_by_tcp_byte_for_byte(lines: list[bytes], tail: bytes, cuts: list[int]) -> None:
    async def run(framing: str) -> bytes:
        async with listening() as server:
            sink = SyslogStream(SyslogOptions(address=f"tcp://127.0.0.1:{server.port}", framing=framing))
            assert not await piped(sink, [in_pieces(b"".join(lines) + tail, cuts)])
            wanted = lines + [tail] * bool(tail)
            least = sum(map(len, wanted))
            await comes(lambda: len(server.all()) >= least and (not wanted or server.all()))
            await asyncio.sleep(0)
            await comes(lambda: done(server.all(), len(wanted)))
            return server.all()

    def done(stream: bytes, number: int) -> bool:
        try:
            return len(list(counted(stream))) >= number
        except (AssertionError, ValueError):
            return stream.count(b"\n") >= number

    wanted = [line.removesuffix(b"\n") for line in lines] + [tail] * bool(tail)
    assert [parsed(message).text for message in counted(asyncio.run(run("octets")))] == wanted
    by_line = asyncio.run(run("newline"))
    assert [parsed(message).text for message in by_line.split(b"\n")[:-1]] == wanted


@ANYTHING
@given(lines=LINES, cuts=CUTS)
def test_every_line_arrives_in_datagrams_byte_for_byte(tmp_path: Path, lines: list[bytes], cuts: list[int]) -> None:
    async def run(address: str, server: socket.socket) -> list[bytes]:
        found: list[bytes] = []

        async def reads() -> None:
            while True:
                found.extend(received(server))
                await asyncio.sleep(0)

        reading = asyncio.create_task(reads())
        sink = SyslogStream(SyslogOptions(address=address, format="rfc5424", max_length=480))
        assert not await piped(sink, [in_pieces(b"".join(lines), cuts)])
        await comes(lambda: len(found) >= len(lines))
        reading.cancel()
        return found

    wanted = [line.removesuffix(b"\n") for line in lines]
    with datagrams() as server:
        found = asyncio.run(run(f"udp://127.0.0.1:{server.getsockname()[1]}", server))
    assert [parsed(message).text for message in found] == wanted
    path = tmp_path / "log"
    path.unlink(missing_ok=True)
    with datagrams(path) as server:
        found = asyncio.run(run(f"unix://{path}", server))
    # At a unix socket a NUL ends a message.
    assert [parsed(message.removesuffix(b"\0")).text for message in found] == [
        line.replace(b"\0", b"\\0") for line in wanted
    ]


@pytest.mark.covers(
    "SyslogStream-option:facility", "SyslogStream-option:severity", "SyslogStream-option:app_name",
    "SyslogStream-option:hostname", "SyslogStream-option:enterprise_number",
)  # fmt: skip
@in_a_loop
async def test_what_stands_in_a_message() -> None:
    with datagrams() as server:
        address = f"udp://127.0.0.1:{server.getsockname()[1]}"
        plain = Given(address=address)
        await plain.say(b"one\n")
        await plain.say(b"bad\n", ERR)
        own = Given(
            address=address, facility="local0", severity="notice", app_name="my app", hostname="h\xe4st",
            enterprise_number=32473,
        )  # fmt: skip
        await own.say(b"two\n", Source('a"]\\b', 7, 5, "stdout"))
        await comes(lambda: select_ready(server))
        out, err, mine = (parsed(message) for message in received(server))
        for sink in (plain.sink, own.sink):
            sink.close()
    assert out == (3 << 3 | 6, out.at, socket.gethostname(), "web", "100", "stdout", "-", b"one")
    assert abs(datetime.fromisoformat(out.at).timestamp() - datetime.now().timestamp()) < PATIENCE
    assert (err.priority, err.msgid, err.text) == (3 << 3 | 3, "stderr", b"bad")
    assert (mine.priority, mine.host, mine.app, mine.procid) == (16 << 3 | 5, "h_st", "my_app", "5")
    assert mine.data == r'[circus@32473 watcher="a\"\]\\b" wid="7" channel="stdout"]'


def select_ready(server: socket.socket) -> bool:
    try:
        return bool(server.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@pytest.mark.covers("SyslogStream-option:format")
@in_a_loop
async def test_a_socket_of_the_machine_gets_what_syslog_3_writes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with datagrams(path) as server:
        given = Given(address=f"unix://{path}", app_name="my:app[]")
        await given.say(b"a\0b\n")
        (message,) = received(server)
        given.sink.close()
    head, text = message.split(b": ")
    assert head.startswith(b"<30>")
    assert head.endswith(b" my_app__[100]")
    assert len(head) == len("<30>Nov  4 10:00:00 my_app__[100]")
    assert text == b"a\\0b\0"


@in_a_loop
async def test_a_socket_of_the_machine_may_be_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "log"
    async with listening(path) as server:
        given = Given(address=f"unix://{path}", format="rfc5424")
        await given.say(b"one\ntwo\n")
        await comes(lambda: server.all().count(b"\0") == 2)
        given.sink.close()
    assert [parsed(each).text for each in server.all().split(b"\0")[:-1]] == [b"one", b"two"]


@pytest.mark.covers("SyslogStream-option:max_length")
@in_a_loop
async def test_a_long_line_goes_in_several_messages() -> None:
    line = ("ä" * 700).encode()
    async with listening() as server:
        given = Given(address=f"tcp://127.0.0.1:{server.port}", max_length=480, enterprise_number=1)
        await given.say(b"short\n" + line + b"\nend\n")
        await comes(lambda: b"end" in server.all())
        given.sink.close()
    messages = list(counted(server.all()))
    found = [parsed(message) for message in messages]
    assert max(map(len, messages)) <= 480
    assert b"|".join(each.text for each in found if b"\xc3" not in each.text) == b"short|end"
    parts = [each for each in found if b"\xc3" in each.text]
    assert b"".join(each.text for each in parts) == line
    assert [' more="true"' in each.data for each in parts] == [True] * (len(parts) - 1) + [False]
    for each in parts:
        each.text.decode()


@given(line=st.text(max_size=50).map(str.encode) | st.binary(max_size=50), most=st.integers(4, 20))
def test_pieces_are_the_line_and_tear_no_character(line: bytes, most: int) -> None:
    parts = list(pieces(line, most))
    assert b"".join(parts) == line
    assert max(map(len, parts)) <= most
    try:
        line.decode()
    except UnicodeDecodeError:
        return
    for part in parts:
        part.decode()


@in_a_loop
async def test_a_flood_to_a_server_that_reads_loses_nothing_and_is_not_piled_up() -> None:
    line = b"%06d " + b"x" * 92 + b"\n"
    held = 0
    async with listening() as server:
        given = Given(address=f"tcp://127.0.0.1:{server.port}")
        for block in range(100):
            await given.say(b"".join(line % number for number in range(block * 1000, block * 1000 + 1000)))
            held = max(held, given.sink.waiting)
        await comes(lambda: any(b"099999 " in said[-300:] for said in server.said))
        given.sink.close()
    assert held <= 1 << 14
    numbers = [int(parsed(message).text[:6]) for message in counted(server.all())]
    assert numbers == list(range(100_000))
    assert given.lost() == 0


@in_a_loop
async def test_who_floods_waits_for_a_server_that_does_not_read_but_not_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = Given(address=f"tcp://127.0.0.1:{server.getsockname()[1]}", max_wait=0.2)
        held = 0
        while not given.lost():
            await given.say(b"x" * 99 + b"\n")
            held = max(held, given.sink.waiting)
        assert held <= 1 << 14
        assert "the server takes nothing; 100 bytes so far" in caplog.text
        lost = given.lost()
        connection, _ = server.accept()
        connection.setblocking(False)
        said = bytearray()
        while given.sink.waiting:
            said += drained(connection)
            await asyncio.sleep(0)
        await given.say(b"again\n")
        await comes(lambda: said.extend(drained(connection)) or b"again" in said)
        connection.close()
        given.sink.close()
    assert given.lost() == lost
    assert f"can be written again: {lost} bytes were lost" in caplog.text
    assert {parsed(message).text for message in counted(bytes(said))} == {b"x" * 99, b"again"}


def drained(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 20)
    except BlockingIOError:
        return b""


@pytest.mark.covers("SyslogStream-option:max_wait")
@pytest.mark.parametrize("scheme", ["tcp", "unix"])
@in_a_loop
async def test_a_server_that_is_absent_is_waited_for_and_then_things_are_lost_until_it_comes(
    tmp_path: Path, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log" if scheme == "unix" else None
    async with listening(path) as server:
        port = server.port
    if path:
        path.unlink(missing_ok=True)
    address = f"unix://{path}" if path else f"tcp://127.0.0.1:{port}"
    given = Given(address=address, format="rfc5424", max_wait=0.1)
    assert given.shared.write(memoryview(b"one\n"), WEB) == 4, "it is held"
    assert given.shared.write(memoryview(b"two\n"), WEB) == 0, "who has more waits"
    await asyncio.wait_for(given.asked.wait(), PATIENCE)
    assert given.lost() == 4
    await given.say(b"three\n")
    await comes(lambda: given.lost() == 10)
    async with listening(path, port) as server:
        # It is tried again when there is something to say, and not for its own sake.
        async with asyncio.timeout(PATIENCE):
            while not server.all():
                await given.say(b"four\n")
                await asyncio.sleep(0.01)
        await given.say(b"five\n")
        await comes(lambda: b"five" in server.all())
        assert not given.sink.failing
    given.sink.close()
    assert "output of its stdout is lost" in caplog.text
    assert "can be written again" in caplog.text


@in_a_loop
async def test_a_server_that_is_started_anew_misses_nothing() -> None:
    async with listening() as server:
        given = Given(address=f"tcp://127.0.0.1:{server.port}")
        await given.say(b"one\n")
        await comes(lambda: b"one" in server.all())
        await server.stop()
        await comes(lambda: given.sink._link._wire is None)
        said = asyncio.create_task(given.say(b"two\nthree\n"))
        await comes(lambda: given.sink.waiting)
        await server.start()
        await said
        await comes(lambda: b"three" in server.all())
        given.sink.close()
    assert [[parsed(each).text for each in counted(bytes(said))] for said in server.said] == [
        [b"one"],
        [b"two", b"three"],
    ]
    assert given.lost() == 0


@in_a_loop
async def test_what_a_server_had_not_acknowledged_is_counted_when_it_goes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        given = Given(address=f"tcp://127.0.0.1:{port}", max_wait=0.1)
        text = b"".join(b"%06d %s\n" % (number, b"x" * 990) for number in range(8000))
        said = asyncio.create_task(given.say(text))
        await comes(lambda: given.sink.waiting)
        connection, _ = server.accept()
        got = len(connection.recv(1 << 16))
    connection.close()
    await asyncio.wait_for(said, PATIENCE)
    await comes(lambda: not given.sink.waiting)
    given.sink.close()
    assert got
    assert given.lost() > 1_000_000


@in_a_loop
async def test_a_server_of_datagrams_that_is_absent_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    with datagrams() as server:
        port = server.getsockname()[1]
    given = Given(address=f"udp://127.0.0.1:{port}")
    for number in range(10):
        assert given.shared.write(memoryview(b"line %d\n" % number), WEB) == 7
    assert given.lost() == 9 * 7, "of the last one nobody knows"
    assert caplog.text.count("Connection refused") == 1
    assert "can be written again" not in caplog.text
    given.sink.close()


@in_a_loop
async def test_a_host_is_looked_up_and_nothing_waits_for_that(caplog: pytest.LogCaptureFixture) -> None:
    async with listening() as server:
        given = Given(address=f"tcp://localhost:{server.port}")
        await given.say(b"one\n")
        assert given.sink.waiting == 4, "it is held, and the loop goes on"
        await comes(lambda: b"one" in server.all())
        given.sink.close()
    unknown = Given(address="udp://no-such-host.invalid", max_wait=0.01)
    await unknown.say(b"one\ntwo\n")
    await comes(lambda: unknown.lost() == 8)
    assert "no-such-host.invalid" in caplog.text
    unknown.sink.close()


@in_a_loop
async def test_a_look_up_that_nobody_needs_any_more_is_ended() -> None:
    before = set(os.listdir("/proc/self/fd"))
    given = Given(address="tcp://no-such-host.invalid", max_wait=60.0)
    await given.say(b"one\n")
    given.sink.close()
    assert set(os.listdir("/proc/self/fd")) == before
    assert not children(), "it was waited for"


@in_a_loop
async def test_reopening_connects_anew() -> None:
    async with listening() as server:
        given = Given(address=f"tcp://127.0.0.1:{server.port}")
        await given.say(b"one\n")
        await comes(lambda: b"one" in server.all())
        given.shared.reopen()
        await given.say(b"two\n")
        await comes(lambda: b"two" in server.all())
        given.sink.close()
    assert len(server.said) == 2


MISTAKES = [
    ("tcp://", "expected tcp://HOST:PORT"),
    ("tcp://host:many", "expected udp://HOST:PORT, tcp://HOST:PORT or unix:///PATH; "),
    ("host:514", "expected udp://HOST:PORT, tcp://HOST:PORT or unix:///PATH"),
    ("unix://dev/log", "expected unix:///PATH, with three slashes"),
    ("tls://host", "expected udp://HOST:PORT"),
    ("udp://host:0", "no server has the port 0"),
    ("udp://host/path", "expected udp://HOST:PORT"),
]


@pytest.mark.parametrize(("address", "told"), MISTAKES)
def test_an_address_that_is_wrong_is_told(address: str, told: str) -> None:
    from circus_plugins.streams.target import ADDRESS

    with pytest.raises(ValueError, match=told):
        ADDRESS.parse(address)
