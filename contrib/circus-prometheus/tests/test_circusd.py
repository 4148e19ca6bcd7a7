"""The plugin in a real circusd, in a process of its own and inside circusd."""

from __future__ import annotations

import os
import re
import signal
import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from circus_core.testing import until

WEB = "[watcher:web]\ncmd = sleep 1000\nnumprocesses = 2\ncopy_env = True\ngraceful_timeout = 5\n"
both = pytest.mark.parametrize("host", ["", "host = core\n"], ids=["process", "core"])


def scrape(daemon):
    url = until(lambda: re.search(r"metrics at (http://\S+)", daemon.output()))[1]
    # Not through a proxy that somebody may have set.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        text = answer.read().decode()
    order = ("watcher", "wid", "state", "status", "requested")
    return {
        (sample.name, *(sample.labels[label] for label in order if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@both
def test_what_happens_to_processes_is_seen(circusd, host):
    daemon = circusd(f"{WEB}[plugin:prometheus]\nuse = prometheus\nport = 0\n{host}").up()
    seen = scrape(daemon)
    assert seen["circus_up",] == 1
    assert seen["circus_watcher_state", "web", "active"] == 1
    assert seen["circus_watcher_processes", "web"] == seen["circus_watcher_processes_wanted", "web"] == 2
    assert seen["circus_process_spawns_total", "web"] == 2
    assert ("circus_process_age_seconds", "web", "1") in seen
    os.kill(daemon.call("list", name="web")["pids"][0], signal.SIGKILL)
    until(lambda: scrape(daemon).get(("circus_process_exits_total", "web", "SIGKILL", "false")) == 1)
    until(lambda: scrape(daemon)["circus_watcher_restarts_total", "web"] == 1)
    daemon.call("rm", name="web", waiting=True)
    until(lambda: not any("web" in key for key in scrape(daemon)))


@both
def test_mistakes_are_told_with_their_line(circusd, host):
    daemon = circusd(f"[plugin:prometheus]\nuse = prometheus\n{host}address = localhost\n")
    assert daemon.wait() == 2
    assert "address: is 'localhost' (it should be an IP address" in daemon.output()
    assert "circus.ini:" in daemon.output()


def test_a_port_that_is_taken_is_told(circusd):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        daemon = circusd(f"{WEB}[plugin:prometheus]\nuse = prometheus\nport = {port}\n")
        until(lambda: f"cannot listen at 127.0.0.1:{port}" in daemon.output())
