"""`circusctl tail` with a circusd and real processes: what was said, what is being said, and mistakes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from circus_plugins.client import AsyncClient, Client
from tests.plugins.ctl.running import COMMAND, ROOT, Screen, circusctl, environment, plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGURATION = """\
[watcher:web]
cmd = sh -c 'echo "GET /$(circus.wid)"; echo "slow /$(circus.wid)" >&2; printf "POST /$(circus.wid)"; exec sleep 1000'
copy_env = True
numprocesses = 2
stdout_stream.filename = web.log
stderr_stream.filename = web.log
[watcher:echo]
cmd = cat {fifo}
copy_env = True
stdout_stream.filename = echo.log
[watcher:quiet]
cmd = sleep 1000
copy_env = True
recent_output = 0
stdout_stream.filename = quiet.log
[watcher:plain]
cmd = sleep 1000
"""


class Fifo:
    """What a test has the watcher `echo` say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDWR)

    def say(self, text: bytes) -> None:
        os.write(self._descriptor, text)

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    made = Fifo(tmp_path / "fifo")
    yield made
    made.close()


@pytest.fixture
def talking(tmp_path: Path, runtime_directory: Path, fifo: Fifo) -> Iterator[str]:
    """The endpoint of a circusd whose processes have said something."""
    file = tmp_path / "app.ini"
    file.write_text(CONFIGURATION.format(fifo=fifo.path))
    process = subprocess.Popen(
        [sys.executable, "-m", "circus_core.main", str(file)], env={**os.environ, "PYTHONPATH": ROOT}, cwd=tmp_path
    )
    try:
        endpoint = f"ipc://{runtime_directory}/circus/control.sock"
        with Client(endpoint, timeout=20) as client:
            for name in ("web", "echo", "quiet", "plain"):
                client.call("start", name=name, waiting=True)
            heard = client.output("web", follow=True)
            ready = {(line["wid"], line["line"]) for line in (next(heard) for _ in range(4))}
            assert ready == {(wid, text.format(wid)) for wid in (1, 2) for text in ("GET /{}", "slow /{}")}
            heard.close()
        yield endpoint
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.covers("command:tail")
def test_what_was_said_last(talking: str) -> None:
    done = circusctl("tail", "web", "-n", "20")
    assert sorted(done.stdout.splitlines()) == [
        "web/1 ! slow /1", "web/1 | GET /1", "web/1 | POST /1", "web/2 ! slow /2", "web/2 | GET /2", "web/2 | POST /2",
    ]  # fmt: skip
    assert circusctl("tail", "-n2", "web/2", "--no-prefix", "--stdout").stdout == "GET /2\nPOST /2\n"
    assert circusctl("tail", "w?b/1", "--stderr").stdout == "web/1 ! slow /1\n"
    assert circusctl("tail", "--grep", "^slow .2").stdout == "web/2 ! slow /2\n"
    assert circusctl("tail", "web", "--since", "1h", "--lines", "0").stdout == ""
    when, name = circusctl("tail", "web/1", "-t", "--stderr").stdout.split()[:2]
    assert (when[:2], name) == ("20", "web/1")
    line = json.loads(circusctl("tail", "web/1", "--stderr", "--json").stdout)
    assert (line["watcher"], line["wid"], line["channel"], line["line"]) == ("web", 1, "stderr", "slow /1")


@pytest.mark.covers("option:recent_output")
def test_mistakes_are_told(talking: str) -> None:
    for words, status, said in (
        (["plain"], 3, "error: the output of plain is not read: it goes where circusd's own goes\nset stdout_stream."),
        (["none"], 3, "error: program none not found"),
        (["quiet"], 3, "error: nothing is kept of the output of quiet\nits recent_output is 0\n"),
        (["web/7"], 3, "error: there is no process web/7\nthere is output of web/1, web/2\n"),
        (["web", "--grep", "("], 2, "error: --grep: '(' is no regular expression: "),
        (["web", "--since", "soon"], 2, "error: --since: 'soon' is no point in time\nexpected 90s, 5m, 2h or 1d\n"),
        (["web", "-n", "-3"], 2, "error: --lines: -3 is no number of lines"),
    ):
        done = circusctl("tail", *words)
        assert (done.returncode, done.stdout) == (status, ""), words
        assert done.stderr.startswith(said), done.stderr
    with Client(talking) as client, pytest.raises(Exception, match="after: 'x' is no process"):
        client.call("tail", after="x")


def test_what_is_being_said(talking: str, fifo: Fifo) -> None:
    with _tail("echo", "-f") as process:
        assert process.stdout is not None
        fifo.say(b"one\nhal")
        assert process.stdout.readline() == b"echo/1 | one\n"
        fifo.say(b"f\n\xff\xfe\n")
        assert process.stdout.readline() == b"echo/1 | half\n"
        assert process.stdout.readline() == b"echo/1 | \xff\xfe\n"
        circusctl("restart", "echo", "--waiting")
        fifo.say(b"another process\n")
        assert process.stdout.readline() == b"echo/1 | another process\n"
        process.terminate()


def test_a_watcher_that_comes_later_is_followed_too(talking: str, tmp_path: Path) -> None:
    with _tail("w*", "-f", "--grep", "slow|hello", "--stderr") as process:
        assert process.stdout is not None
        assert {process.stdout.readline() for _ in range(2)} == {b"web/1 ! slow /1\n", b"web/2 ! slow /2\n"}
        options = f"stderr_stream.filename={tmp_path / 'new.log'}"
        cmd = ["sh", "-c", "echo hello >&2; exec sleep 1000"]
        assert (
            circusctl("add", "--options", "copy_env=true", "--options", options, "--start", "wnew", *cmd).returncode
            == 0
        )
        assert process.stdout.readline() == b"wnew/1 ! hello\n"
        circusctl("rm", "wnew", "--waiting")
        assert (
            circusctl("add", "--options", "copy_env=true", "--options", options, "--start", "wnew", *cmd).returncode
            == 0
        )
        assert process.stdout.readline() == b"wnew/1 ! hello\n"
        process.terminate()


def test_a_terminal_gets_colours_and_nothing_that_steers_it(talking: str, fifo: Fifo) -> None:
    fifo.say(b"\x1b[32mgreen\x1b[0m \x1b]0;title\x07 \x1b[2J\tend\n")
    with Screen("tail", "echo", "-f", "--time", endpoint=talking) as screen:
        screen.until("end")
        assert "\x1b[32mgreen" in screen.seen
        assert "\x1b[36mecho/1\x1b[0m" in screen.seen
        assert "\x1b]0" not in screen.seen
        assert "\x1b[2J" not in screen.seen
        fifo.say(b"more\n")
        assert "echo/1 | more" in plain(screen.until("more"))
        screen.type("\x03")
        assert screen.finish()[0] == 130
        assert "Interrupted" not in screen.seen
    with Screen("tail", "web", "--grep", "slow", endpoint=talking) as screen:
        assert "web/1 ! slow /1" in plain(screen.until("slow /2"))
        assert "\x1b[1;31mslow\x1b[0m" in screen.seen


def test_the_async_client_has_the_same(talking: str, fifo: Fifo) -> None:
    async def main() -> None:
        async with AsyncClient(talking) as client:
            assert len([line async for line in client.output("web", lines=1)]) == 1
            heard = client.output("echo", follow=True)
            fifo.say(b"hello\n")
            assert (await anext(heard))["line"] == "hello"
            further = asyncio.ensure_future(anext(heard, None))
            await asyncio.sleep(0)
            client.close()
            assert await further is None

    asyncio.run(main())


def _tail(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, "tail", *words], env=environment(), stdout=subprocess.PIPE)
