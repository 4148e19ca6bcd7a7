"""How processes show that they are ready: each way but one, with real programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from circus_core.testing import until
from tests.plugins.ready.asking import BEGIN, RECEIVES, WAITS, call, events, facts, gate, program, states
from tests.plugins.sockets.serving import checked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

    Start = Callable[..., Circusd]


@pytest.mark.covers("option:ready")
@pytest.mark.parametrize("manner", WAITS)
def test_one_that_takes_connections_at_a_shared_socket(circusd: Start, tmp_path: Path, manner: str) -> None:
    """However it waits for them; and before it does, no other one that has the socket makes it look ready."""
    go, wait = gate(tmp_path)
    other = program(tmp_path, f"{BEGIN}\n{WAITS['epoll']}", "other")
    waiting = program(tmp_path, f"{BEGIN}\n{wait}{WAITS[manner]}")
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:other]
cmd = {other} $(circus.sockets.web)
ready = accepting
priority = 1
[watcher:w]
cmd = {waiting} $(circus.sockets.web)
ready = accepting
""")
    until(lambda: states(run, "w") == ["starting"])
    assert call(run, "status", name="other")["status"] == "active"
    assert call(run, "status", name="w")["status"] == "starting"
    assert f"does not take connections at {tmp_path}/web.sock" in facts(run, "w")["not ready"]
    go.touch()
    until(lambda: states(run, "w") == ["ready"])
    until(lambda: "circusd is up" in run.output())
    assert facts(run, "w") == {}


@pytest.mark.covers("option:ready")
def test_those_that_wait_for_datagrams(circusd: Start, tmp_path: Path) -> None:
    go, wait = gate(tmp_path)
    cmds = {manner: program(tmp_path, f"{BEGIN}\n{wait}{code}", manner) for manner, code in RECEIVES.items()}
    watchers = "".join(
        f"""
[watcher:{manner}]
cmd = {cmd} $(circus.sockets.log)
ready = accepting
"""
        for manner, cmd in cmds.items()
    )
    run = circusd(f"[socket:log]\nhost = 127.0.0.1\nport = 0\ntype = SOCK_DGRAM\n{watchers}")
    # One after another, by name.
    until(lambda: states(run, "child") == ["starting"])
    go.touch()
    until(lambda: "circusd is up" in run.output())
    assert {manner: states(run, manner) for manner in RECEIVES} == {manner: ["ready"] for manner in RECEIVES}


def test_http_without_a_socket_that_takes_connections_is_doubted(tmp_path: Path) -> None:
    file = tmp_path / "udp.ini"

    def said(url: str) -> str:
        file.write_text(f"""\
[socket:log]
port = 0
type = SOCK_DGRAM
[watcher:w]
cmd = sleep $(circus.sockets.log)
ready = http
ready_url = {url}
""")
        done = checked(file)
        assert done.returncode == 0
        return done.stderr

    doubt = "udp.ini:6: [watcher:w] ready: is http, and none of the sockets takes connections: it is ready only if it"
    assert doubt in said("/health")
    assert doubt not in said("http://127.0.0.1:8080/health")


@pytest.mark.covers("option:ready")
def test_one_that_finds_its_socket_as_services_of_systemd_do(circusd: Start, tmp_path: Path) -> None:
    go, wait = gate(tmp_path)
    code = f"{wait}import socket\nserver = socket.socket(fileno=3)\n{WAITS['accept']}"
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:w]
cmd = {program(tmp_path, code)}
use_sockets = True
socket_activation = True
ready = accepting
""")
    until(lambda: f"does not take connections at {tmp_path}/web.sock" in facts(run, "w").get("not ready", ""))
    assert states(run, "w") == ["starting"]
    go.touch()
    until(lambda: states(run, "w") == ["ready"])


@pytest.mark.parametrize("family", ["path", "tcp"])
def test_one_whose_way_of_waiting_is_not_seen(circusd: Start, tmp_path: Path, family: str) -> None:
    """It looks again and again by itself; then a connection tells, once it is this process that took it.

    Each takes one, or chance would say how many it needs until either has had its turn.
    """
    looks = """
server.setblocking(False)
while True:
    try:
        held = server.accept()
        break
    except BlockingIOError:
        time.sleep(0.01)
time.sleep(1000)
"""
    run = circusd(f"""
[socket:web]
{f"path = {tmp_path}/web.sock" if family == "path" else "host = 127.0.0.1"}
port = 0
[watcher:w]
cmd = {program(tmp_path, BEGIN + looks)} $(circus.sockets.web)
ready = accepting
numprocesses = 2
""")
    until(lambda: "circusd is up" in run.output())
    assert states(run, "w") == ["ready", "ready"]


@pytest.mark.covers("option:ready_address")
@pytest.mark.parametrize("where", ["tcp", "path", "anywhere-tcp", "anywhere-path"])
def test_one_that_listens_at_a_socket_of_its_own(circusd: Start, tmp_path: Path, free_port: int, where: str) -> None:
    go, wait = gate(tmp_path)
    kind, address = ("INET", ("127.0.0.1", free_port)) if "tcp" in where else ("UNIX", f"{tmp_path}/own.sock")
    listens = f"s = socket.socket(socket.AF_{kind})\ns.bind({address!r})\ns.listen()\ntime.sleep(1000)"
    code = f"{wait}import socket\n{listens}"
    said = {"tcp": "127.0.0.1:$(circus.env.port)", "path": f"{tmp_path}/own.sock"}.get(where)
    run = circusd(f"""
[watcher:w]
cmd = {program(tmp_path, code)}
ready = accepting
{f"ready_address = {said}" if said else ""}
env = PORT={free_port}
""")
    until(lambda: states(run, "w") == ["starting"])
    lacking = f"127.0.0.1:{free_port}" if where == "tcp" else f"{tmp_path}/own.sock" if said else "listens nowhere"
    until(lambda: lacking in facts(run, "w").get("not ready", ""))
    go.touch()
    until(lambda: states(run, "w") == ["ready"])


HTTP = """
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        up = self.path != "/health" or os.path.exists(GO)
        self.send_response(204 if up else 503)
        self.end_headers()
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_UNIX if FAMILY == "path" else socket.AF_INET
    def server_bind(self): pass
    def server_activate(self): pass
    def get_request(self): return self.socket.accept()[0], ("", 0)
"""
SHARED = """
s = Server(("", 0), Handler)
s.socket.close()
s.socket = socket.socket(fileno=int(sys.argv[1]))
s.socket.setblocking(True)
s.serve_forever()
"""


@pytest.mark.covers("option:ready_url")
@pytest.mark.parametrize("family", ["path", "tcp", "own"])
def test_one_that_answers_a_request(circusd: Start, tmp_path: Path, family: str) -> None:
    go, _ = gate(tmp_path)
    if family == "own":
        serve = "s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)\ns.serve_forever()"
        section, use = "", ""
    else:
        serve = SHARED
        where = f"path = {tmp_path}/web.sock" if family == "path" else "host = 127.0.0.1\nport = 0"
        section = f"[socket:web]\n{where}"
        use = "$(circus.sockets.web)"
    code = f"import os\nGO, FAMILY = {str(go)!r}, {family!r}\n{HTTP}{serve}"
    run = circusd(f"""
{section}
[watcher:w]
cmd = {program(tmp_path, code)} {use}
ready = http
ready_url = /health
""")
    until(lambda: "does not answer GET /health: 503 Service Unavailable" in facts(run, "w").get("not ready", ""))
    go.touch()
    until(lambda: states(run, "w") == ["ready"])


def test_an_answer_of_another_process_does_not_count(circusd: Start, tmp_path: Path) -> None:
    """Of two that share a socket one is healthy; the other one is not ready, however often the first one answers."""
    serve = SHARED
    here, nowhere = tmp_path / "here", tmp_path / "go"
    here.touch()
    well = program(tmp_path, f"import os\nGO, FAMILY = {str(here)!r}, 'path'\n{HTTP}{serve}", "well")
    ill = program(tmp_path, f"import os\nGO, FAMILY = {str(nowhere)!r}, 'path'\n{HTTP}{serve}", "ill")
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:well]
cmd = {well} $(circus.sockets.web)
ready = http
ready_url = /health
priority = 1
[watcher:ill]
cmd = {ill} $(circus.sockets.web)
ready = http
ready_url = /health
ready_timeout = 1.5
max_retry = 0
restart_burst = 0
""")
    until(lambda: events(run, "process_unready") != [])
    assert states(run, "well") == ["ready"]
    (told,) = events(run, "process_unready")
    assert told["watcher"] == "ill"
    assert "it does not answer GET /health: " in told["reason"]


@pytest.mark.covers("option:ready_delay")
def test_one_that_has_lived_for_a_while(circusd: Start) -> None:
    run = circusd("""
[watcher:w]
cmd = sleep 1000
ready = delay
ready_delay = 0.2
[watcher:dies]
cmd = sh -c 'sleep 0.05; exit 3'
ready = delay
restart_burst = 0
max_retry = 0
""")
    until(lambda: "circusd is up" in run.output())
    (ready,) = events(run, "process_ready")
    assert (ready["watcher"], ready["after"] >= 0.2) == ("w", True)
    (unready,) = events(run, "process_unready")
    assert unready["reason"] == f"pid {unready['pid']} exited with status 3 before it was ready"
    assert call(run, "status", name="dies")["status"] == "stopped"


@pytest.mark.covers("option:ready_output", "hook:circus_overhear_output")
@pytest.mark.parametrize("channel", ["stdout", "stderr"])
def test_one_that_says_a_line(circusd: Start, tmp_path: Path, channel: str) -> None:
    """Written in pieces, with other lines before it, and after it all the same goes on to its file."""
    go, _ = gate(tmp_path)
    redirect = ">&2" if channel == "stderr" else ""
    script = tmp_path / "says.sh"
    script.write_text(
        f"(echo not now up; printf 'now'; while ! [ -e {go} ]; do sleep 0.01; done; echo ' up at 80') {redirect}\n"
        f"echo more {redirect}\nexec sleep 1000\n"
    )
    run = circusd(f"""
[watcher:w]
cmd = sh {script}
copy_env = True
ready = output
ready_output = ^now up at [0-9]+$
{channel}_stream.filename = {tmp_path}/log
""")
    until(lambda: "has not said a line like '^now up at [0-9]+$'" in facts(run, "w").get("not ready", ""))
    go.touch()
    until(lambda: states(run, "w") == ["ready"])
    until(lambda: (tmp_path / "log").read_text() == "not now up\nnow up at 80\nmore\n")
