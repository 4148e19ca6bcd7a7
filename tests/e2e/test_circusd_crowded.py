"""More clients than circusd has descriptors for: they are turned away, and everything else goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from circus_core.testing import alive, until
from circus_plugins.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from circus_core.testing import Circusd

CONFIGURATION = """
[watcher:app]
cmd = sleep 1000
"""
LIMIT = 128


@pytest.fixture
def poor(circusd: Callable[..., Circusd]) -> Iterator[Circusd]:
    """A circusd that may have few descriptors."""
    run = circusd(CONFIGURATION).up()
    hard = resource.prlimit(run.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (LIMIT, hard))
    return run


def connected(path: str, stack: contextlib.ExitStack) -> socket.socket:
    made = stack.enter_context(socket.socket(socket.AF_UNIX))
    made.connect(path)
    return made


def cut_off(connection: socket.socket) -> bool:
    """Whether circusd has ended a connection, after the greeting with which ZMQ begins each."""
    connection.setblocking(False)
    try:
        while connection.recv(1024):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


@pytest.mark.parametrize("door", ["endpoint", "pubsub_endpoint"])
def test_too_many_clients_are_turned_away_and_nothing_else_suffers(poor: Circusd, door: str) -> None:
    path = getattr(poor, door).removeprefix("ipc://")
    (worker,) = poor.call("list", name="app")["pids"]
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(Client(poor.endpoint, timeout=20))
        client.call("status")
        many = []
        for _ in range(2 * LIMIT):
            many.append(connected(path, stack))
            # As many at a time as a queue of connections holds, and not faster than one process can take them in.
            if len(many) % 16 == 0:
                client.call("status")
        until(lambda: sum(map(cut_off, many)) > LIMIT)
        assert f"{door}: {LIMIT // 4} clients are connected, and more are turned away" in poor.output()
        # Who is within is served, and there are descriptors left for a spawn.
        os.kill(worker, signal.SIGKILL)
        until(lambda: client.call("list", name="app")["pids"] not in ([], [worker]))
    # And when they have gone, others come in.
    pids = poor.call("list", name="app")["pids"]
    assert all(map(alive, pids))
    assert len(pids) == 1
    assert poor.process.poll() is None
