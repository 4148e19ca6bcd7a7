"""Plugins that were written for Circus do in a circusd of circus-bus what they did there."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from circus.exc import CallError
from circus.plugins import CircusPlugin
from circus.plugins.guest import Guest
from circus.plugins.statsd import StatsdClient
from circus_core.testing import PATIENCE, until

CODE = Path(__file__).parent / "written_for_circus.py"


def test_it_sees_every_event_from_the_first_spawn_to_the_last_stop_and_is_told_to_stop(run):
    running = run("Journal")
    spawned = running.wait_for("app", "spawn")[2]
    assert spawned["process_pid"] == running.call("list", name="app")["pids"][0]
    assert isinstance(spawned["time"], float)
    running.call("restart", name="app", waiting=True)
    running.call("quit", waiting=True)
    running.circusd.wait()
    actions = [line[1] for line in running.of("app")]
    assert actions == ["add", "spawn", "start", "kill", "reap", "stop", "spawn", "start", "kill", "reap", "stop"]
    assert running.lines[-1] == ["stopped"]


def test_its_options_are_texts_beside_its_name(run):
    config = run("Configured", "size = 4", "host = localhost", "active = True").wait_for("plugin:configured")
    name, check_delay, ssh_server, active, options = config
    assert (name, check_delay, ssh_server, active) == ("plugin:configured", 5.0, None, True)
    assert options["name"] == options["__name__"] == "plugin:configured"
    assert options["size"] == "4"
    assert options["host"] == "localhost"


def test_what_it_logs_is_in_circusds_log(run):
    running = run("Configured")
    until(lambda: "journal of plugin:configured begins" in running.circusd.output())


def test_it_asks_and_orders_from_its_loop_and_from_its_handler(run):
    running = run("Asking")
    _first, watchers, unknown = running.wait_for("first")
    assert watchers == ["app", "plugin:asking"]
    assert unknown["status"] == "error"
    assert unknown["errno"] == 3
    running.wait_for("app", "spawn", count=2)
    running.call("set", name="app", options={"graceful_timeout": 3}, waiting=True)
    running.wait_for("app", "kill")


def test_while_it_gets_ready_it_may_ask_for_every_watcher(run):
    running = run("Curious")
    assert running.wait_for("known") == ["known", ["app", "plugin:curious"], "sleep 1000"]
    assert running.lines[0][0] == "known"


def test_one_that_is_started_later_gets_ready_at_once(run):
    running = run("Configured")
    running.wait_for("plugin:configured")
    running.call("restart", name="plugin:configured", waiting=True)
    running.wait_for("plugin:configured", count=2)


def test_one_that_cannot_get_ready_is_started_again(run):
    running = run("Failing")
    until(lambda: running.circusd.output().count("RuntimeError: no bread") >= 2)


def test_a_handler_may_be_a_coroutine(run):
    running = run("Slow")
    running.wait_for("app", "spawn")
    running.call("quit", waiting=True)
    running.circusd.wait()
    actions = [line[1] for line in running.of("app")]
    assert actions == ["add", "spawn", "start", "kill", "reap", "stop"]


def test_one_that_stops_itself_is_started_again(run):
    running = run("Ending")
    before = running.call("list", name="plugin:ending")["pids"]
    running.call("set", name="app", options={"graceful_timeout": 3}, waiting=True)
    running.wait_for("plugin:ending", "spawn")
    until(lambda: running.call("list", name="plugin:ending")["pids"] not in (before, []))
    assert running.of("enough") == [["enough"]]
    assert running.of("stopped") == [["stopped"]]


def test_sockets_of_the_base_class_are_there_for_those_who_use_them(run):
    running = run("OwnSockets")
    assert running.wait_for("client") == ["client", "own"]
    running.wait_for("other", "watcher.app.spawn")
    assert not running.of("never")


def test_an_observer_of_statsd(run):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(PATIENCE)
        port = statsd.getsockname()[1]
        run("Observer", "host = 127.0.0.1", f"port = {port}", "loop_rate = 0.01", "application_name = shop")
        told = statsd.recv(1000)
        assert told in (b"circus.shop.watcher.app.numprocesses:0|g", b"circus.shop.watcher.app.numprocesses:1|g")


def test_inside_circusd_it_is_refused(circusd, tmp_path):
    daemon = circusd(f"[plugin:journal]\nuse = {CODE}:Journal\nhost = core\nfilename = {tmp_path}/journal\n")
    assert daemon.wait() != 0
    assert "remove `host = core`" in daemon.output()


def test_without_a_host_it_runs_beside_a_circusd(run):
    """As those who test their plugins do: they make one, start it, and have it stop."""
    running = run("Configured")
    code = f"""
import sys
sys.path.insert(0, {str(CODE.parent)!r})
from written_for_circus import Ending
plugin = Ending({running.circusd.endpoint!r}, {running.circusd.pubsub_endpoint!r}, 5.0, None, filename="journal.alone")
plugin.loop.call_later(0, lambda: plugin.cast("set", name="app", options={{"graceful_timeout": 3}}))
plugin.start()
"""
    # Nobody hosts it, so it may miss the event that its own order causes; another comes until it has ended.
    alone = subprocess.Popen([sys.executable, "-c", code], cwd=running.circusd.folder)
    try:
        until(
            lambda: running.call("set", name="app", options={"graceful_timeout": 3}) and alone.poll() is not None,
            "the end of the plugin",
        )
    finally:
        alone.kill()
    assert alone.wait() == 0
    assert (running.circusd.folder / "journal.alone").read_text().endswith('["stopped"]\n')


def test_a_keyed_circusd_is_called_with_the_hosts_key_and_has_no_bare_sockets():
    plugin = CircusPlugin("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", 5.0, None)
    plugin.key = "a.key"
    with pytest.raises(CallError, match="asks for keys, use call and cast"):
        assert plugin.client
    plugin.loop.close()


def test_one_that_is_not_active_does_not_start():
    plugin = CircusPlugin("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", 5.0, None, active="False")
    with pytest.raises(ValueError, match="inactive"):
        plugin.start()
    plugin.loop.close()


def test_the_class_stands_for_a_plugin_when_it_is_called_without_arguments():
    assert isinstance(CircusPlugin(), Guest)


def test_nobody_answers_a_call(monkeypatch, tmp_path):
    monkeypatch.setattr("circus.plugins.base.PATIENCE", 0.05)
    plugin = CircusPlugin(f"ipc://{tmp_path}/x", f"ipc://{tmp_path}/y", 5.0, None)
    with pytest.raises(CallError, match=r"Timed out\."):
        plugin.call("list")
    plugin.close()
    plugin.loop.close()


def test_numbers_for_statsd():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(PATIENCE)
        client = StatsdClient("127.0.0.1", statsd.getsockname()[1], prefix="a", sample_rate=0.5)
        client.increment("b")
        client.decrement("b", 2)
        client.gauge("c", 1.5)
        client.timed("d", 7)
        client.stop()
        told = [statsd.recv(100).decode() for _ in range(4)]
    assert told == ["a.b:1|c|@0.5", "a.b:-2|c|@0.5", "a.c:1.5|g|@0.5", "a.d:7|ms|@0.5"]
