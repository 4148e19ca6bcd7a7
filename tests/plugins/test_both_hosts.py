"""Every bundled plugin that may run in a process of its own does there what it does inside circusd."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import tempfile
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pytest
import zmq.asyncio

from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.bus import Bus
from circus_core.errors import PluginError
from circus_core.implementing import refuse_outside
from circus_core.installed import PLUGINS
from circus_core.testing import Deeds, check_plugin, python, until, watcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from circus_core.conformance import Run

    Scenario = Callable[[Run], Awaitable[None]]

RATE = 0.05
RESTART = 'restart {"match": "simple", "name": "a", "running": true}'
LISTENS_ONLY = (
    "command_reloader", "full_stats", "http_observer", "redis_observer", "resource_watcher", "stats", "statsd",
    "watchdog", "web",
)  # fmt: skip


def bundled(name: str) -> type:
    (found,) = entry_points(group=PLUGINS, name=name)
    cls: type = found.load()
    return cls


BUNDLED = sorted(entry.name for entry in entry_points(group=PLUGINS) if entry.value.startswith("circus_plugins."))


@pytest.mark.parametrize("entry", BUNDLED)
def test_a_bundled_plugin_is_tried_in_both_hosts_or_cannot_be(entry: str) -> None:
    cls = bundled(entry)
    plugin = cls()
    hooks = Bus().load(entry, plugin).hooks
    if entry in LISTENS_ONLY:
        refuse_outside(entry, plugin, hooks)
        assert f"test_{entry}" in globals()
    else:
        with pytest.raises(PluginError):
            refuse_outside(entry, plugin, hooks)
        assert entry in DEFAULT_PLUGINS or getattr(cls, "host", None) == "core"


async def both(name: str, scenario: Scenario, cmd: str, **options: object) -> Deeds:
    """What it did with one watcher `a`, the same in both hosts, and without a failure."""
    deeds = await check_plugin(bundled(name), options=options, watchers=[watcher("a", cmd)], scenario=scenario)
    assert deeds.failures == []
    return deeds


def orders(deeds: Deeds, *commands: str) -> list[str]:
    return [each for each in deeds.commands if each.partition(" ")[0] in commands]


async def test_command_reloader(supervise: object, tmp_path: Path) -> None:
    program = tmp_path / "program.sh"

    async def scenario(run: Run) -> None:
        program.touch()
        await run.wait_for("process_exited", watcher="a")

    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    deeds = await both("command_reloader", scenario, str(program), loop_rate=RATE)
    assert orders(deeds, "restart") == [RESTART]


class Service:
    """A server that is well, but for its next `failing` answers."""

    def __init__(self, answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter, bool], Awaitable[None]]) -> None:
        self.failing = 0
        self.port = 0
        self._answer = answer
        self._well = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        failing, self.failing = self.failing > 0, max(self.failing - 1, 0)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._answer(reader, writer, failing)
        writer.close()
        if not failing:
            self._well.set()

    async def is_well_again(self) -> None:
        self._well.clear()
        await self._well.wait()


@contextlib.asynccontextmanager
async def serving(answer: Any) -> AsyncIterator[Service]:
    service = Service(answer)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, failing: bool) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % (b"503 Service Unavailable" if failing else b"200 OK"))


async def redis(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, failing: bool) -> None:
    """As much of Redis' protocol as a question takes."""
    while True:
        count = int((await reader.readuntil(b"\r\n"))[1:])
        words = []
        for _ in range(count):
            size = int((await reader.readuntil(b"\r\n"))[1:])
            words.append((await reader.readexactly(size + 2))[:-2].upper())
        if words[0] == b"INFO":
            if failing:
                return
            writer.write(b"$26\r\nconnected_clients:1\r\nuptime\r\n")
            return
        writer.write(b"+OK\r\n")


def fails_once(service: Service) -> Scenario:
    async def scenario(run: Run) -> None:
        service.failing = 1
        await run.wait_for("process_exited", watcher="a")
        await service.is_well_again()

    return scenario


async def test_http_observer(supervise: object) -> None:
    async with serving(http) as service:
        options = {"check_url": f"http://127.0.0.1:{service.port}/", "restart_on_error": "a"}
        deeds = await both("http_observer", fails_once(service), "sleep 1000", loop_rate=RATE, **options)
    assert orders(deeds, "restart") == [RESTART]
    assert [line for line in deeds.logged if "restarted" in line or "well again" in line] == [
        f"WARNING a is restarted: http://#.#:{service.port}/ answered 503 Service Unavailable",
        "INFO well again, after 1 failure",
    ]


async def test_redis_observer(supervise: object) -> None:
    async with serving(redis) as service:
        options = {"redis_url": f"redis://127.0.0.1:{service.port}/0", "restart_on_timeout": "a"}
        deeds = await both("redis_observer", fails_once(service), "sleep 1000", loop_rate=RATE, **options)
    assert orders(deeds, "restart") == [RESTART]
    assert deeds.logged[-1] == "INFO well again, after 1 failure"


async def test_watchdog(supervise: object) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    beating = python(f"""
        import os, signal, socket, time
        signal.signal(signal.SIGUSR1, lambda *_: signal.pause())
        to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # It is to be known by the watchdog first, in a process of its own too.
        time.sleep(1)
        while True:
            to.sendto(f"{{os.getpid()}};{{time.time()}}".encode(), ("127.0.0.1", {port}))
            time.sleep(0.02)
    """)

    async def scenario(run: Run) -> None:
        os.kill(run.pids("a")[0], signal.SIGUSR1)
        await run.wait_for("process_exited", watcher="a")

    deeds = await both("watchdog", scenario, beating, port=port, loop_rate=0.5, max_count=6)
    assert orders(deeds, "kill") == ['kill {"name": "a", "pid": PID:a:1}']


async def test_resource_watcher(supervise: object, tmp_path: Path) -> None:
    growing = python(f"""
        import os, signal
        signal.signal(signal.SIGUSR1, lambda *_: globals().update(much=b"x" * 300_000_000))
        open({str(tmp_path)!r} + f"/{{os.getpid()}}", "w").close()
        while True:
            signal.pause()
    """)

    async def scenario(run: Run) -> None:
        (pid,) = run.pids("a")
        until((tmp_path / str(pid)).exists)
        os.kill(pid, signal.SIGUSR1)
        await run.wait_for("process_exited", watcher="a")

    # To grow takes the processor too, and its limit may be looked at first.
    limits = {"max_mem": "200MB", "max_cpu": 0, "max_count": 2}
    deeds = await both("resource_watcher", scenario, growing, watcher="a", loop_rate=RATE, **limits)
    assert orders(deeds, "restart") == [RESTART]
    assert len(deeds.published) == 1


async def test_stats(supervise: object) -> None:
    """What it publishes is tried in its own tests; here, that it does so in either host, and orders nothing."""
    with tempfile.TemporaryDirectory(prefix="circus-") as folder:
        endpoint = f"ipc://{folder}/stats.sock"

        async def scenario(run: Run) -> None:
            context: zmq.asyncio.Context = zmq.asyncio.Context()
            subscriber = context.socket(zmq.SUB)
            subscriber.connect(endpoint)
            subscriber.subscribe("stat.a")
            before = (await run.call("list", name="a"))["pids"]
            await run.call("restart", name="a", waiting=True)
            pids: list[int] = before
            while not pids or pids == before:
                topic, body = await subscriber.recv_multipart()
                pids = json.loads(body)["pid"] if topic == b"stat.a" else pids
            assert pids == (await run.call("list", name="a"))["pids"]
            context.destroy(0)

        deeds = await both("stats", scenario, "sleep 1000", interval=RATE, stats_endpoint=endpoint)
    assert not orders(deeds, "stop", "kill", "restart")


async def told_to_statsd(name: str, metric: bytes, act: Scenario, **options: object) -> None:
    """That a plugin tells a statsd server of a metric after something was done."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)

        async def scenario(run: Run) -> None:
            # What the plugin in the other place went on to tell is not of this one.
            with contextlib.suppress(BlockingIOError):
                while server.recv(65536):
                    pass
            await act(run)
            said = b""
            while metric not in said:
                said = await asyncio.get_running_loop().sock_recv(server, 65536)

        await both(name, scenario, "sleep 1000", host="127.0.0.1", port=server.getsockname()[1], **options)


async def test_statsd(supervise: object) -> None:
    async def restart(run: Run) -> None:
        await run.call("restart", name="a", waiting=True)

    await told_to_statsd("statsd", b"a.spawn:1|c", restart)


async def test_full_stats(supervise: object) -> None:
    """No plugin is there that answers `stats`; it tells that, and goes on. The check waits for a quiet moment."""

    async def nothing(_run: Run) -> None:
        pass

    await told_to_statsd("full_stats", b"_stats.error:1|c", nothing, loop_rate=0.5)


async def test_web(supervise: object) -> None:
    """It is one that cannot: what it needs is too much for circusd itself, and it says so."""

    async def nothing(_run: Run) -> None:
        pass

    with pytest.raises(PluginError, match="serves pages only in a process of its own"):
        await both("web", nothing, "sleep 1000")
