"""The plugin redis_observer, before a real redis-server."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from circus_core.errors import ConfigError
from circus_core.testing import PATIENCE, until
from circus_plugins.redis_observer import FIELDS, URL

SERVER = shutil.which("redis-server")
needs_server = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed")
PREFIX = r"circus\.redis_observer\.watcher\.redis_stats\."
APP = "[watcher:app]\ncmd = sleep 1000\n"


@pytest.fixture
def redis(tmp_path):
    """`redis(port, *arguments)` starts a server that keeps nothing, and answers its process."""
    running = []

    def start(port, *arguments):
        command = [SERVER, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path), *arguments]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        until(lambda: reached(port), "the Redis server")
        return running[-1]

    yield start
    for process in running:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(PATIENCE)


def reached(port):
    with socket.socket() as to:
        return to.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def tcp_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def section(port, statsd=None, **options):
    settings = {"use": "redis_observer", "redis_url": f"redis://127.0.0.1:{port}/0", "loop_rate": 0.1, **options}
    if statsd is not None:
        settings["port"] = statsd.port
    return "".join(["[plugin:redis]\n", *(f"{key} = {value}\n" for key, value in settings.items())])


@needs_server
@pytest.mark.covers(
    "redis_observer-option:redis_url", "redis_observer-option:loop_rate", "redis_observer-option:port",
    "redis_observer-option:host", "redis_observer-option:statsd_host", "redis_observer-option:sample_rate",
)  # fmt: skip
async def test_all_gauges_are_sent(observe, place, redis, tcp_port, statsd):
    redis(tcp_port)
    async with observe(section(tcp_port, statsd, sample_rate=1, statsd_host="127.0.0.1"), place):
        for field in FIELDS:
            await statsd.wait_for(PREFIX + rf"{field}:[0-9.]+\|g")
    assert len(FIELDS) == 22


@needs_server
@pytest.mark.covers("redis_observer-option:application_name")
async def test_a_server_with_a_password_on_a_unix_socket(observe, redis, tcp_port, statsd, tmp_path):
    redis(tcp_port, "--requirepass", "secret", "--unixsocket", str(tmp_path / "r.sock"))
    url = f"unix://:secret@{tmp_path}/r.sock?db=0"
    async with observe(section(tcp_port, statsd, redis_url=url, application_name="cache")):
        await statsd.wait_for(r"circus\.cache\.watcher\.redis_stats\.uptime_in_seconds:[0-9]+\|g")


@pytest.mark.covers("redis_observer-option:tag_style", "redis_observer-option:tags.")
async def test_tags(observe, tcp_port, statsd):
    tags = {"tag_style": "datadog", "tags.env": "prod", "restart_on_timeout": "app"}
    async with observe(APP + section(tcp_port, statsd, **tags)):
        await statsd.wait_for(PREFIX + r"error:1\|c\|#env:prod,watcher:app")


@needs_server
async def test_a_server_that_refuses_is_not_restarted(observe, place, redis, tcp_port, statsd):
    redis(tcp_port, "--requirepass", "secret")
    url = f"redis://:wrong@127.0.0.1:{tcp_port}/0"
    async with observe(APP + section(tcp_port, statsd, redis_url=url, restart_on_timeout="app"), place) as run:
        before = run.pids("app")
        for _ in range(3):
            await statsd.wait_for(PREFIX + r"error:1\|c")
            statsd.seen.clear()
        assert run.pids("app") == before


@needs_server
@pytest.mark.covers("redis_observer-option:timeout", "redis_observer-option:restart_on_timeout")
async def test_a_server_that_hangs_is_restarted(observe, place, redis, tcp_port, statsd):
    process = redis(tcp_port)
    options = section(tcp_port, statsd, timeout=0.3, restart_on_timeout="app")
    async with observe(APP + options, place) as run:
        await statsd.wait_for(PREFIX + r"uptime_in_seconds:[0-9]+\|g")
        process.send_signal(signal.SIGSTOP)
        await run.events.wait_for("watcher_started", watcher="app", count=2)
        await statsd.wait_for(PREFIX + r"error:1\|c")
        await statsd.wait_for(PREFIX + r"restart_on_error:1\|c")
        process.send_signal(signal.SIGCONT)
        statsd.seen.clear()
        await statsd.wait_for(PREFIX + r"uptime_in_seconds:[0-9]+\|g")


@pytest.mark.covers("redis_observer-option:failures")
async def test_no_server_at_all(observe, place, tcp_port):
    options = section(tcp_port, failures=2, restart_on_timeout="app")
    async with observe(APP + options, place) as run:
        await run.events.wait_for("watcher_started", watcher="app", count=3)


async def test_its_own_watcher_brings_the_server_back(observe, tcp_port, statsd):
    if SERVER is None:
        pytest.skip("redis-server is not installed")
    cmd = f"{SERVER} --port {tcp_port} --bind 127.0.0.1 --save '' --dir {Path.cwd()}"
    options = section(tcp_port, statsd, timeout=0.5, failures=3, restart_on_timeout="redis")
    async with observe(f"[watcher:redis]\ncmd = {cmd}\n" + options) as run:
        await statsd.wait_for(PREFIX + r"uptime_in_seconds:[0-9]+\|g")
        await run.call("signal", name="redis", signum="STOP")
        await run.events.wait_for("watcher_started", watcher="redis", count=2)
        statsd.seen.clear()
        await statsd.wait_for(PREFIX + r"uptime_in_seconds:[0-9]+\|g")


async def test_without_the_library_it_says_what_to_install(observe, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigError, match=r"needs redis, which is not installed \(pip install 'circus-bus\[redis\]'\)"):
        async with observe(section(1)):
            pass


async def test_what_is_no_address_is_refused(observe):
    with pytest.raises(ValueError, match="expected an address"):
        URL.parse("localhost:6379")
    with pytest.raises(ConfigError, match="redis_url"):
        async with observe(section(1, redis_url="http://localhost/")):
            pass
