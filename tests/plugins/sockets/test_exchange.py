"""A socket that is exchanged while processes use it: when the one before is let go, and that it can be had back."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from tests.plugins.sockets.serving import answer, call, descriptors, listed, pids

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

DRAINS = """\
import os, signal, socket, sys, time
server = socket.socket(fileno=int(sys.argv[1]))
def drain(*_):
    server.close()
    open(sys.argv[2], "w").close()
    while not os.path.exists(sys.argv[3]):
        time.sleep(0.01)
    os._exit(0)
signal.signal(signal.SIGTERM, drain)
server.setblocking(True)
while True:
    client, _ = server.accept()
    client.sendall(str(os.getpid()).encode())
    client.close()
"""


def free_ports(number: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in taken]
    for each in taken:
        each.close()
    return ports


def configuration(server: str, where: str) -> str:
    return f"""
[socket:web]
{where}
[watcher:web]
cmd = {server} $(circus.sockets.web)
copy_env = True
numprocesses = 2
ready = accepting
"""


def place(kind: str, tmp_path: Path) -> list[tuple[str, Any]]:
    """Two places, as a section has them and as clients do."""
    if kind == "path":
        return [(f"path = {tmp_path}/{name}", f"{tmp_path}/{name}") for name in ("one", "two")]
    return [(f"host = 127.0.0.1\nport = {port}", ("127.0.0.1", port)) for port in free_ports(2)]


@pytest.mark.parametrize("kind", ["path", "port"])
def test_one_that_fails_can_be_taken_back(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path, kind: str
) -> None:
    (one, at), (two, other) = place(kind, tmp_path)
    run = circusd(configuration(server, one)).up()
    before, fd = pids(run, "web"), listed(run)["web"]["fd"]
    program = tmp_path / "server.py"
    text = program.read_text()
    program.write_text("raise SystemExit(1)")
    run.configure(configuration(server, two))
    with pytest.raises(CircusError, match="web was not reloaded"):
        call(run, "reloadconfig", waiting=True)
    assert pids(run, "web") == before
    assert int(answer(at).split()[0]) in before, "they go on where they were"
    program.write_text(text)
    run.configure(configuration(server, one))
    call(run, "reloadconfig", waiting=True)
    assert listed(run)["web"]["fd"] == fd
    after = pids(run, "web")
    assert set(after).isdisjoint(before)
    assert int(answer(at).split()[0]) in after
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        answer(other)
    assert call(run, "reloadconfig", plan=True)["plan"] == []


@pytest.mark.parametrize("kind", ["path", "port"])
def test_nothing_is_kept_once_all_came_over(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path, kind: str
) -> None:
    (one, at), (two, other) = place(kind, tmp_path)
    run = circusd(configuration(server, one)).up()
    for where, old, new in ((two, at, other), (one, other, at)):
        held = descriptors(run.process.pid)[listed(run)["web"]["fd"]]
        run.configure(configuration(server, where))
        call(run, "reloadconfig", waiting=True)
        assert int(answer(new).split()[0]) in pids(run, "web")
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            answer(old)
        assert held not in descriptors(run.process.pid).values()
    assert kind == "port" or not os.path.exists(other)


def test_nobody_waits_where_those_before_only_finish_what_they_have(
    circusd: Callable[..., Circusd], tmp_path: Path
) -> None:
    (one, at), (two, other) = place("port", tmp_path)
    program, drains, go = tmp_path / "drains.py", tmp_path / "drains", tmp_path / "go"
    program.write_text(DRAINS)
    words = (
        f"[watcher:web]\ncmd = python3 {program} $(circus.sockets.web) {drains} {go}\ncopy_env = True\n"
        "ready = accepting\ngraceful_timeout = 60\n"
    )
    run = circusd(f"[socket:web]\n{one}\n{words}").up()
    assert answer(at)
    run.configure(f"[socket:web]\n{two}\n{words}")
    call(run, "reloadconfig")
    until(drains.exists)
    with pytest.raises(ConnectionRefusedError):
        answer(at)
    assert answer(other)
    go.touch()
    until(lambda: len(pids(run, "web")) == 1)


def test_one_that_nobody_uses_is_let_go_at_once(circusd: Callable[..., Circusd], tmp_path: Path) -> None:
    (one, at), (two, other) = place("path", tmp_path)
    run = circusd(f"[socket:web]\n{one}\n").up()
    run.configure(f"[socket:web]\n{two}\n")
    call(run, "reloadconfig", waiting=True)
    assert (os.path.exists(at), os.path.exists(other)) == (False, True)
    call(run, "quit", waiting=True)
    assert run.process.wait(20) == 0
    assert not os.path.exists(other)


def test_all_paths_are_gone_at_the_end(circusd: Callable[..., Circusd], server: str, tmp_path: Path) -> None:
    (one, at), (two, other) = place("path", tmp_path)
    run = circusd(configuration(server, one)).up()
    (tmp_path / "server.py").write_text("raise SystemExit(1)")
    run.configure(configuration(server, two))
    with pytest.raises(CircusError, match="web was not reloaded"):
        call(run, "reloadconfig", waiting=True)
    assert (os.path.exists(at), os.path.exists(other)) == (True, True)
    call(run, "quit", waiting=True)
    assert run.process.wait(20) == 0
    assert (os.path.exists(at), os.path.exists(other)) == (False, False)


def test_a_start_that_exchanges_it_has_the_others_come_over(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    (one, at), (two, other) = place("port", tmp_path)
    idle = f"[watcher:idle]\ncmd = {server} $(circus.sockets.web)\ncopy_env = True\nautostart = False\n"
    run = circusd(configuration(server, one) + idle).up()
    before = pids(run, "web")
    run.configure(configuration(server, two) + idle)
    with socket.create_server(other), pytest.raises(CircusError, match="Address already in use"):
        call(run, "reloadconfig", waiting=True)
    call(run, "start", name="idle", waiting=True)
    until(lambda: len(pids(run, "web")) == 2 and set(pids(run, "web")).isdisjoint(before))
    assert answer(other)
    with pytest.raises(ConnectionRefusedError):
        answer(at)
