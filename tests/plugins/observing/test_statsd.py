"""What plugins send to statsd, and that nothing of it can hold them up or make them fail."""

from __future__ import annotations

import asyncio
import socket

import pytest

from circus_plugins.statsd import StatsdOptions, StatsdPlugin, bucket, sending


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
