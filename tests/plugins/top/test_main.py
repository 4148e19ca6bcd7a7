"""circus-top at the command line, without a terminal: tables, JSON, and what it says when nothing can be shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import zmq

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

TOP = [sys.executable, "-m", "circus_plugins.top.main"]
CONFIGURATION = """
[watcher:web]
cmd = sleep 1000
numprocesses = 2
"""


def top(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CIRCUSCTL")}
    return subprocess.run([*TOP, *words], capture_output=True, text=True, timeout=60, env=environment)


def test_a_table(circusd: Callable[..., Circusd]) -> None:
    run = circusd(CONFIGURATION).up()
    done = top("--endpoint", run.endpoint, "--once")
    assert (done.returncode, done.stderr) == (0, "")
    head, columns, web, *processes = done.stdout.splitlines()
    assert head.startswith("1 watcher, 2 processes, cpu ")
    assert columns.startswith("NAME")
    assert web.split()[:3] == ["web", "active", "2/2"]
    assert [line.split()[:2] for line in processes] == [["1", "ready"], ["2", "ready"]]


def test_all_who_are_told_of_at_a_stats_endpoint(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/stats.sock"
    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        # It subscribes again before the socket that found somebody here is gone.
        publisher.setsockopt(zmq.XPUB_VERBOSE, 1)
        publisher.bind(endpoint)
        with subprocess.Popen([*TOP, "--endpoint", endpoint, "--once"], stdout=subprocess.PIPE, text=True) as going:
            assert going.stdout is not None
            # It finds out whether somebody publishes here, and then listens, from the middle of a round on.
            assert publisher.recv() == b"\x01stat."
            publish(publisher, "b")
            while publisher.recv() != b"\x01stat.":
                pass
            publish(publisher, "b", "circus", "a", "b", "circus")
            shown = going.communicate(timeout=30)[0]
    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["NAME", "a", "1", "b", "1"]


def publish(publisher: zmq.Socket[bytes], *names: str) -> None:
    for place, name in enumerate(names):
        if name != "circus":
            told = {"pid": 40 + ord(name), "wid": 1, "watcher": name, "cpu": 1.0, "rss": 9, "cmdline": "sh", "age": 1}
            publisher.send_multipart([f"stat.{name}.{told['pid']}".encode(), json.dumps(told).encode()])
        publisher.send_multipart([f"stat.{name}".encode(), json.dumps({"pid": [place], "cpu": 1.0, "rss": 9}).encode()])


def test_json_once_and_again_and_again(circusd: Callable[..., Circusd]) -> None:
    run = circusd(CONFIGURATION).up()
    (line,) = top("--endpoint", run.endpoint, "--once", "--json", "--filter", "we").stdout.splitlines()
    told = json.loads(line)
    assert told["circusd"]["pid"] == run.pid
    (web,) = told["watchers"]
    assert (web["name"], web["up"], web["numprocesses"]) == ("web", 2, 2)
    assert all(process["memory"] > 0 for process in web["processes"])
    with subprocess.Popen(
        [*TOP, "--endpoint", run.endpoint, "--json", "--interval", "0.1"], stdout=subprocess.PIPE, text=True
    ) as going:
        assert going.stdout is not None
        moments = [json.loads(going.stdout.readline())["at"] for _ in range(3)]
        # Whoever reads it has seen enough.
        going.stdout.close()
        assert going.wait(20) == 0
    assert moments == sorted(set(moments))


def test_nobody_answers(tmp_path: Path) -> None:
    done = top("--endpoint", f"ipc://{tmp_path}/none", "--once", "--interval", "0.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("circus-top: no answer from ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--endpoint", "nonsense"], "is not an endpoint"),
        (["--interval", "0"], "0 is not from 0.05 to 86400"),
        (["--interval", "soon"], "argument --interval: 'soon' is not a number of seconds"),
        (["--sort", "size"], "invalid choice"),
        (["--bogus"], "unrecognized arguments"),
    ],
)
def test_mistakes(words: list[str], said: str) -> None:
    done = top(*words, "--once")
    assert done.returncode == 2
    assert said in done.stderr


def test_without_textual_there_is_a_word_what_to_install() -> None:
    code = "import sys; sys.modules['textual'] = None; from circus_plugins.top import main as m; " + (
        "print(m._screen(None, None, None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "2\n"
    assert "pip install 'circus-bus[top]'" in done.stderr


def test_help_and_version() -> None:
    assert top("--version").stdout.startswith("circus-top ")
    assert "--process-timeout" in top("--help").stdout
