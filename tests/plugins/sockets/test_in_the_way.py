"""Addresses that somebody has already: who is named, what is refused, and what is taken over."""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from circus_plugins.sockets.binding import _refused, opened
from circus_plugins.sockets.held import Sockets
from tests.plugins.sockets.serving import answer, call, checked, listed, made, pids

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd


def test_two_sections_at_one_address_are_a_mistake_in_both_lines(tmp_path: Path) -> None:
    file = tmp_path / "twice.ini"
    file.write_text("""\
[socket:one]
port = 8001
[socket:two]
host = 0.0.0.0
port = 8001
[socket:three]
path = web.sock
[socket:four]
path = web.sock
type = SOCK_DGRAM
""")
    done = checked(file)
    assert done.returncode == 2
    advice = "(only one can be there: move one, or have one section, which several watchers may use)"
    for said in (
        f"twice.ini:2: [socket:one] port: is at localhost:8001, and [socket:two] at 0.0.0.0:8001 {advice}",
        f"twice.ini:5: [socket:two] port: is at 0.0.0.0:8001, and [socket:one] at localhost:8001 {advice}",
        f"twice.ini:7: [socket:three] path: is at web.sock, and [socket:four] at web.sock {advice}",
        f"twice.ini:9: [socket:four] path: is at web.sock, and [socket:three] at web.sock {advice}",
    ):
        assert said in done.stderr, done.stderr


def test_some_may_have_one_port(tmp_path: Path) -> None:
    file = tmp_path / "beside.ini"
    file.write_text("""\
[socket:one]
port = 8001
so_reuseport = True
[socket:two]
port = 8001
so_reuseport = True
[socket:datagrams]
port = 8001
type = SOCK_DGRAM
[socket:ipv6]
host = ::1
family = AF_INET6
port = 8001
[socket:elsewhere]
host = 127.0.0.2
port = 8001
[socket:any]
port = 0
[socket:any-other]
port = 0
[socket:inner]
port = 8002
interface = lo
[socket:outer]
port = 8002
interface = eth0
""")
    done = checked(file)
    assert "and [socket:" not in done.stderr, done.stderr


def test_sections_without_an_address_may_be_handed_one(tmp_path: Path) -> None:
    file = tmp_path / "handed.ini"
    file.write_text("[socket:one]\nbacklog = 10\n[socket:two]\nbacklog = 10\n")
    done = checked(file)
    assert done.returncode == 0
    assert "warning: " in done.stderr
    assert "[socket:two] port: is at localhost:8080, and [socket:one] at localhost:8080" in done.stderr


def test_datagrams_of_somebody_else_are_not_taken_over() -> None:
    with opened(made(type="SOCK_DGRAM")) as one:
        port = one.getsockname()[1]
        for host in ("127.0.0.1", "0.0.0.0"):
            with pytest.raises(CircusError, match="Address already in use") as caught:
                opened(made(type="SOCK_DGRAM", host=host, port=port))
            assert f"(pid {os.getpid()}) has it" in caught.value.hint
    groups = [
        made(type="SOCK_DGRAM", host="239.1.2.3", port=port),
        made(type="SOCK_DGRAM", port=port, so_reuseport=True),
    ]
    for each in groups:
        with opened(each), opened(each):
            pass


def test_a_section_is_named_whose_socket_is_in_the_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sockets = Sockets()
    sockets.want({"one": made(name="one", port=port), "two": made(name="two", host="localhost", port=port)})
    (error,) = sockets.settle()
    assert str(error) == (
        f"[socket:two] localhost:{port} cannot be opened: Address already in use"
        " ([socket:one] has it: choose another port)"
    )
    sockets.close()


def test_whoever_has_a_path_or_a_name_is_named(tmp_path: Path) -> None:
    for path in (str(tmp_path / "web.sock"), f"@circus-way-{os.getpid()}"):
        with opened(made(path=path)):
            with pytest.raises(CircusError, match="Address already in use") as caught:
                opened(made(path=path))
            assert f"(pid {os.getpid()}) has it: choose another path" in caught.value.hint
            assert ("replace = True" in caught.value.hint) == path.startswith("/")


@pytest.mark.covers("socket-option:replace")
def test_a_path_is_taken_from_somebody_with_a_warning(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    path = tmp_path / "web.sock"
    run = circusd(f"""
[socket:old]
path = {path}
replace = True
""")
    until(lambda: "circusd is up" in run.output())
    assert "is taken away" not in run.output()
    other = circusd(f"""
[socket:web]
path = {path}
replace = True
[watcher:web]
cmd = {server} $(circus.sockets.web)
copy_env = True
""")
    until(lambda: "circusd is up" in other.output())
    pid = run.process.pid
    assert f"[socket:web] {path} is taken away, as replace = True says: " in other.output()
    assert f"(pid {pid}) has it, and nobody reaches that any more" in other.output()
    call(run, "quit", waiting=True)
    assert run.process.wait(20) == 0
    # It was no longer the one of whoever ended.
    assert answer(str(path))


def test_a_file_that_is_replaced_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "web.sock"
    path.touch()
    with pytest.raises(CircusError, match="in use") as caught:
        opened(made(path=str(path)))
    assert caught.value.hint == (
        "something is there already that is no socket in use: take it away, or set replace = True"
    )
    with caplog.at_level(logging.WARNING), opened(made(path=str(path), replace=True)):
        assert "it was no socket in use" in caplog.text


def test_a_socket_goes_to_all_addresses_of_its_port_and_back(circusd: Callable[..., Circusd], server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def configuration(host: str) -> str:
        return f"""
[socket:web]
host = {host}
port = {port}
[watcher:web]
cmd = {server} $(circus.sockets.web)
copy_env = True
"""

    run = circusd(configuration("127.0.0.1"))
    until(lambda: "circusd is up" in run.output())
    before = pids(run, "web")
    run.configure(configuration("0.0.0.0"))
    call(run, "reloadconfig", waiting=True)
    assert listed(run)["web"]["host"] == "0.0.0.0"
    after = pids(run, "web")
    assert after != before
    assert answer(("127.0.0.2", port)).startswith(f"{after[0]} ")
    run.configure(configuration("127.0.0.1"))
    call(run, "reloadconfig", waiting=True)
    assert answer(("127.0.0.1", port)).startswith(f"{pids(run, 'web')[0]} ")
    with pytest.raises(ConnectionRefusedError):
        answer(("127.0.0.2", port))
    with socket.create_server(("127.0.0.2", port)):
        run.configure(configuration("0.0.0.0"))
        with pytest.raises(CircusError, match="Address already in use") as caught:
            call(run, "reloadconfig", waiting=True)
        assert f"(pid {os.getpid()})" in caught.value.hint
        assert answer(("127.0.0.1", port)).startswith(f"{pids(run, 'web')[0]} ")
    call(run, "reloadconfig", waiting=True)
    assert listed(run)["web"]["host"] == "0.0.0.0"


def test_nothing_is_left_of_what_let_two_stand_beside_each_other() -> None:
    sockets = Sockets()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for host, reuse in (("127.0.0.1", False), ("0.0.0.0", False), ("0.0.0.0", True), ("127.0.0.1", False)):
        sockets.want({"web": made(host=host, port=port, so_reuseport=reuse)})
        assert sockets.settle() == []
        (one,) = sockets.open()["web"].sockets
        assert one.getsockname() == (host, port)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == reuse
    sockets.close()


def test_a_port_for_root_has_several_ways_out() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if not first:
        pytest.skip("any user may have any port here")
    error = _refused(made(port=first - 1), PermissionError(errno.EACCES, "Permission denied"))
    assert error.hint.startswith(f"ports below {first} are for root: ")
    for way in ("socket unit", "CAP_NET_BIND_SERVICE", f"net.ipv4.ip_unprivileged_port_start = {first - 1}"):
        assert way in error.hint
