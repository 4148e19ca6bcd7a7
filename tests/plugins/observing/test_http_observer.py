"""The plugin http_observer, before real servers that answer, err, hang and vanish."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import pytest

from circus_core.errors import ConfigError
from circus_plugins.http_observer import URL

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GONE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
HANG = b""
PREFIX = r"circus\.http_observer\.watcher\.http_stats\."
APP = "[watcher:app]\ncmd = sleep 1000\n"


class Server:
    """Answers one after another what it is given, and goes on with the last."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self._arrived = asyncio.Event()
        self.open = set()

    async def serve(self, reader, writer):
        self.open.add(writer)
        request = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(request.decode())
        self._arrived.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not HANG:
            writer.write(answer)
            writer.close()

    async def wait_for(self, count):
        """Wait until it was asked so many times."""
        async with asyncio.timeout(20):
            while len(self.asked) < count:
                self._arrived.clear()
                await self._arrived.wait()


@contextlib.asynccontextmanager
async def serving(*answers):
    server = Server(*answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for writer in server.open:
            writer.close()


def section(port, statsd=None, **options):
    settings = {"use": "http_observer", "check_url": f"http://127.0.0.1:{port}/health?x=1", "loop_rate": 0.1, **options}
    if statsd is not None:
        settings["port"] = statsd.port
    return "".join(["[plugin:http]\n", *(f"{key} = {value}\n" for key, value in settings.items())])


@pytest.mark.covers(
    "http_observer-option:check_url", "http_observer-option:loop_rate", "http_observer-option:port",
    "http_observer-option:host", "http_observer-option:statsd_host", "http_observer-option:sample_rate",
)  # fmt: skip
async def test_the_time_of_an_answer_is_measured(observe, place, statsd):
    async with serving(MOVED, OK) as server:
        options = section(server.port, statsd, sample_rate=1, statsd_host="127.0.0.1")
        async with observe(APP + options, place):
            time = await statsd.wait_for(PREFIX + r"request_time:([0-9.]+)\|ms")
            assert 0 < float(time.partition(":")[2].partition("|")[0]) < 20_000
        assert server.asked[0].startswith("GET /health?x=1 HTTP/1.1\r\n")
        assert server.asked[1].startswith("GET /there HTTP/1.1\r\n")
        assert "user-agent: circus-bus/" in server.asked[0].lower()


@pytest.mark.covers("http_observer-option:restart_on_error", "http_observer-option:application_name")
async def test_an_error_restarts_the_watcher(observe, place, statsd):
    async with serving(GONE, OK) as server:
        options = section(server.port, statsd, restart_on_error="App", application_name="shop")
        async with observe(APP + options, place) as run:
            before = run.pids("app")
            await run.events.wait_for("watcher_started", watcher="app", count=2)
            assert run.pids("app") not in ([], before)
            for metric in ("error", "error.503", "restart_on_error"):
                await statsd.wait_for(rf"circus\.shop\.watcher\.http_stats\.{metric}:1\|c")
            await server.wait_for(3)
            assert len(run.events.named("watcher_started", watcher="app")) == 2


@pytest.mark.covers("http_observer-option:tag_style", "http_observer-option:tags.")
@pytest.mark.parametrize(
    ("style", "start", "end"),
    [("datadog", "", r"\|#env:prod,watcher:app"), ("influxdb", ",env=prod,watcher=app", "")],
)
async def test_with_tags_an_error_is_counted_once(observe, statsd, style, start, end):
    async with serving(GONE, OK) as server:
        tags = {"tag_style": style, "tags.env": "prod", "restart_on_error": "app"}
        async with observe(APP + section(server.port, statsd, **tags)):
            code = "code:503" if style == "datadog" else "code=503"
            both = (start + "," + code, end) if start else (start, end + "," + code)
            await statsd.wait_for(PREFIX + f"error{both[0]}:1\\|c{both[1]}")
            await statsd.wait_for(PREFIX + rf"request_time{start}:[0-9.]+\|ms{end}")
            await statsd.wait_for(PREFIX + rf"restart_on_error{start}:1\|c{end}")
    assert not any("error.503" in line for line in statsd.seen)


@pytest.mark.covers("http_observer-option:failures")
async def test_so_many_errors_in_a_row_are_passed_over(observe, place):
    async with (
        serving(GONE, GONE, OK, GONE, GONE, GONE, OK) as server,
        observe(APP + section(server.port, failures=3, restart_on_error="app"), place) as run,
    ):
        await run.events.wait_for("watcher_started", watcher="app", count=2)
        assert len(server.asked) >= 6


@pytest.mark.covers("http_observer-option:timeout")
async def test_no_answer_in_time(observe, place, statsd):
    async with (
        serving(HANG, OK) as server,
        observe(APP + section(server.port, statsd, timeout=0.5, restart_on_error="app"), place) as run,
    ):
        await statsd.wait_for(PREFIX + r"error\.599:1\|c")
        await run.events.wait_for("watcher_started", watcher="app", count=2)
        await statsd.wait_for(PREFIX + r"request_time:.*")


async def test_no_server_at_all(observe, statsd, caplog):
    async with serving(OK) as server:
        pass
    async with observe(APP + section(server.port, statsd)):
        await statsd.wait_for(PREFIX + r"error\.599:1\|c")
    assert "connection attempts failed" in caplog.text.lower()


async def test_a_watcher_that_the_operator_stopped_is_left_alone(observe, place):
    async with (
        serving(OK, OK, GONE) as server,
        observe(APP + section(server.port, restart_on_error="app"), place) as run,
    ):
        await run.call("stop", name="app", waiting=True)
        await server.wait_for(len(server.asked) + 5)
        assert run.pids("app") == []


async def test_a_watcher_that_is_not_there_is_said(observe, caplog):
    async with serving(GONE) as server, observe(section(server.port, restart_on_error="none")) as run:
        await server.wait_for(3)
        assert "none was not restarted: program none not found" in caplog.text
        assert run.supervisor.bus.loaded["http"].failures == 0


async def test_it_says_when_all_is_well_again(observe, caplog):
    caplog.set_level("INFO")
    async with serving(GONE, GONE, OK) as server, observe(section(server.port)):
        await server.wait_for(4)
    assert caplog.text.count("answered 503") == 1
    assert "well again, after 2 failures" in caplog.text
    # Of the library, which has a line for each request.
    assert "HTTP Request" not in caplog.text


async def test_without_the_library_it_says_what_to_install(observe, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigError, match=r"needs httpx, which is not installed \(pip install 'circus-bus\[http\]'\)"):
        async with observe(section(1)):
            pass


@pytest.mark.parametrize("url", ["localhost/", "ftp://localhost/", "http://", "http://[::1", "http://x:port/", ""])
async def test_what_is_no_address_is_refused(observe, url):
    with pytest.raises(ValueError, match="begins with http"):
        URL.parse(url)
    with pytest.raises(ConfigError, match="check_url"):
        async with observe(f"[plugin:http]\nuse = http_observer\ncheck_url = {url}\n"):
            pass
