"""Groups of sockets at one address (SO_REUSEPORT): whoever is replaced, no connection is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import until
from circus_plugins.sockets import groups
from circus_plugins.sockets.binding import opened
from circus_plugins.sockets.groups import Group
from circus_plugins.sockets.queues import waiting
from tests.plugins.sockets.serving import call, made, pids

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

GRACEFUL = """\
import os, selectors, signal, socket, sys, time
server = socket.socket(fileno=int(sys.argv[1]))
awake, wakes = socket.socketpair()
wakes.setblocking(False)
signal.set_wakeup_fd(wakes.fileno())
signal.signal(signal.SIGTERM, lambda *_: None)
found = selectors.DefaultSelector()
found.register(server, selectors.EVENT_READ, server)
found.register(awake, selectors.EVENT_READ, None)
def serve():
    try:
        client, _ = server.accept()
    except BlockingIOError:
        return False
    client.sendall(str(os.getpid()).encode())
    client.close()
    return True
while not any(key.data is None for key, _ in found.select()):
    serve()
# What waits already is served, and whoever was being connected; what comes now is for others.
found.unregister(awake)
end = time.monotonic() + float(sys.argv[2])
while (left := end - time.monotonic()) > 0:
    if not serve():
        found.select(left)
"""


@pytest.fixture
def graceful(tmp_path: Path) -> str:
    """A command line of a server that takes nothing more once it is to stop, and takes its time to end."""
    path = tmp_path / "graceful.py"
    path.write_text(GRACEFUL)
    return f"{sys.executable} {path}"


def configuration(server: str, number: int, slow: float = 0.3) -> str:
    return f"""
[socket:web]
host = 127.0.0.1
port = 0
so_reuseport = True
[watcher:web]
cmd = {server} $(circus.sockets.web) {slow}
copy_env = True
numprocesses = {number}
"""


def entries(run: Circusd) -> list[dict[str, Any]]:
    """The sockets of the group, as `listsockets` has them."""
    found: list[dict[str, Any]] = call(run, "listsockets")["sockets"]
    return found


async def asked(port: int) -> int:
    """Who answers a connection; raises OSError, or ValueError where it ends without an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return int(await asyncio.wait_for(reader.read(), 20))
    finally:
        writer.close()


class Stream:
    """Connections one after another, eight at a time, while the block lasts; `answers` counts who answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: Counter[int] = Counter()
        self.lost: list[Exception] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._over = False
        self._answered = asyncio.Event()

    async def _ask(self) -> None:
        while not self._over:
            try:
                self.answers[await asked(self.port)] += 1
                self._answered.set()
            except (OSError, ValueError) as error:
                self.lost.append(error)

    async def __aenter__(self) -> Stream:
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(8)]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._over = True
        await asyncio.gather(*self._tasks)

    async def more(self, number: int = 200) -> None:
        """Until so many more were answered."""
        enough = self.answers.total() + number
        await self._until(lambda: self.answers.total() >= enough)

    async def all_of(self, pids: list[int]) -> None:
        """Until each of these processes answered: one that is told to end before it looks at its socket leaves there
        what waits."""
        await self._until(lambda: self.answers.keys() >= set(pids))

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._answered.clear()
            await self._answered.wait()


async def ordered(run: Circusd, command: str, **properties: Any) -> None:
    """A command, while others go on."""
    await asyncio.to_thread(call, run, command, waiting=True, **properties)


@pytest.mark.covers("socket-option:so_reuseport")
def test_each_process_has_a_socket_and_all_are_listed(circusd: Callable[..., Circusd], graceful: str) -> None:
    run = circusd(configuration(graceful, 3)).up()
    found = entries(run)
    assert len({entry["fd"] for entry in found}) == 3
    assert len({entry["port"] for entry in found}) == 1
    assert {entry["name"] for entry in found} == {"web"}
    assert sorted(entry["pids"][0] for entry in found) == sorted(pids(run, "web"))
    assert all(entry["watchers"] == ["web"] for entry in found)


def test_a_process_takes_over_what_waits_for_the_one_that_was_killed(
    circusd: Callable[..., Circusd], graceful: str
) -> None:
    run = circusd(configuration(graceful, 2)).up()
    (port,) = {entry["port"] for entry in entries(run)}
    before = pids(run, "web")
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    assert all(entry["waiting"] for entry in entries(run))
    assert sum(entry["waiting"] for entry in entries(run)) == 60
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    for client in clients:
        client.settimeout(20)
        assert int(client.recv(100)) not in before
        client.close()
    assert len(entries(run)) == 2


@pytest.mark.parametrize("sequential", [False, True])
def test_nothing_is_lost_by_a_reload(circusd: Callable[..., Circusd], graceful: str, sequential: bool) -> None:
    run = circusd(configuration(graceful, 2)).up()
    (port,) = {entry["port"] for entry in entries(run)}

    async def work() -> Stream:
        async with Stream(port) as stream:
            for _ in range(3):
                await stream.all_of(pids(run, "web"))
                await ordered(run, "reload", name="web", sequential=sequential)
            await stream.more()
        return stream

    stream = asyncio.run(work())
    assert stream.lost == []
    assert len(entries(run)) == 2


def test_nothing_is_lost_by_a_restart(circusd: Callable[..., Circusd], graceful: str) -> None:
    run = circusd(configuration(graceful, 2)).up()
    (port,) = {entry["port"] for entry in entries(run)}

    async def work() -> Stream:
        async with Stream(port) as stream:
            await stream.all_of(pids(run, "web"))
            await ordered(run, "restart", name="web")
            await stream.more()
        return stream

    assert asyncio.run(work()).lost == []
    assert len(entries(run)) == 2


def test_nothing_is_lost_where_there_are_fewer_processes(circusd: Callable[..., Circusd], graceful: str) -> None:
    run = circusd(configuration(graceful, 4)).up()
    (port,) = {entry["port"] for entry in entries(run)}

    async def work() -> Stream:
        async with Stream(port) as stream:
            for _ in range(3):
                await stream.all_of(pids(run, "web"))
                await ordered(run, "decr", name="web")
            await stream.more()
            # It takes a socket that nobody has any more; the others are closed once that cannot lead anybody astray.
            await ordered(run, "incr", name="web")
            await stream.all_of(pids(run, "web"))
            await asyncio.to_thread(until, lambda: len(entries(run)) == 2)
            await stream.all_of(pids(run, "web"))
        return stream

    stream = asyncio.run(work())
    assert stream.lost == []


def test_several_watchers_share_a_group(circusd: Callable[..., Circusd], graceful: str) -> None:
    run = circusd(
        configuration(graceful, 2) + f"[watcher:other]\ncmd = {graceful} $(circus.sockets.web) 0.1\ncopy_env = True\n"
    ).up()
    (port,) = {entry["port"] for entry in entries(run)}
    assert [entry["watchers"] for entry in entries(run)] == [["other", "web"]] * 3

    async def work() -> Stream:
        async with Stream(port) as stream:
            await stream.all_of(pids(run, "web") + pids(run, "other"))
            await ordered(run, "stop", name="other")
            await stream.more()
            await ordered(run, "start", name="other")
            await stream.all_of(pids(run, "web") + pids(run, "other"))
            await ordered(run, "restart", name="web")
        return stream

    stream = asyncio.run(work())
    assert stream.lost == []


# A group by itself


def connected(group: Group, number: int = 200) -> list[int]:
    """How many more wait at each socket after so many connections, and what is connected."""
    before = [waiting(each) for each in group.sockets]
    address = group.sockets[0].getsockname()
    clients = [socket.create_connection(address) for _ in range(number)]
    after = [waiting(each) for each in group.sockets]
    for client in clients:
        client.close()
    return [now - then for now, then in zip(after, before, strict=True)]


async def test_what_comes_goes_where_processes_are(supervise: object) -> None:
    options = made(so_reuseport=True, backlog=4000)
    group = Group(options, opened(options), lambda: None)
    try:
        for number in range(5):
            group.take(("web", number), lambda: 5)
            group.spawned(("web", number), 100 + number)
        assert all(connected(group))
        group.ending(101)
        group.ended(103)
        came = connected(group)
        assert [bool(each) for each in came] == [True, False, True, False, True]
        # The next gets the one that nobody has.
        assert group.take(("web", 9), lambda: 5) is group.sockets[3]
        group.drop(("web", 9))
        group.ended(101)
        assert sum(connected(group)[1::2]) == 0
        # With nobody left it is the kernel's again, and everything waits.
        for pid in (100, 102, 104):
            group.ended(pid)
        assert all(connected(group))
    finally:
        group.close()


async def test_only_what_is_empty_is_closed(supervise: object, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(groups, "HANDSHAKE", 0.01)
    closed = asyncio.Event()
    options = made(so_reuseport=True, backlog=4000)
    group = Group(options, opened(options), closed.set)
    try:
        for number in range(4):
            group.take(("web", number), lambda: 4)
            group.spawned(("web", number), 100 + number)
        closed.clear()
        first, _second, third, fourth = group.sockets
        group.ended(101)
        group.fit(lambda: 3)
        await closed.wait()
        # The kernel numbers them anew, and so does the group.
        assert group.sockets == [first, fourth, third]
        group.ended(100)
        assert [bool(each) for each in connected(group)] == [False, True, True]
        with socket.create_connection(first.getsockname()):
            group.ended(102)
            group.ended(103)
            assert all(connected(group)), "whoever comes waits at any"
        assert "wait at a socket that no process has any more" not in caplog.text
        group.take(("web", 1), lambda: 1)
        group.spawned(("web", 1), 200)
        group.fit(lambda: 1)
        await asyncio.sleep(0.1)
        assert len(group.sockets) == 3, "what waits is for those who get them"
        assert "wait at a socket that no process has any more" in caplog.text
        assert sum(bool(each) for each in connected(group)) == 1
    finally:
        group.close()
