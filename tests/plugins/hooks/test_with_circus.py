"""The same hooks in Circus 0.19.0 and here: the same calls in the same order, and events that Circus' clients read."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import textwrap
from pathlib import Path

import pytest

from circus_core import tree
from circus_core.testing import until
from tests.plugins import circus019
from tests.plugins.circus019 import Driver

MODULE = """
import os
def note(watcher, arbiter, hook_name, **given):
    words = [hook_name, *(f"{name}={given[name]}" for name in sorted(given) if name in ("signum", "exit_code"))]
    with open(os.path.join(os.path.dirname(__file__), "calls"), "a") as file:
        print(*words, file=file)
    if os.path.exists(os.path.join(os.path.dirname(__file__), f"raise_{hook_name}")):
        raise ValueError("boom")
    return not os.path.exists(os.path.join(os.path.dirname(__file__), f"refuse_{hook_name}"))
"""
NAMES = (
    "before_start", "after_start", "before_spawn", "after_spawn", "before_stop", "after_stop", "before_signal",
    "after_signal", "before_reap", "after_reap",
)  # fmt: skip
CONFIGURATION = """
[circus]
check_delay = 0.05
[watcher:w]
cmd = sleep 1000
numprocesses = 2
# Circus replaces all at once.
reload_parallel = 2
copy_env = True
autostart = False
graceful_timeout = 5
{hooks}
[env:w]
PYTHONPATH = {folder}
"""
SIGNALLED = ["before_signal signum=15", "after_signal signum=15"]
REAPED = ["before_reap", "after_reap exit_code=-15"]
SPAWNED = ["before_spawn", "after_spawn"]
STOPPED = ["before_stop", *SIGNALLED * 2, *REAPED * 2, "after_stop"]
STARTED = ["before_start", *SPAWNED * 2, "after_start"]
CONSUMER = """
import json, sys
from circus.consumer import CircusConsumer
for topic, message in CircusConsumer(["watcher.w.hook"], endpoint=sys.argv[1]):
    payload = json.loads(message)
    print(topic.decode(), payload["name"], payload.get("error"), type(payload["time"]).__name__, flush=True)
"""


@pytest.fixture(scope="module")
def circus():
    try:
        return circus019.install()
    except circus019.NoIndexError as error:
        pytest.skip(f"{circus019.REQUIREMENT} is not installed here and no package index can be reached: {error}")


class Daemon:
    """A circusd, whichever, with the hooks of `MODULE`, driven by Circus' own client."""

    def __init__(self, endpoint, driver, folder, pid):
        self.endpoint, self._driver, self.folder, self.pid = endpoint, driver, folder, pid
        self._calls = folder / "calls"

    def ask(self, command, **properties):
        return self._driver.ask("CircusClient", self.endpoint, command, name="w", waiting=True, **properties)

    def order(self, command, **properties):
        replies = []

        def taken():
            replies.append(self.ask(command, **properties))
            # Circus refuses whatever comes while it looks after its processes, which is every 50 ms here (O-03).
            return "arbiter is already running" not in replies[-1].get("reason", "")

        until(taken)
        assert "raised" not in replies[-1], replies[-1]
        return replies[-1]

    def calls(self, count=0):
        """The calls since the last time, once there are so many."""
        until(lambda: self._calls.exists() and len(self._calls.read_text().splitlines()) >= count, self._told)
        lines = self._calls.read_text().splitlines()
        self._calls.unlink()
        return lines

    def _told(self):
        return self._calls.read_text() if self._calls.exists() else "nothing"


@pytest.fixture(params=["Circus", "circus-bus"])
def daemon(request, circus, circusd, tmp_path):
    folder = tmp_path / "hooks"
    folder.mkdir()
    (folder / "noting.py").write_text(textwrap.dedent(MODULE))
    hooks = "\n".join(f"hooks.{name} = noting.note" for name in NAMES)
    text = CONFIGURATION.format(hooks=hooks, folder=folder)
    with contextlib.ExitStack() as stack:
        driver = stack.enter_context(Driver(circus))
        if request.param == "circus-bus":
            ours = circusd(text).up()
            made = Daemon(ours.endpoint, driver, folder, ours.pid)
            made.pubsub_endpoint = ours.pubsub_endpoint
        else:
            sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="circus-")))
            made = Daemon(f"ipc://{sockets}/control", driver, folder, 0)
            made.pubsub_endpoint = f"ipc://{sockets}/events"
            endpoints = f"[circus]\nendpoint = {made.endpoint}\npubsub_endpoint = {made.pubsub_endpoint}\n"
            path = folder / "circus.ini"
            path.write_text(text.replace("[circus]\n", endpoints, 1))
            command = [circus / "python", "-W", "ignore", circus / "circusd", path]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            made.pid = process.pid
            stack.callback(process.wait)
            stack.callback(process.terminate)
            until(lambda: "raised" not in driver.ask("CircusClient", made.endpoint, "status"))
        yield made


def test_the_order_of_the_calls(daemon):
    daemon.order("start")
    assert daemon.calls(6) == STARTED
    os.kill(tree.children(daemon.pid)[0], signal.SIGTERM)
    assert daemon.calls(4) == [*REAPED, *SPAWNED]
    daemon.order("restart")
    assert daemon.calls() == [*STOPPED, *STARTED]
    daemon.order("reload")
    # O-22: Circus does not tell of the ends of those that were replaced.
    assert [call for call in daemon.calls(8) if call not in REAPED] == [*SPAWNED * 2, *SIGNALLED * 2]
    until(lambda: len(tree.children(daemon.pid)) == 2)
    (daemon.folder / "calls").unlink(missing_ok=True)
    daemon.order("signal", signum=signal.SIGCONT)
    assert daemon.calls() == ["before_signal signum=18", "after_signal signum=18"] * 2
    daemon.order("stop")
    assert daemon.calls() == STOPPED


@pytest.mark.parametrize(
    ("hook", "calls"),
    [
        ("before_start", ["before_start"]),
        ("before_spawn", ["before_start", "before_spawn", "before_stop", "after_stop"]),
        ("after_spawn", ["before_start", *SPAWNED, *SIGNALLED, "before_stop", "after_stop"]),
        ("after_start", [*STARTED, *STOPPED]),
    ],
)
def test_a_start_that_is_refused(daemon, hook, calls):
    (daemon.folder / f"refuse_{hook}").touch()
    # Circus answers ok, whatever a hook said; here whoever waits is told.
    reply = daemon.ask("start")
    assert reply["status"] in ("ok", "error")
    made = daemon.calls()
    if hook == "after_spawn":
        made = [call for call in made if call not in REAPED]  # O-22
    assert made == calls
    assert daemon.order("status")["status"] == "stopped"


@contextlib.contextmanager
def consumer(circus, daemon, tmp_path):
    """Circus' own consumer of events, and a function for the lines that it has written, which it may do in parts."""
    out = tmp_path / "consumed"
    command = [circus / "python", "-W", "ignore", "-c", CONSUMER, daemon.pubsub_endpoint]
    with open(out, "w") as file:
        process = subprocess.Popen(command, stdout=file)
    try:
        yield lambda: out.read_text().rpartition("\n")[0].splitlines()
    finally:
        process.kill()
        process.wait()


def test_the_events_as_circus_consumer_reads_them(daemon, circus, tmp_path):
    with consumer(circus, daemon, tmp_path) as lines:

        def heard():
            daemon.order("start")
            daemon.order("stop")
            return lines()

        # Nobody tells when a subscription is in force.
        until(heard)
        last = "watcher.w.hook_success after_stop None float"
        until(lambda: lines()[-1] == last)
        before = len(lines())
        daemon.order("start")
        expected = [f"watcher.w.hook_success {name} None float" for name in STARTED]
        until(lambda: len(lines()) >= before + len(expected))
        assert lines()[before:] == expected


def test_what_failed_as_circus_consumer_reads_it(daemon, circus, tmp_path):
    (daemon.folder / "raise_before_start").touch()
    with consumer(circus, daemon, tmp_path) as lines:

        def heard():
            daemon.ask("start")
            return lines()

        assert until(heard)[0] == "watcher.w.hook_failure before_start boom float"
