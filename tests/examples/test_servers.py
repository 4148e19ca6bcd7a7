"""Each example with its real server, under load, through all that its user does: no request may fail.

But for a SIGKILL, which takes with it what the process had in hand, and nothing that came later.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from circus_core.testing import PATIENCE, until
from tests.benchmarks.asking import Answers, asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.examples.folder import Example

SERVERS = {
    # The example, the port that it names, the watcher that serves.
    "asyncio": (8000, "web"),
    "gunicorn": (8000, "web"),
    "uvicorn": (8000, "web"),
    "nginx": (8080, "app"),
}
ROUNDS = 2
SOME = 50  # answers between two things that are done to a server
CLIENTS = 8
PAUSE = 0.01  # seconds between two requests of a client, so that the servers have some of the machine too

every_server = pytest.mark.parametrize("name", SERVERS)


def kill(pid: int) -> tuple[float, float]:
    """SIGKILL a process; between which times it died, in s of CLOCK_MONOTONIC."""
    descriptor = os.pidfd_open(pid)
    try:
        before = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        assert select.select([descriptor], [], [], PATIENCE)[0]
        return before, time.monotonic()
    finally:
        os.close(descriptor)


def go_on(answers: Answers) -> None:
    """Wait for some more answers."""
    before = answers.answered
    until(lambda: answers.answered >= before + SOME, "answers")


def served(answers: Answers) -> int:
    """By how many processes."""
    return len(answers.by)


@every_server
def test_nobody_who_asks_notices_what_is_done(example: Callable[..., Example], name: str) -> None:
    port, watcher = SERVERS[name]
    run = example(name, port)
    with asked(run.address, CLIENTS, pause=PAUSE) as answers:
        go_on(answers)
        for parallel in range(1, ROUNDS + 1):
            old = run.pids(watcher)
            run.ctl("reload", watcher, "--parallel", str(parallel), "--waiting")
            assert not set(old) & set(run.pids(watcher))
            go_on(answers)
        for _ in range(ROUNDS):
            run.ctl("incr", watcher, "2", "--waiting")
            go_on(answers)
            run.ctl("decr", watcher, "3", "--waiting")
            run.ctl("incr", watcher, "--waiting")
        run.ctl("reload", watcher, "--sequential", "--waiting")
        go_on(answers)
    assert [str(failure) for failure in answers.failures] == [], run.said()
    assert served(answers) > 2 * ROUNDS
    run.quit()


@every_server
def test_a_kill_takes_only_what_the_process_had_in_hand(example: Callable[..., Example], name: str) -> None:
    port, watcher = SERVERS[name]
    run = example(name, port)
    deaths = []
    with asked(run.address, CLIENTS, pause=PAUSE) as answers:
        for _ in range(ROUNDS):
            go_on(answers)
            victim = run.pids(watcher)[0]
            deaths.append(kill(victim))
            until(lambda victim=victim: len(pids := run.pids(watcher)) == 2 and victim not in pids, "a successor")
    for failure in answers.failures:
        assert any(failure.began < dead and failure.ended > sent for sent, dead in deaths), failure
    run.quit()


@every_server
def test_nothing_is_left_over(example: Callable[..., Example], name: str) -> None:
    port, watcher = SERVERS[name]
    run = example(name, port)
    with asked(run.address, 1, pause=PAUSE) as answers:
        go_on(answers)
    run.ctl("reloadconfig", "--waiting")
    assert len(run.pids(watcher)) == 2
    run.quit()
    assert set(os.listdir(run.folder)) - {"__pycache__", "temporary"} == run.files
    with pytest.raises(ConnectionRefusedError), socket.create_connection(run.address):
        pass


def test_nginx_reloads_itself(example: Callable[..., Example]) -> None:
    run = example("nginx", 8080)
    with asked(run.address, CLIENTS, keep=True, pause=PAUSE) as answers:
        go_on(answers)
        master = run.pids("nginx")
        for _ in range(ROUNDS):
            run.ctl("reload", "nginx", "--waiting")
            run.ctl("reload", "app", "--waiting")
            go_on(answers)
        assert run.pids("nginx") == master
    assert [str(failure) for failure in answers.failures] == [], run.said()
    run.quit()


def test_datagrams_are_answered_throughout(example: Callable[..., Example]) -> None:
    run = example("udp", 8001)
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect(run.address)

        def ask(number: int) -> None:
            client.send(b"abc %d" % number)
            assert client.recv(100) == b"ABC %d" % number

        number = 0
        for command in (["reload", "upper"], ["incr", "upper", "2"], ["decr", "upper", "3"], ["reload", "upper"]):
            for _ in range(SOME):
                ask(number := number + 1)
            run.ctl(*command, "--waiting")
        # What came while nobody was there waits for the next process.
        run.ctl("stop", "upper", "--waiting")
        client.send(b"early")
        run.ctl("start", "upper", "--waiting")
        assert client.recv(100) == b"EARLY"
        kill(run.pids("upper")[0])
        ask(number + 1)
    run.quit()
