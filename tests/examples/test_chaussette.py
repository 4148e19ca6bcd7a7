"""The command line that Circus' own documentation has: `chaussette --fd $(circus.sockets.web)`."""

from __future__ import annotations

import os
import signal
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from circus_core.testing import until
from tests.examples.folder import EXAMPLES, port

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd


def test_chaussette_serves_at_a_socket_of_circusd(circusd: Callable[..., Circusd]) -> None:
    number = port()
    run = circusd(f"""
        [socket:web]
        host = 127.0.0.1
        port = {number}
        [watcher:web]
        cmd = {Path(sys.executable).with_name("chaussette")} --fd $(circus.sockets.web) app.app
        working_dir = {EXAMPLES / "gunicorn"}
        use_sockets = True
        copy_env = True
        numprocesses = 2
    """).up()

    def answer() -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/", timeout=20) as page:
            return int(page.read().split()[-1])

    def pids() -> set[int]:
        return set(run.call("list", name="web")["pids"])

    before = pids()
    assert answer() in before
    os.kill(before.pop(), signal.SIGKILL)
    until(lambda: len(pids()) == 2 and answer() in pids() - before)
    run.call("incr", name="web", waiting=True)
    run.call("reload", name="web", waiting=True)
    assert len(pids()) == 3
    assert answer() in pids()
    run.call("quit", waiting=True)
    assert run.wait() == 0
