"""`socket_activation`: which sockets processes find, under which numbers and names."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import until
from circus_plugins.client import Client
from circus_plugins.sockets.activation import ACTIVATION
from tests.plugins.sockets.serving import answer, call, checked, descriptors, pids

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

TELL = """\
import json, os, signal, socket, sys
count = int(os.environ["LISTEN_FDS"])
names = [socket.socket(fileno=os.dup(fd)).getsockname() for fd in range(3, 3 + count)]
told = dict(pid=os.getpid(), argv=sys.argv[2:], names=names, env=dict(os.environ))
with open(sys.argv[1] + ".new", "w") as file:
    json.dump(told, file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
signal.pause()
"""

SERVER = """\
import os, socket, sys
assert os.environ["LISTEN_PID"] == str(os.getpid()), os.environ
server = socket.socket(fileno=3)
server.setblocking(True)
while True:
    client, _ = server.accept()
    client.sendall(f"{os.getpid()} {os.environ['LISTEN_FDNAMES']}".encode())
    client.close()
"""


@pytest.fixture
def tell(tmp_path: Path) -> str:
    """A command line of a program that says, in a file whose path is put after it, what it found."""
    program = tmp_path / "tell.py"
    program.write_text(TELL)
    return f"{sys.executable} -I {program}"


@pytest.fixture
def server(tmp_path: Path) -> str:
    """A command line of a program that serves as services of systemd do."""
    program = tmp_path / "server.py"
    program.write_text(SERVER)
    return f"{sys.executable} -I {program}"


def found(path: Path) -> dict[str, Any]:
    until(path.exists)
    told: dict[str, Any] = json.loads(path.read_text())
    return told


@pytest.mark.covers("option:socket_activation")
def test_which_sockets_and_in_which_order(circusd: Callable[..., Circusd], tell: str, tmp_path: Path) -> None:
    run = circusd(f"""
[socket:Web]
path = {tmp_path}/web.sock
[socket:admin]
path = {tmp_path}/admin.sock
[watcher:all]
cmd = {tell} {tmp_path}/all
socket_activation = true
[watcher:named]
cmd = {tell} {tmp_path}/named
socket_activation = admin, Web
[watcher:mentioned]
cmd = {tell} {tmp_path}/mentioned $(circus.sockets.admin) $(circus.wid)
socket_activation = true
[watcher:both]
cmd = {tell} {tmp_path}/both $(circus.sockets.web) $(circus.sockets.admin) $(circus.env.fd)
socket_activation = admin
[env:both]
FD = $(circus.sockets.web)
[watcher:off]
cmd = sleep 1000
socket_activation = no
""")
    web, admin = f"{tmp_path}/web.sock", f"{tmp_path}/admin.sock"
    for name, sockets, fdnames, argv in (
        ("all", [web, admin], "web:admin", []),
        ("named", [admin, web], "admin:web", []),
        ("mentioned", [admin], "admin", ["3", "1"]),
        ("both", [admin, web], "admin:web", ["4", "3", "4"]),
    ):
        told = found(tmp_path / name)
        env = told["env"]
        assert (told["names"], env["LISTEN_FDNAMES"], told["argv"]) == (sockets, fdnames, argv), name
        assert (env["LISTEN_FDS"], env["LISTEN_PID"]) == (str(len(sockets)), str(told["pid"]))
        assert [told["pid"]] == pids(run, name)
        assert set(descriptors(told["pid"])) == set(range(3 + len(sockets)))
    (off,) = pids(run, "off")
    assert set(descriptors(off)) == {0, 1, 2}
    with Client(run.endpoint, timeout=20) as client:
        options = client.call("get", name="named", keys=["socket_activation"])["options"]
    assert options == {"socket_activation": "admin web"}


def test_connections_are_served_while_processes_are_replaced(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:web]
cmd = {server}
socket_activation = web
numprocesses = 2
""")
    until(lambda: "circusd is up" in run.output())
    first = answer(f"{tmp_path}/web.sock").split()
    assert first[1] == "web"
    assert int(first[0]) in pids(run, "web")
    call(run, "reload", name="web", waiting=True)
    assert int(answer(f"{tmp_path}/web.sock").split()[0]) not in (int(first[0]),)


def test_with_a_shell(circusd: Callable[..., Circusd], server: str, tmp_path: Path) -> None:
    """LISTEN_PID is the shell's. What it executes in its place takes that over, as the page of the plugin says."""
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:web]
cmd = echo begun >{tmp_path}/log; exec {server}
shell = True
socket_activation = true
""")
    until(lambda: "circusd is up" in run.output())
    assert int(answer(f"{tmp_path}/web.sock").split()[0]) in pids(run, "web")
    assert (tmp_path / "log").read_text() == "begun\n"


def test_each_process_may_have_a_socket_of_its_own(circusd: Callable[..., Circusd], tell: str, tmp_path: Path) -> None:
    run = circusd(f"""
[socket:web]
host = 127.0.0.1
port = 0
so_reuseport = True
[watcher:web]
cmd = {tell} {tmp_path}/$(circus.wid)
socket_activation = true
numprocesses = 2
""")
    until(lambda: "circusd is up" in run.output())
    told = [found(tmp_path / wid) for wid in ("1", "2")]
    assert all(each["env"]["LISTEN_FDNAMES"] == "web" for each in told)
    assert all(each["names"][0][0] == "127.0.0.1" for each in told)


def test_a_program_that_is_missing_is_told_of_as_ever(circusd: Callable[..., Circusd], tmp_path: Path) -> None:
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:web]
cmd = /no/such/program
socket_activation = true
""")
    until(lambda: "cannot run /no/such/program: No such file or directory (there is no file" in run.output())


def test_mistakes_have_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "wrong.ini"
    file.write_text("""\
[socket:web]
port = 0
[watcher:one]
cmd = serve
socket_activation = wbe
[watcher:two]
cmd = serve
socket_activation = web/admin
""")
    said = checked(file).stderr
    assert "wrong.ini:8: [watcher:two] socket_activation: 'web/admin' isn't true, false or names of sockets" in said
    file.write_text(file.read_text().replace("web/admin", "yes"))
    assert "wrong.ini:5: [watcher:one] socket_activation: there is no [socket:wbe]" in checked(file).stderr
    file.write_text("[watcher:one]\ncmd = sleep 1\nsocket_activation = yes\n")
    done = checked(file)
    assert done.returncode == 0
    assert "socket_activation: there is no [socket:NAME] section (write one, or drop this)" in done.stderr


def test_a_shell_that_keeps_the_sockets_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "shell.ini"
    shells = {"one": "date; serve", "two": "date; exec serve", "three": "serve --fd $(circus.sockets.web)"}
    file.write_text("[socket:web]\nport = 0\n" + "".join(
        f"[watcher:{name}]\ncmd = {cmd}\nshell = True\nsocket_activation = yes\n" for name, cmd in shells.items()
    ))  # fmt: skip
    done = checked(file)
    said = [line for line in done.stderr.splitlines() if "LISTEN_PID" in line]
    assert len(said) == 1, done.stderr
    assert "shell.ini:6: [watcher:one] socket_activation: hands the sockets to the shell, and" in said[0]
    assert "(write `exec` before that)" in said[0]


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (True, True), (False, False), ("on", True), ("0", False), ("Web", "web"), ("a b,c", "a b c"),
        (["a", "B"], "a b"), ("admin, web", "admin web"),
    ],
)  # fmt: skip
def test_values(given: object, value: object) -> None:
    assert ACTIVATION.check(given) == value
    if isinstance(given, str):
        assert ACTIVATION.parse(given) == value


@pytest.mark.parametrize("given", ["", "a/b", 3, [], ["a", 1], [""], None])
def test_what_is_no_value(given: object) -> None:
    with pytest.raises(ValueError, match="names of sockets"):
        ACTIVATION.check(given)
