"""What waits at a socket, as the kernel tells it, and as `listsockets` and `status` show it."""

from __future__ import annotations

import re
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from circus_plugins.sockets.binding import opened
from circus_plugins.sockets.held import Held, Sockets
from circus_plugins.sockets.listing import address, trouble
from circus_plugins.sockets.listing import listed as rows
from circus_plugins.sockets.queues import Queue, measured
from tests.plugins.sockets.serving import call, listed, made

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd


def trying(address: Any, number: int) -> list[socket.socket]:
    """Clients that do not wait to be connected."""
    clients = [socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) for _ in range(number)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(address)
    return clients


def test_connections_and_datagrams(tmp_path: Path) -> None:
    with (
        opened(made(backlog=5)) as tcp,
        opened(made(backlog=7, path=str(tmp_path / "unix"))) as unix,
        opened(made(type="SOCK_DGRAM")) as udp,
        opened(made(type="SOCK_DGRAM", path=str(tmp_path / "datagrams"))) as local,
        opened(made(backlog=5, host="::1", family="AF_INET6")) as six,
    ):
        sockets = [tcp, unix, udp, local, six]
        empty = measured(sockets)
        assert empty[:2] == [Queue(0, 5, 0), Queue(0, 7, None)]
        assert (empty[2].waiting, empty[2].dropped, empty[3]) == (0, 0, Queue())
        assert empty[4] == Queue(0, 5, 0)
        clients = trying(tcp.getsockname(), 3) + trying(unix.getsockname(), 4)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x" * 100, udp.getsockname())
        found = measured(sockets)
        assert [each.waiting for each in found[:2]] == [3, 4]
        assert found[2].waiting is not None
        assert found[2].waiting >= 100
        assert not any(each.full for each in found)
        clients += trying(tcp.getsockname(), 20) + trying(unix.getsockname(), 20)
        tcp_queue, unix_queue = measured(sockets)[:2]
        assert (tcp_queue.full, tcp_queue.waiting, unix_queue.full, unix_queue.waiting) == (True, 6, True, 8)
        assert tcp_queue.dropped
        said = trouble({"web": Held(made(), tcp)}, ["web"])
        where = re.escape(address(tcp))
        assert re.fullmatch(
            rf"{where} is full: 6 wait, and more are turned away; \d+ attempts to connect, some by clients that try"
            rf" again, were turned away at {where} since it was opened",
            said,
        )
        for client in clients:
            client.close()


def test_those_of_a_group_are_listed_together() -> None:
    sockets = Sockets()
    sockets.want({"group": made(name="group", so_reuseport=True), "other": made(name="other")})
    assert sockets.settle() == []
    for wid in range(3):
        sockets.get("group").take(("w", wid), lambda: 3)
    found = rows(sockets.open(), {"other": ["w"]})
    assert [row["name"] for row in found] == ["group", "group", "group", "other"]
    assert [row["fd"] for row in found] != sorted(row["fd"] for row in found)
    sockets.close()


@pytest.mark.covers("command:listsockets")
def test_they_are_listed_with_who_uses_them(circusd: Callable[..., Circusd], tmp_path: Path) -> None:
    run = circusd(f"""
[socket:web]
host = 127.0.0.1
port = 0
backlog = 1000000
[socket:api]
path = {tmp_path}/api.sock
backlog = 2
[socket:log]
host = 127.0.0.1
port = 0
type = SOCK_DGRAM
[watcher:both]
cmd = sleep $(circus.sockets.web) $(circus.sockets.api) 1000
[watcher:All]
cmd = sleep 1000
use_sockets = True
""").up()
    sockets = listed(run)
    assert {name: entry["watchers"] for name, entry in sockets.items()} == {
        "web": ["All", "both"], "api": ["All", "both"], "log": ["All"],
    }  # fmt: skip
    most = int(Path("/proc/sys/net/core/somaxconn").read_text())
    assert (sockets["web"]["backlog"], sockets["web"]["limit"]) == (1_000_000, most)
    assert (sockets["log"]["listens"], sockets["log"]["waiting"], sockets["log"]["dropped"]) == (False, 0, 0)
    clients = trying(("127.0.0.1", sockets["web"]["port"]), 3) + trying(sockets["api"]["path"], 9)
    sockets = listed(run)
    assert (sockets["web"]["waiting"], sockets["api"]["waiting"], sockets["api"]["limit"]) == (3, 3, 2)
    table = subprocess.run(
        [sys.executable, "-m", "circus_plugins.ctl.main", "--endpoint", run.endpoint, "listsockets"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f"socket 'api' at {tmp_path}/api.sock" in table, "in a pipe it is as Circus has it"
    facts = call(run, "status", name="both", extended=True)["details"]["both"]["facts"]
    assert facts == {"queue": f"{tmp_path}/api.sock is full: 3 wait, and more are turned away"}
    for client in clients:
        client.close()


def test_more_sockets_than_the_soft_limit_allows(circusd: Callable[..., Circusd]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = 300
    sections = "".join(f"[socket:s{each}]\nhost = 127.0.0.1\nport = 0\n" for each in range(number))
    watchers = "[watcher:last]\ncmd = sleep 1000\nuse_sockets = True\n"
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        run = circusd(sections + watchers)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    run.up()
    assert len(listed(run)) == number
    assert call(run, "status")["statuses"] == {"last": "active"}


def test_more_sockets_than_may_be_had(circusd: Callable[..., Circusd], tmp_path: Path) -> None:
    number = 300
    sections = "".join(f"[socket:s{each}]\nhost = 127.0.0.1\nport = 0\n" for each in range(number))
    watchers = (
        "[watcher:first]\ncmd = sleep 1000\nstdin_socket = s0\n[watcher:last]\ncmd = sleep 1000\nstdin_socket = s299\n"
    )
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nulimit -n 256\nexec {sys.executable} "$@"\n')
    limited.chmod(0o755)
    run = circusd(sections + watchers, python=str(limited)).up()
    assert call(run, "status")["statuses"] == {"first": "active", "last": "stopped"}
    assert 50 < len(listed(run)) < 256
    said = "[socket:s299] 127.0.0.1:0 cannot be opened: Too many open files (circusd may open 256 files, half of them"
    assert said in run.output()
