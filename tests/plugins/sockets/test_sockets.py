"""Sockets that processes share: each option, who gets which, and what is told where one cannot be had."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from circus_plugins.sockets.binding import opened
from circus_plugins.sockets.held import Sockets
from tests.plugins.sockets.serving import SERVER, answer, call, checked, descriptors, listed, made, pids

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd


@pytest.mark.covers("option:use_sockets", "command:listsockets", "socket-option:host", "socket-option:port")
def test_processes_share_a_socket_and_have_no_other(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    run = circusd(f"""
[socket:Web]
host = 127.0.0.1
port = 0
[socket:other]
path = {tmp_path}/other.sock
[watcher:web]
cmd = {server} $(circus.sockets.web) $(circus.wid)
use_sockets = True
copy_env = True
numprocesses = 2
[watcher:all]
cmd = sleep 1000
use_sockets = True
[watcher:none]
cmd = sleep 1000
""")
    until(lambda: "circusd is up" in run.output())
    sockets = listed(run)
    web, other = sockets["web"], sockets["other"]
    assert (web["host"], web["backlog"], other["path"]) == ("127.0.0.1", 2048, f"{tmp_path}/other.sock")
    answers = {answer((web["host"], web["port"])) for _ in range(50)}
    assert {int(each.split()[0]) for each in answers} <= set(pids(run, "web"))
    for pid in pids(run, "web"):
        inherited = descriptors(pid)
        assert inherited.keys() >= {web["fd"]}
        assert other["fd"] not in inherited
    (sleeper,), (alone,) = pids(run, "all"), pids(run, "none")
    assert set(descriptors(sleeper)) == {0, 1, 2, web["fd"], other["fd"]}
    assert set(descriptors(alone)) == {0, 1, 2}
    call(run, "restart", name="web", waiting=True)
    assert listed(run) == sockets
    assert answer((web["host"], web["port"]))
    call(run, "quit", waiting=True)
    assert run.process.wait(20) == 0
    assert not Path(other["path"]).exists()


def test_a_command_that_mentions_a_socket_has_it(circusd: Callable[..., Circusd], server: str, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    run = circusd(f"""
[socket:web]
path = {path}
[watcher:web]
cmd = {server} ((circus.sockets.WEB)) "$FD"
shell = True
copy_env = True
[env:web]
FD = $(circus.sockets.web)
""")
    until(lambda: "circusd is up" in run.output())
    number = listed(run)["web"]["fd"]
    assert answer(str(path)).endswith(f"['{number}']")


@pytest.mark.covers("option:stdin_socket")
def test_a_socket_may_be_standard_input(circusd: Callable[..., Circusd], tmp_path: Path, server: str) -> None:
    path = tmp_path / "web.sock"
    run = circusd(f"""
[socket:web]
path = {path}
[watcher:web]
cmd = {server} 0
copy_env = True
stdin_socket = web
""")
    until(lambda: "circusd is up" in run.output())
    assert answer(str(path)).endswith("[]")


def test_what_cannot_be_opened_keeps_only_its_own_watchers(circusd: Callable[..., Circusd], server: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = circusd(f"""
[socket:web]
host = 127.0.0.1
port = {port}
[watcher:web]
cmd = {server} $(circus.sockets.web)
copy_env = True
[watcher:other]
cmd = sleep 1000
""")
        until(lambda: "circusd is up" in run.output())
        assert f"[socket:web] 127.0.0.1:{port} cannot be opened: Address already in use" in run.output()
        assert f"(pid {os.getpid()}) has it: end that, or choose another port" in run.output()
        assert call(run, "status")["statuses"] == {"web": "stopped", "other": "active"}
        with pytest.raises(CircusError, match=r"\[socket:web\] .*Address already in use"):
            call(run, "start", name="web", waiting=True)
    call(run, "start", name="web", waiting=True)
    assert answer(("127.0.0.1", port))


def test_a_reload_exchanges_only_what_changed(circusd: Callable[..., Circusd], server: str, tmp_path: Path) -> None:
    def configuration(web: str, backlog: int) -> str:
        return f"""
[socket:web]
path = {tmp_path}/{web}.sock
[socket:api]
path = {tmp_path}/api.sock
backlog = {backlog}
[watcher:web]
cmd = {server} $(circus.sockets.web)
copy_env = True
[watcher:api]
cmd = {server} $(circus.sockets.api)
copy_env = True
"""

    run = circusd(configuration("one", 10))
    until(lambda: "circusd is up" in run.output())
    web, api, before = pids(run, "web"), pids(run, "api"), listed(run)
    run.configure(configuration("two", 20))
    call(run, "reloadconfig", waiting=True)
    # Whoever waits for it has waited for the new processes.
    assert pids(run, "web") not in (web, [])
    after = listed(run)
    assert pids(run, "api") == api
    assert (after["api"]["fd"], after["api"]["backlog"]) == (before["api"]["fd"], 20)
    assert not (tmp_path / "one.sock").exists()
    assert int(answer(f"{tmp_path}/two.sock").split()[0]) in pids(run, "web")
    run.configure(configuration("no/such/folder", 20))
    with pytest.raises(CircusError, match="No such file or directory"):
        call(run, "reloadconfig", waiting=True)
    assert answer(f"{tmp_path}/two.sock"), "the former one is as it was"
    run.configure(configuration("three", 20))
    call(run, "reloadconfig", waiting=True)
    until(lambda: (tmp_path / "three.sock").exists() and answer(f"{tmp_path}/three.sock"))


def test_a_reload_says_if_no_process_comes_up_at_an_exchanged_socket(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    def configuration(path: str) -> str:
        return f"""
[socket:web]
path = {tmp_path}/{path}.sock
[watcher:web]
cmd = {server} $(circus.sockets.web)
copy_env = True
ready = accepting
"""

    run = circusd(configuration("one")).up()
    before = pids(run, "web")
    Path(server.split()[1]).write_text("raise SystemExit(3)")
    run.configure(configuration("two"))
    with pytest.raises(CircusError, match=r"web was not reloaded: pid \d+ exited with status 3 before it was ready"):
        call(run, "reloadconfig", waiting=True)
    assert pids(run, "web") == before
    # And the next one tries again, though nothing of the configuration has changed.
    Path(server.split()[1]).write_text(SERVER)
    call(run, "reloadconfig", waiting=True)
    assert int(answer(f"{tmp_path}/two.sock").split()[0]) in pids(run, "web")
    after = pids(run, "web")
    call(run, "reloadconfig", waiting=True)
    assert pids(run, "web") == after


def test_mistakes_have_their_lines(circusd: Callable[..., Circusd], tmp_path: Path) -> None:
    file = tmp_path / "wrong.ini"
    file.write_text("""\
[socket:web]
family = AF_UNIX
[socket:api]
path = /run/api.sock
so_reuseport = True
[socket:db]
port = 0
umask = 077
[watcher:one]
cmd = serve --fd $(circus.sockets.wbe)
[watcher:two]
cmd = serve
stdin_socket = cache
""")
    done = checked(file)
    assert done.returncode == 2
    for said in (
        "wrong.ini:2: [socket:web] family: is AF_UNIX, and there is no path (set path)",
        "wrong.ini:5: [socket:api] so_reuseport: is for addresses with a port (drop it, or path)",
        "wrong.ini:8: [socket:db] umask: means nothing without a path (drop it)",
    ):
        assert said in done.stderr, done.stderr
    file.write_text("""\
[socket:db]
port = 0
[watcher:one]
cmd = serve --fd $(circus.sockets.bd)
[watcher:two]
cmd = serve
stdin_socket = cache
""")
    done = checked(file)
    assert "[watcher:one] cmd: there is no [socket:bd]" in done.stderr
    assert "[watcher:two] stdin_socket: there is no [socket:cache] (there are db)" in done.stderr
    long = "a" * 108
    file.write_text(f"""\
[socket:db]
port = 70000
[socket:kind]
type = SOCK_FOO
[socket:near]
type = SOCK_STREEM
[socket:path]
path = {long}
[socket:name]
path = @{long}
[watcher:one]
cmd = sleep $(circus.sockets.db)
""")
    # What is there and has mistakes is not said to be missing.
    assert checked(file).stderr.splitlines() == [
        f"{file}:2: [socket:db] port: 'port' is 70000 (the most possible is 65535)",
        f"{file}:4: [socket:kind] type: 'SOCK_FOO' isn't one of the possible words"
        " (expected one of SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET)",
        f"{file}:6: [socket:near] type: 'SOCK_STREEM' isn't one of the possible words (did you mean SOCK_STREAM?)",
        f"{file}:8: [socket:path] path: has 108 bytes, and Linux takes 107 (choose a shorter one)",
        f"{file}:10: [socket:name] path: has 109 bytes, and Linux takes 108 (choose a shorter one)",
    ]


@pytest.mark.covers("socket-option:family", "socket-option:type", "socket-option:proto")
def test_families_and_types(tmp_path: Path) -> None:
    with opened(made(host="::1", family="AF_INET6")) as one:
        assert (one.family, one.getsockname()[0]) == (socket.AF_INET6, "::1")
    with opened(made(type="SOCK_DGRAM", proto="udp")) as two:
        assert (two.type, two.proto) == (socket.SOCK_DGRAM, 17)
    with opened(made(path=str(tmp_path / "seq"), type="SOCK_SEQPACKET")) as three:
        assert (three.family, three.type) == (socket.AF_UNIX, socket.SOCK_SEQPACKET)
        assert three.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    with opened(made(path=f"@circus-test-{os.getpid()}")) as four:
        assert four.getsockname() == f"\0circus-test-{os.getpid()}".encode()
    with pytest.raises(CircusError, match="proto nonsense: there is no such protocol"):
        opened(made(proto="nonsense"))
    with pytest.raises(CircusError, match=r"\[socket:web\] host ::1: .*") as caught:
        opened(made(host="::1"))
    assert "AF_INET6" in caught.value.hint


@pytest.mark.covers("socket-option:backlog", "socket-option:blocking")
def test_backlog_and_blocking() -> None:
    with opened(made(backlog=1)) as one, opened(made(blocking=True)) as two:
        assert (one.getblocking(), two.getblocking()) == (False, True)
        # The kernel lets one more than the backlog wait (listen(2)).
        clients = [socket.socket() for _ in range(6)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(one.getsockname())
        deadline = time.monotonic() + 20
        established = 0
        while established < 2 and time.monotonic() < deadline:
            established = sum(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO) == 1 for client in clients)
        assert established == 2
        for client in clients:
            client.close()


@pytest.mark.covers("socket-option:path", "socket-option:umask", "socket-option:replace")
def test_paths(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with opened(made(path=str(path), umask=0o077)):
        assert path.stat().st_mode & 0o777 == 0o700
        with pytest.raises(CircusError, match="Address already in use") as caught:
            opened(made(path=str(path)))
        assert "replace = True" in caught.value.hint
        with opened(made(path=str(path), replace=True)) as other, socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            other.setblocking(True)
            other.accept()[0].close()
    # Left by one that was killed.
    opened(made(path=str(path))).close()
    path.unlink()
    path.write_text("a file of somebody's")
    with pytest.raises(CircusError, match="Address already in use"):
        opened(made(path=str(path)))
    assert path.read_text() == "a file of somebody's"
    with pytest.raises(CircusError, match="No such file or directory") as caught:
        opened(made(path=str(tmp_path / "no" / "web.sock")))
    assert caught.value.hint == "the folder is not there: make it"


@pytest.mark.covers("socket-option:interface")
def test_interfaces() -> None:
    with pytest.raises(CircusError, match="No such device") as caught:
        opened(made(interface="nosuch0"))
    assert "ip link" in caught.value.hint
    if os.geteuid() == 0:
        with opened(made(interface="lo")) as one:
            assert one.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(CircusError, match=r"203\.0\.113\.1:0 cannot be opened: ") as caught:
        opened(made(host="203.0.113.1"))
    assert "ip addr" in caught.value.hint


def test_a_thousand_are_opened_and_closed() -> None:
    sockets = Sockets()
    sockets.want({f"s{number}": made(name=f"s{number}") for number in range(500)})
    assert sockets.settle() == []
    assert len(sockets.open()) == 500
    sockets.close()
    assert not sockets.open()
