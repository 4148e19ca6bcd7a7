"""Watchers that sleep until something comes to one of their sockets, and again when nothing does (PROTOCOL.md 6.8)."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.errors import CircusError
from circus_core.testing import alive, until
from tests.plugins.sockets.serving import answer, call, checked, happened, listed, pids

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

HOLDER = """\
import os, signal, socket, sys, time
server = socket.socket(fileno=int(sys.argv[1]))
server.setblocking(True)
if sys.argv[2:] == ["slow"]:
    # To be asked to stop takes it until the file is there.
    def stop(*_):
        open(sys.argv[0] + ".asked", "w").close()
        while not os.path.exists(sys.argv[0] + ".go"):
            time.sleep(0.01)
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
while True:
    client, _ = server.accept()
    while data := client.recv(100):
        client.sendall(data)
    client.close()
"""
DATAGRAMS = """\
import os, socket, sys
server = socket.socket(fileno=int(sys.argv[1]))
server.setblocking(True)
while True:
    data, address = server.recvfrom(100)
    server.sendto(str(os.getpid()).encode(), address)
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], str]:
    """A command line that runs a program of some lines."""

    def write(name: str, lines: str) -> str:
        path = tmp_path / name
        path.write_text(lines)
        return f"{sys.executable} {path}"

    return write


def status(run: Circusd, watcher: str) -> str:
    found: str = call(run, "status", name=watcher)["status"]
    return found


def facts(run: Circusd, watcher: str) -> dict[str, str]:
    found: dict[str, str] = call(run, "status", name=watcher, extended=True)["details"][watcher]["facts"]
    return found


def echoed(address: Any) -> socket.socket:
    """An open connection that was served."""
    client = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    client.settimeout(20)
    client.connect(address)
    client.sendall(b"hello")
    assert client.recv(100) == b"hello"
    return client


@pytest.mark.covers("option:on_demand", "event:watcher_slept", "event:watcher_woken")
def test_the_first_connection_starts_it_and_is_served(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    run = circusd(f"""
[socket:one]
path = {tmp_path}/one.sock
[socket:two]
path = {tmp_path}/two.sock
[watcher:first]
cmd = sleep 1000
[watcher:one]
cmd = {server} $(circus.sockets.one)
copy_env = True
on_demand = True
[watcher:two]
cmd = {server} $(circus.sockets.two)
copy_env = True
on_demand = True
[watcher:stopped]
cmd = {server} $(circus.sockets.one)
copy_env = True
""").up()
    call(run, "stop", name="stopped", waiting=True)
    assert call(run, "status")["statuses"] == {
        "first": "active",
        "one": "stopped",
        "two": "stopped",
        "stopped": "stopped",
    }
    assert call(run, "start", name="two", waiting=True)["info"] == {"started": [], "kept": []}
    assert facts(run, "two") == {"asleep": f"until something comes to {tmp_path}/two.sock"}
    pid = int(answer(f"{tmp_path}/two.sock").split()[0])
    until(lambda: status(run, "two") == "active")
    assert pids(run, "two") == [pid]
    assert facts(run, "two") == {}
    assert call(run, "status")["statuses"] == {
        "first": "active",
        "one": "stopped",
        "two": "active",
        "stopped": "stopped",
    }
    slept, woken = happened(run, "watcher_slept"), happened(run, "watcher_woken")
    assert sorted(event["watcher"] for event in slept) == ["one", "two"]
    assert [(event["watcher"], event["address"]) for event in woken] == [("two", f"{tmp_path}/two.sock")]
    assert "two is woken: something came to" in run.output()


def test_one_that_somebody_stopped_is_not_woken(circusd: Callable[..., Circusd], server: str, tmp_path: Path) -> None:
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:web]
cmd = {server} $(circus.sockets.web)
copy_env = True
on_demand = True
[watcher:other]
cmd = {server} $(circus.sockets.web)
copy_env = True
on_demand = True
autostart = False
""").up()
    call(run, "stop", name="web", waiting=True)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/web.sock")
        assert listed(run)["web"]["waiting"] == 1
        assert [status(run, name) for name in ("web", "other")] == ["stopped", "stopped"]
        assert happened(run, "watcher_woken") == []
        call(run, "start", name="web", waiting=True)
        client.settimeout(20)
        assert int(client.recv(100).split()[0])
    until(lambda: status(run, "web") == "active")
    # Stopped while awake, and started again it sleeps.
    call(run, "stop", name="web", waiting=True)
    assert facts(run, "web") == {}
    call(run, "start", name="web", waiting=True)
    assert facts(run, "web") != {}
    call(run, "rm", name="web", waiting=True)
    call(run, "start", name="other", waiting=True)
    pid = int(answer(f"{tmp_path}/web.sock").split()[0])
    assert pids(run, "other") == [pid]
    call(run, "restart", name="other", waiting=True)
    assert not alive(pid)
    assert status(run, "other") == "stopped"
    assert int(answer(f"{tmp_path}/web.sock").split()[0]) != pid
    call(run, "quit", waiting=True)
    assert run.process.wait(20) == 0


def test_one_whose_process_ends_sleeps_again(circusd: Callable[..., Circusd], program: Any, tmp_path: Path) -> None:
    once = program("once.py", "import socket, sys\nsocket.socket(fileno=int(sys.argv[1])).accept()[0].sendall(b'1')\n")
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
blocking = True
[watcher:web]
cmd = {once} $(circus.sockets.web)
copy_env = True
on_demand = True
[watcher:norespawn]
cmd = {once} $(circus.sockets.web2)
copy_env = True
on_demand = True
respawn = False
[socket:web2]
path = {tmp_path}/web2.sock
blocking = True
""").up()
    for path, name in ((f"{tmp_path}/web.sock", "web"), (f"{tmp_path}/web2.sock", "norespawn")):
        for count in range(1, 9):
            assert answer(path) == "1"
            until(lambda name=name: "asleep" in facts(run, name))
            assert len([event for event in happened(run, "watcher_woken") if event["watcher"] == name]) == count
        assert status(run, name) == "stopped"
    assert happened(run, "restart_delayed") == happened(run, "watcher_gave_up") == []


def test_a_death_while_somebody_waits_is_made_good_at_once(
    circusd: Callable[..., Circusd], program: Any, tmp_path: Path
) -> None:
    holder = program("holder.py", HOLDER)
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:web]
cmd = {holder} $(circus.sockets.web)
copy_env = True
on_demand = True
""").up()
    with echoed(f"{tmp_path}/web.sock"), socket.socket(socket.AF_UNIX) as waits:
        until(lambda: status(run, "web") == "active")
        waits.connect(f"{tmp_path}/web.sock")
        waits.sendall(b"still here")
        os.kill(pids(run, "web")[0], signal.SIGKILL)
        waits.settimeout(20)
        assert waits.recv(100) == b"still here"
        assert happened(run, "watcher_stopped") == []


def test_what_cannot_start_is_not_tried_for_ever(circusd: Callable[..., Circusd], tmp_path: Path) -> None:
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:web]
cmd = /no/such/program $(circus.sockets.web)
on_demand = True
restart_delay = 0
[watcher:crashes]
cmd = false
stdin_socket = web2
on_demand = True
restart_delay = 0
max_retry = 3
[socket:web2]
path = {tmp_path}/web2.sock
""").up()
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
        one.connect(f"{tmp_path}/web.sock")
        two.connect(f"{tmp_path}/web2.sock")
        until(lambda: len(happened(run, "watcher_gave_up")) == 2)
        until(lambda: status(run, "web") == status(run, "crashes") == "stopped")
        assert len(happened(run, "spawn_failed")) == 5
        assert len([each for each in happened(run, "process_exited") if each["watcher"] == "crashes"]) == 9
        assert len(happened(run, "watcher_woken")) == 2
        assert facts(run, "web") == facts(run, "crashes") == {}
        call(run, "start", name="web", waiting=True)
        until(lambda: len(happened(run, "watcher_woken")) == 3)
        until(lambda: len(happened(run, "watcher_gave_up")) == 3)


def test_a_refused_start_is_tried_with_growing_delays(circusd: Callable[..., Circusd], tmp_path: Path) -> None:
    (tmp_path / "guard.py").write_text("""
from circus_core.model import Refuse
from circus_core.plugin import CircusPlugin
class Guard(CircusPlugin):
    host = "core"
    asked = 0
    def circus_veto_start(self, watcher):
        self.asked += 1
        return Refuse(f"not the {self.asked}. time") if self.asked < 9 else None
""")
    run = circusd(f"""
[plugin:guard]
use = {tmp_path}/guard.py:Guard
[socket:web]
path = {tmp_path}/web.sock
[watcher:web]
cmd = sleep 1000
stdin_socket = web
on_demand = True
restart_burst = 6
restart_delay = 0.01
""").up()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/web.sock")
        until(lambda: status(run, "web") == "active")
    assert len(happened(run, "action_vetoed")) == 8
    assert "web was woken and did not start: web was not started: not the 1. time" in run.output()


@pytest.mark.covers("option:idle_timeout")
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_it_sleeps_again_when_nothing_comes_and_nothing_is_open(
    circusd: Callable[..., Circusd], program: Any, tmp_path: Path, kind: str
) -> None:
    where = f"path = {tmp_path}/web.sock" if kind == "unix" else "host = 127.0.0.1\nport = 0"
    run = circusd(f"""
[socket:web]
{where}
[watcher:web]
cmd = {program("holder.py", HOLDER)} $(circus.sockets.web) slow
copy_env = True
on_demand = True
idle_timeout = 0.2
""").up()
    entry = listed(run)["web"]
    address = entry["path"] if kind == "unix" else (entry["host"], entry["port"])
    with echoed(address) as client:
        (pid,) = pids(run, "web")
        # As long as a connection is open it is not idle, though nothing comes.
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert pids(run, "web") == [pid]
        assert not (tmp_path / "holder.py.asked").exists()
    until((tmp_path / "holder.py.asked").exists)
    # Who comes while it stops is served, by another process.
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as late:
        late.connect(address)
        late.sendall(b"late")
        (tmp_path / "holder.py.go").touch()
        late.settimeout(20)
        assert late.recv(100) == b"late"
        assert pid not in pids(run, "web")
    until(lambda: "asleep" in facts(run, "web"))
    assert status(run, "web") == "stopped"
    assert "web is idle, and goes to sleep" in run.output()
    call(run, "quit", waiting=True)


def test_datagrams_wake_it_too(circusd: Callable[..., Circusd], program: Any) -> None:
    run = circusd(f"""
[socket:udp]
host = 127.0.0.1
port = 0
type = SOCK_DGRAM
[watcher:udp]
cmd = {program("datagrams.py", DATAGRAMS)} $(circus.sockets.udp)
copy_env = True
on_demand = True
idle_timeout = 0.1
""").up()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.connect(("127.0.0.1", listed(run)["udp"]["port"]))
        found = set()
        for _ in range(2):
            client.send(b"hello")
            found.add(client.recv(100))
            until(lambda: "asleep" in facts(run, "udp"))
        assert len(found) == 2


def test_options_that_change_while_it_sleeps(circusd: Callable[..., Circusd], server: str, tmp_path: Path) -> None:
    def configuration(name: str, demand: bool) -> str:
        return f"""
[socket:web]
path = {tmp_path}/{name}.sock
[watcher:web]
cmd = {server} $(circus.sockets.web)
copy_env = True
on_demand = {demand}
"""

    run = circusd(configuration("one", True)).up()
    run.configure(configuration("two", True))
    call(run, "reloadconfig", waiting=True)
    assert facts(run, "web") == {"asleep": f"until something comes to {tmp_path}/two.sock"}
    assert answer(f"{tmp_path}/two.sock")
    (pid,) = pids(run, "web")
    call(run, "restart", name="web", waiting=True)
    assert pids(run, "web") == []
    call(run, "set", name="web", options={"on_demand": False}, waiting=True)
    until(lambda: status(run, "web") == "active")
    (pid,) = pids(run, "web")
    run.configure(configuration("two", False))
    call(run, "reloadconfig", waiting=True)
    run.configure(configuration("two", True))
    call(run, "reloadconfig", waiting=True)
    assert pids(run, "web") == [pid]
    call(run, "set", name="web", options={"idle_timeout": 0.05}, waiting=True)
    until(lambda: "asleep" in facts(run, "web"))
    with pytest.raises(CircusError, match="on_demand needs a socket to wait at, and this watcher uses none"):
        call(run, "set", name="web", options={"cmd": "sleep 1000"}, waiting=True)


def test_mistakes_have_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "wrong.ini"
    file.write_text("[watcher:web]\ncmd = sleep 1000\non_demand = True\n")
    done = checked(file)
    assert done.returncode == 2
    assert "wrong.ini:3: [watcher:web] on_demand: needs a socket to wait at, and this watcher uses none" in done.stderr
    file.write_text("[watcher:web]\ncmd = sleep 1000\nidle_timeout = 3\n")
    done = checked(file)
    assert done.returncode == 0
    assert "wrong.ini:3: [watcher:web] idle_timeout: means nothing without on_demand" in done.stdout + done.stderr
