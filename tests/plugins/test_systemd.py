"""The plugin `systemd`: what the service manager that started circusd is told, and when."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from tests.plugins.manager import Manager, environ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from circus_core.testing import Circusd

ONE = "[watcher:one]\ncmd = sleep 1000\ncopy_env = True\n"
TWO = "[watcher:two]\ncmd = sleep 1000\n"


@pytest.fixture
def manager(circusd: Callable[..., Circusd]) -> Iterator[Manager]:
    with Manager(circusd) as made:
        yield made


def test_from_start_to_stop(manager: Manager) -> None:
    run = manager.start(ONE + TWO)
    ready = manager.heard()
    assert ready == {"READY": "1", "MAINPID": str(run.pid), "STATUS": "2 of 2 watchers active"}
    assert [entry["name"] for entry in run.call("plugins")["plugins"] if entry["name"] == "systemd"] == ["systemd"]
    run.call("stop", name="two", waiting=True)
    assert manager.heard() == {"STATUS": "1 of 2 watchers active"}
    run.configure(ONE + TWO.replace("1000", "2000"))
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    run.call("reloadconfig", waiting=True)
    reloading = manager.heard()
    assert reloading["RELOADING"] == "1"
    assert before < int(reloading["MONOTONIC_USEC"]) < time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert manager.hear("READY") == {"READY": "1", "STATUS": "1 of 2 watchers active"}
    run.call("quit", waiting=True)
    assert manager.hear("STOPPING") == {"STOPPING": "1", "STATUS": "Stopping: a client asked to quit"}
    assert run.wait() == 0


def test_a_configuration_with_mistakes_reloads_nothing(manager: Manager) -> None:
    run = manager.start(ONE)
    manager.hear("READY")
    run.configure("[watcher:one]\nnumprocesses = many\n")
    with pytest.raises(CircusError):
        run.call("reloadconfig", waiting=True)
    run.call("quit", waiting=True)
    assert "STOPPING" in manager.heard(), "there is no report in between"


def test_who_gave_up_is_named_until_it_runs_again(manager: Manager, tmp_path: object) -> None:
    run = manager.start(ONE + "[watcher:bad]\ncmd = false\nmax_retry = 1\nrestart_delay = 0.01\n")
    manager.hear("STATUS", "1 of 2 watchers active; given up: bad")
    run.call("rm", name="bad", waiting=True)
    manager.hear("STATUS", "1 of 1 watchers active")


def test_the_watchdog_is_fed_at_half_its_interval(manager: Manager) -> None:
    run = manager.start(ONE, env={"WATCHDOG_USEC": "400000"})
    manager.hear("READY")
    began, beats = time.monotonic(), 5
    for _ in range(beats):
        manager.hear("WATCHDOG", "1")
    assert 0.2 * (beats - 1) - 0.1 < time.monotonic() - began
    assert "WATCHDOG_USEC" not in environ(run.call("list", name="one")["pids"][0])


def test_no_process_inherits_what_was_meant_for_circusd(manager: Manager) -> None:
    manager.listen("web", ("127.0.0.1", 0))
    run = manager.start(ONE, env={"WATCHDOG_USEC": "60000000", "OTHER": "stays"})
    manager.hear("READY")
    found = environ(run.call("list", name="one")["pids"][0])
    assert found["OTHER"] == "stays"
    assert not [name for name in found if name.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_"))]


def test_a_manager_that_does_not_read_keeps_circusd_from_nothing(manager: Manager) -> None:
    """Its queue is full when circusd comes up; what circusd says meanwhile comes later, in order and whole."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        other.connect(manager.notify)
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                other.send(b"FILL=1")
                filled += 1
    run = manager.start(ONE + TWO).up()
    run.call("stop", name="two", waiting=True)
    run.call("stop", name="one", waiting=True)
    heard = [manager.heard() for _ in range(filled + 3)]
    assert [report.get("STATUS") for report in heard[filled:]] == [
        f"{number} of 2 watchers active" for number in (2, 1, 0)
    ]
    assert heard[filled]["READY"] == "1"


def test_a_manager_that_goes_is_worth_one_line(manager: Manager) -> None:
    run = manager.start(ONE, env={"WATCHDOG_USEC": "20000"})
    manager.hear("READY")
    manager.go()
    until(lambda: "the service manager cannot be told how circusd fares: " in run.output())
    run.call("restart", waiting=True)
    assert run.output().count("cannot be told") == 1


def test_nobody_listens(circusd: Callable[..., Circusd], tmp_path: object) -> None:
    run = circusd(ONE, env={"NOTIFY_SOCKET": "/no/such/socket"}).up()
    assert "NOTIFY_SOCKET is /no/such/socket, and nobody is told how circusd fares: No such file" in run.output()


def test_without_a_manager_there_is_no_plugin(circusd: Callable[..., Circusd]) -> None:
    run = circusd(ONE).up()
    assert "systemd" not in [entry["name"] for entry in run.call("plugins")["plugins"]]


def test_a_daemon_tells_its_pid(manager: Manager) -> None:
    run = manager.start(ONE, "--daemon")
    ready = manager.hear("READY")
    assert run.wait() == 0
    pid = int(ready["MAINPID"])
    assert pid != run.pid
    run.call("quit", waiting=True)
    manager.hear("STOPPING")
    until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True).returncode == 0
