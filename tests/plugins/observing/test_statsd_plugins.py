"""The plugins statsd and full_stats: what a server is told, by a socket in the test and by statsd's own daemon."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess

import pytest

from circus_core.errors import ConfigError
from circus_core.testing import PATIENCE, until
from circus_plugins.phrases import bytes_of
from circus_plugins.statsd.full_stats import figures

APP = "[watcher:Two Words]\ncmd = sleep 1000\nnumprocesses = 2\n"
SOCKET = "[socket:web]\nhost = 127.0.0.1\nport = 0\n"


def section(use, port, **options):
    settings = {"use": use, "statsd_host": "127.0.0.1", "port": port, **options}
    return f"[plugin:{use}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


# statsd


@pytest.mark.covers(
    "statsd-option:port", "statsd-option:statsd_host", "statsd-option:application_name", "statsd-option:sample_rate"
)
async def test_each_event_is_counted_under_the_name_that_circus_has(observe, place, statsd):
    text = section("statsd", statsd.port, application_name="shop", sample_rate=1)
    async with observe(APP + text, place) as run:
        await until_counting(run)
        await run.call("restart", name="Two Words", waiting=True)
        for action in ("stop", "kill", "reap", "spawn", "start"):
            await statsd.wait_for(rf"circus\.shop\.watcher\.two_words\.{action}:1\|c")
        await run.call("reloadconfig", waiting=True)
        await statsd.wait_for(r"circus\.shop\.watcher\._circusd\.supervisor_reloaded:1\|c")


@pytest.mark.covers("statsd-option:tag_style", "statsd-option:tags.")
async def test_tags_as_dogstatsd_has_them(observe, place, statsd):
    options = {"tag_style": "datadog", "tags.env": "prod", "tags.odd one": "a,b|c"}
    async with observe(APP + section("statsd", statsd.port, sample_rate=0.9999999, **options), place) as run:
        await until_counting(run)
        await run.call("restart", name="Two Words", waiting=True)
        tags = r"env:prod,odd_one:a_b_c,watcher:Two_Words"
        await statsd.wait_for(rf"circus\.app\.watcher\.start:1\|c\|@0\.9999999\|#{tags}")


async def test_tags_as_influxdb_has_them(observe, statsd):
    options = {"tag_style": "influxdb", "tags.env": "prod"}
    async with observe(APP + section("statsd", statsd.port, **options)) as run:
        await run.call("restart", name="Two Words", waiting=True)
        await statsd.wait_for(r"circus\.app\.watcher\.start,env=prod,watcher=Two_Words:1\|c")


@pytest.mark.parametrize("use", ["statsd", "full_stats", "http_observer", "redis_observer", "resource_watcher"])
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"tags.env": "prod"}, "tags.env: is a tag, and metrics have none"),
        ({"tag_style": "influxdb", "tags.env": ""}, "tags.env: is empty"),
    ],
)
async def test_tags_that_cannot_be(observe, use, options, complaint):
    with pytest.raises(ConfigError, match=complaint):
        async with observe(section(use, 8125, **options)):
            pass


@pytest.mark.covers("statsd-option:host", "full_stats-option:host")
@pytest.mark.parametrize("use", ["statsd", "full_stats"])
async def test_a_server_that_does_not_exist_ends_nothing(observe, use, caplog):
    text = f"[plugin:x]\nuse = {use}\nstatsd_host = no-such-host.invalid\n"
    async with observe(APP + text) as run:
        assert caplog.text.count("the statsd server no-such-host.invalid is not found") == 1
        await run.call("restart", name="Two Words", waiting=True)
        assert len(run.pids("Two Words")) == 2
        assert run.supervisor.bus.loaded["x"].failures == 0


async def test_a_server_that_is_not_there_costs_nothing(observe, place, free_port):
    text = section("statsd", free_port) + section("full_stats", free_port, loop_rate=0.01)
    async with observe(APP + text, place) as run:
        for _ in range(5):
            await run.call("restart", name="Two Words", waiting=True)
        assert not run.events.named("process_exited", watcher="plugin:statsd")
        assert not run.events.named("process_exited", watcher="plugin:full_stats")


async def until_counting(run):
    """Before that a plugin in a process of its own is told of nothing."""
    await run.events.wait_for("plugin_started", plugin="statsd")


# full_stats


def test_figures_of_processes():
    one = {"cpu": 10.5, "mem": 0.25, "mem_info1": "1.50M"}
    two = {"cpu": 1.0, "mem": 0.5, "mem_info1": "512B"}
    assert figures({"1": one, "2": two, "3": "No such process (stopped?)"}) == {
        "watchers_num": 2, "cpu_max": 10.5, "cpu_sum": 11.5, "mem_pct_max": 0.5, "mem_pct_sum": 0.75,
        "mem_max": 1572864, "mem_sum": 1573376,
    }  # fmt: skip
    assert set(figures({}).values()) == {0}
    assert bytes_of("2.00G") == 2**31


@pytest.mark.covers(
    "full_stats-option:port", "full_stats-option:statsd_host", "full_stats-option:application_name",
    "full_stats-option:loop_rate", "full_stats-option:sample_rate",
)  # fmt: skip
async def test_gauges_of_watchers_and_sockets(observe, place, statsd):
    options = {"application_name": "shop", "loop_rate": 0.1, "sample_rate": 0.000001}
    async with observe(APP + SOCKET + section("full_stats", statsd.port, **options), place) as run:
        prefix = r"circus\.shop\.watcher\."
        stats = prefix + r"_stats\.Two_Words\."
        await statsd.wait_for(stats + r"watchers_num:2\|g")
        for name in ("cpu_max", "cpu_sum", "mem_pct_max", "mem_pct_sum"):
            await statsd.wait_for(rf"{stats}{name}:[0-9.]+\|g")
        largest, total = [
            int(re.findall(r":(\d+)\|", await statsd.wait_for(rf"{stats}{name}:\d+\|g"))[0])
            for name in ("mem_max", "mem_sum")
        ]
        assert 0 < largest < total < 2 * largest + 1
        (entry,) = (await run.call("listsockets"))["sockets"]
        await statsd.wait_for(prefix + r"_sockets\.web\.waiting:0\|g")
        with socket.create_connection((entry["host"], entry["port"])):
            await statsd.wait_for(prefix + r"_sockets\.web\.waiting:1\|g")
        await run.call("decr", name="Two Words", waiting=True)
        await statsd.wait_for(stats + r"watchers_num:1\|g")
        await run.call("rm", name="Two Words", waiting=True)
        # It is gone, and a gauge would keep its last value.
        await statsd.wait_for(stats + r"watchers_num:0\|g")
        await statsd.wait_for(stats + r"mem_sum:0\|g")
        assert not any("plugin" in line for line in statsd.seen)


@pytest.mark.covers("full_stats-option:tag_style", "full_stats-option:tags.")
@pytest.mark.parametrize(
    ("style", "line"),
    [
        ("datadog", r"circus\.app\.watcher\._stats\.watchers_num:2\|g\|#env:prod,watcher:Two_Words"),
        ("influxdb", r"circus\.app\.watcher\._stats\.watchers_num,env=prod,watcher=Two_Words:2\|g"),
        ("datadog", r"circus\.app\.watcher\._sockets\.waiting:0\|g\|#env:prod,socket:web"),
    ],
)
async def test_gauges_with_tags(observe, statsd, style, line):
    options = {"loop_rate": 0.1, "tag_style": style, "tags.env": "prod"}
    async with observe(APP + SOCKET + section("full_stats", statsd.port, **options)):
        await statsd.wait_for(line)


# statsd's own daemon


async def came(condition):
    """Wait, and let what is sent be sent."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def daemon(pytestconfig):
    """The folder of npm's package `statsd`, installed the first time."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    folder = pytestconfig.cache.mkdir("statsd")
    package = folder / "node_modules" / "statsd"
    if not (package / "stats.js").exists():
        command = [
            npm,
            "install",
            "--prefix",
            folder,
            "--ignore-scripts",
            "--omit=optional",
            "--no-audit",
            "statsd@0.9.0",
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"npm cannot install statsd: {error}")
    return package


def asked(port, question):
    """What the daemon answers on its admin port; its objects are JavaScript's."""
    with socket.create_connection(("127.0.0.1", port)) as to, to.makefile("rw") as file:
        file.write(f"{question}\n")
        file.flush()
        answer = ""
        while not answer.endswith("END\n\n"):
            answer += file.readline()
    return answer


def listens(port):
    with socket.socket() as to:
        return to.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=["udp", "tcp"])
def protocol(request):
    return request.param


@pytest.fixture
def ports(protocol):
    """A port for metrics and one for questions."""
    kinds = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
    with socket.socket(socket.AF_INET, kinds[protocol]) as metrics, socket.socket() as questions:
        for each in (metrics, questions):
            each.bind(("127.0.0.1", 0))
        return metrics.getsockname()[1], questions.getsockname()[1]


@pytest.fixture
def admin(daemon, protocol, ports, tmp_path):
    """The port of a daemon's answers."""
    server = {"server": f"./servers/{protocol}", "address": "127.0.0.1", "port": ports[0]}
    settings = {"servers": [server], "mgmt_address": "127.0.0.1", "mgmt_port": ports[1]}
    (tmp_path / "statsd.js").write_text(json.dumps({**settings, "backends": [], "flushInterval": 1_000_000}))
    with (tmp_path / "statsd.log").open("w") as log:
        command = [shutil.which("node"), daemon / "stats.js", tmp_path / "statsd.js"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(lambda: listens(ports[1]), "statsd's admin port")
        yield ports[1]
    finally:
        process.terminate()
        process.wait(PATIENCE)


async def test_statsds_own_daemon_takes_it(observe, admin, ports, protocol):
    options = {"protocol": protocol}
    text = section("statsd", ports[0], **options) + section("full_stats", ports[0], loop_rate=60, **options)
    async with observe(APP + text) as run:
        for _ in range(3):
            await run.call("restart", name="Two Words", waiting=True)
        await came(lambda: "two_words.start': 4" in asked(admin, "counters"))
        assert "two_words.spawn': 8" in asked(admin, "counters")
        await run.supervisor.bus.loaded["full_stats"].plugin.look()
        await came(lambda: "_stats.Two_Words.watchers_num': 2" in asked(admin, "gauges"))
        assert "'statsd.bad_lines_seen': 0" in asked(admin, "counters")
