"""What plugins send to statsd, and that nothing of it can hold them up or make them fail."""

from __future__ import annotations

import asyncio
import socket

import pytest

from circus_core.testing import PATIENCE
from circus_plugins.statsd import StatsdOptions, StatsdPlugin, bucket, clients, sending


class Host:
    """What a plugin gets from where it runs; it calls back only when the test says so."""

    def __init__(self) -> None:
        self.callback = None

    def every(self, seconds, callback):
        assert seconds == sending.AGAIN
        self.callback = callback
        return self

    def publish(self, event):
        pass

    def cancel(self):
        self.callback = None


async def started(**options):
    plugin = StatsdPlugin()
    plugin.equip("p", None, StatsdOptions(**options), Host())
    await plugin.circus_startup()
    return plugin


@pytest.mark.parametrize(
    ("name", "sent"), [("a.b-c", "a.b-c"), ("plugin:x", "plugin_x"), ("two words|@\n", "two_words___"), ("é", "_")]
)
def test_names_that_would_break_the_format(name, sent):
    assert bucket(name) == sent


@pytest.mark.covers("resource_watcher-option:statsd_host", "resource_watcher-option:sample_rate")
async def test_metrics(supervise, statsd):
    plugin = await started(statsd_host="127.0.0.1", port=statsd.port, application_name="my app")
    plugin.count("a")
    plugin.metrics.timing("b", 1.5)
    plugin.metrics.gauge("plugin:c", 7)
    prefix = "circus.my_app.watcher."
    assert await statsd.wait_for(".*c") == prefix + "a:1|c"
    assert (await statsd.wait_for(".*ms")) == prefix + "b:1.500000|ms"
    assert await statsd.wait_for(".*g") == prefix + "plugin_c:7|g"
    await plugin.circus_shutdown()


async def test_a_sample_of_counts_and_every_gauge(supervise, statsd):
    plugin = await started(port=statsd.port, sample_rate=0.000001)
    for _ in range(1000):
        plugin.count("a")
    plugin.metrics.gauge("g", 1)
    await statsd.wait_for(r"circus\.app\.watcher\.g:1\|g")
    assert len(statsd.seen) < 10
    await plugin.circus_shutdown()


async def test_a_sample_says_its_rate(supervise, statsd):
    plugin = await started(port=statsd.port, sample_rate=0.9999)
    plugin.count("a")
    assert (await statsd.wait_for(".*c.*")).endswith("a:1|c|@0.9999")
    await plugin.circus_shutdown()


async def test_nobody_has_to_listen(supervise, free_port):
    plugin = await started(port=free_port)
    for _ in range(10_000):
        plugin.count("a")
    await plugin.circus_shutdown()


async def test_a_server_that_is_not_found_is_said_once_and_looked_for_again(supervise, monkeypatch, caplog, statsd):
    async def nowhere(name):
        raise socket.gaierror(-2, "no such name")

    with monkeypatch.context() as patched:
        patched.setattr(sending, "_address", nowhere)
        plugin = await started(host="stats.example", port=statsd.port)
        plugin.count("lost")
        await plugin._host.callback()
    assert caplog.text.count("the statsd server stats.example is not found (no such name)") == 1
    plugin.options = StatsdOptions(port=statsd.port)
    await plugin._host.callback()
    assert plugin._host.callback is None
    plugin.count("found")
    await statsd.wait_for(".*found.*")
    await plugin.circus_shutdown()


async def test_a_name_server_that_is_silent_holds_up_no_start(supervise, monkeypatch, caplog):
    async def silent(name):
        await asyncio.Event().wait()

    monkeypatch.setattr(sending, "_address", silent)
    monkeypatch.setattr(sending, "LOOKUP", 0.01)
    plugin = await started(host="stats.example")
    assert "the statsd server stats.example is not found (no answer within 0.01 s)" in caplog.text
    plugin.count("lost")
    await plugin.circus_shutdown()


async def test_a_name_is_looked_up(supervise):
    assert await sending._address("localhost") == "127.0.0.1"
    assert await sending._address("::1") == "::1"
    assert await sending._address(socket.gethostname()) != ""
    with pytest.raises(OSError, match=r"not known|resolution|No address"):
        await sending._address("no-such-host.invalid")


class Lines:
    """A server that takes metrics by TCP, at first only once the test says so."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.server = None
        self.seen = asyncio.Queue()
        self.clients = []

    async def listen(self) -> None:
        self.server = await asyncio.start_server(self._take, sock=self.socket)

    async def _take(self, reader, writer) -> None:
        self.clients.append(writer)
        while line := await reader.readline():
            await self.seen.put(line.decode())
        writer.close()

    async def next(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self.seen.get()

    async def close(self) -> None:
        self.server.close()
        for each in self.clients:
            each.close()


@pytest.mark.covers(
    "statsd-option:protocol", "full_stats-option:protocol", "http_observer-option:protocol",
    "redis_observer-option:protocol", "resource_watcher-option:protocol",
)  # fmt: skip
async def test_by_tcp_each_metric_is_a_line(supervise):
    lines = Lines()
    await lines.listen()
    plugin = await started(port=lines.port, protocol="tcp")
    plugin.count("first")
    plugin.count("second")
    assert [await lines.next(), await lines.next()] == [
        f"circus.app.watcher.{name}:1|c\n" for name in ("first", "second")
    ]
    with plugin.metrics.together() as together:
        together.gauge("g", 1)
        together.gauge("h", -2)
    found = [await lines.next() for _ in range(3)]
    assert found == [f"circus.app.watcher.{line}|g\n" for line in ("g:1", "h:0", "h:-2")]
    plugin.count("last")
    await plugin.circus_shutdown()
    assert await lines.next() == "circus.app.watcher.last:1|c\n"
    await lines.close()


async def test_by_tcp_a_server_that_is_away_costs_nothing_and_is_found_again(supervise, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(clients, "CONNECT", 0.01)
    lines = Lines()
    plugin = await started(port=lines.port, protocol="tcp")
    for _ in range(3):
        plugin.count("dropped")
        await until_tried(plugin)
    where = f"the statsd server localhost:{lines.port}"
    assert caplog.text.count(f"{where} takes no connection (Connection refused): metrics are dropped") == 1
    await lines.listen()
    async with asyncio.timeout(PATIENCE):
        while lines.seen.empty():
            plugin.count("found")
            await asyncio.sleep(0.01)
    assert "found" in await lines.next()
    assert f"{where} takes metrics again" in caplog.text
    lines.clients[0].close()
    await lines.clients[0].wait_closed()
    async with asyncio.timeout(PATIENCE):
        while len(lines.clients) < 2:
            plugin.count("again")
            await asyncio.sleep(0.01)
    await plugin.circus_shutdown()
    await lines.close()


async def came(condition) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.001)


async def until_tried(plugin) -> None:
    client = plugin.metrics._client
    await came(lambda: client._connecting is None and client._loop.time() >= client._not_before)


async def test_by_tcp_a_server_that_takes_nothing_has_no_more_than_so_much_kept_for_it(supervise):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        plugin = await started(port=deaf.getsockname()[1], protocol="tcp")
        plugin.count("x")
        await until_tried(plugin)
        for _ in range(100_000):
            plugin.count("x" * 100)
        client = plugin.metrics._client
        assert client._transport.get_write_buffer_size() < clients.BACKLOG + 1000
        await plugin.circus_shutdown()
