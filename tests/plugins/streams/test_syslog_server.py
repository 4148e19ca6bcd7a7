"""SyslogStream with processes, and with a syslog server that others wrote: rsyslogd, by its own configuration."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import until
from circus_plugins.streams import Streams
from tests.plugins.streams.servers import counted, listening, parsed
from tests.plugins.streams.test_streams import comes, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RSYSLOGD = shutil.which("rsyslogd") or "/usr/sbin/rsyslogd"
RULES = """
global(workDirectory="{folder}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
main_queue(queue.type="LinkedList" queue.workerThreads="1")
module(load="imtcp")
module(load="imudp")
module(load="imuxsock" sysSock.use="off")
template(name="parts" type="string"
  string="%pri%|%hostname%|%app-name%|%procid%|%msgid%|%structured-data%|%msg:::drop-last-lf%\\n")
ruleset(name="keep") {{ action(type="omfile" file="{folder}/kept" template="parts") }}
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{folder}/port" ruleset="keep")
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="keep")
input(type="imuxsock" socket="{folder}/log" usePidFromSystem="off" ruleset="keep")
"""


class Rsyslog:
    """A syslog server of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.udp = free.getsockname()[1]
        (folder / "rules").write_text(RULES.format(folder=folder, port=self.udp))
        words = [RSYSLOGD, "-n", "-f", str(folder / "rules"), "-i", str(folder / "pid")]
        self.running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: (folder / "port").exists() and (folder / "port").read_text() and (folder / "log").exists())
        self.tcp = int((folder / "port").read_text())

    def kept(self) -> list[list[str]]:
        """The parts of each message so far."""
        path = self.folder / "kept"
        text = path.read_text() if path.exists() else ""
        return [line.split("|") for line in text.split("\n")[:-1]]


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    if not os.path.exists(RSYSLOGD):
        pytest.skip("rsyslogd is not installed")
    server = Rsyslog(tmp_path)
    yield server
    server.running.terminate()
    server.running.wait()


SAYS = "sh -c 'echo one; sleep 0.05; printf \"\\tbad ä\\n\" >&2; sleep 0.05; printf last; kill -9 $$'"


@pytest.mark.parametrize("transport", ["tcp", "newline", "udp", "unix"])
async def test_rsyslog_understands_each_line_until_the_last_word_of_one_that_is_killed(
    supervise: Any, rsyslog: Rsyslog, transport: str
) -> None:
    options = {
        "tcp": {"address": f"tcp://127.0.0.1:{rsyslog.tcp}", "enterprise_number": 32473},
        "newline": {"address": f"tcp://127.0.0.1:{rsyslog.tcp}", "framing": "newline"},
        "udp": {"address": f"udp://127.0.0.1:{rsyslog.udp}"},
        "unix": {"address": f"unix://{rsyslog.folder}/log"},
    }[transport]
    given = {
        f"{channel}__{key}": value
        for channel in ("stdout", "stderr")
        for key, value in {"class": "SyslogStream", **options}.items()
    }
    one = streamed("one", SAYS, respawn=False, **given)
    async with supervise(one, plugins={"streams": Streams()}) as run:
        exited = await run.events.wait_for("process_exited", watcher="one")
        await comes(lambda: len(rsyslog.kept()) == 3)
    host = socket.gethostname()
    found = {message[-1].removeprefix(" "): message[:-1] for message in rsyslog.kept()}
    assert list(found) == ["one", "\tbad ä", "last"]
    for text, channel, priority in (("one", "stdout", 30), ("\tbad ä", "stderr", 27), ("last", "stdout", 30)):
        data = f'[circus@32473 watcher="one" wid="1" channel="{channel}"' if transport == "tcp" else "-"
        number, name, app, pid, sort, structured = found[text]
        assert (number, name.lower(), app, pid) == (str(priority), host.lower(), "one", str(exited.pid))
        assert sort == ("-" if transport == "unix" else channel)
        assert structured.startswith(data)


async def test_rsyslog_gets_all_of_a_flood_by_tcp(supervise: Any, rsyslog: Rsyslog) -> None:
    one = streamed(
        "one", "sh -c 'seq 1 100000; exec sleep 1000'", stdout__class="SyslogStream",
        stdout__address=f"tcp://127.0.0.1:{rsyslog.tcp}",
    )  # fmt: skip
    kept = rsyslog.folder / "kept"
    async with supervise(one, plugins={"streams": Streams()}) as run:
        await comes(lambda: kept.exists() and kept.read_bytes().endswith(b"|100000\n"))
        assert not run.events.named("output_lost")
    assert [int(message[-1]) for message in rsyslog.kept()] == list(range(1, 100_001))


async def test_watchers_share_a_connection_and_set_sends_output_elsewhere(supervise: Any) -> None:
    async with listening() as first, listening() as second:
        counting = "sh -c 'n=0; while true; do n=$((n+1)); echo $n; sleep 0.01; done'"
        given = {"stdout__class": "SyslogStream", "stdout__address": f"tcp://127.0.0.1:{first.port}"}
        plugins = {"streams": Streams()}
        async with supervise(
            streamed("one", counting, **given), streamed("two", counting, **given), plugins=plugins
        ) as run:
            await comes(lambda: b" one " in first.all() and b" two " in first.all())
            assert len(first.said) == 1
            pids = run.pids("one")
            options = {"stdout_stream.address": f"tcp://127.0.0.1:{second.port}"}
            await run.call("set", name="one", options=options)
            await comes(lambda: b" one " in second.all())
            assert run.pids("one") == pids
            await run.call("stop", waiting=True)
            await asyncio.sleep(0)
        await comes(lambda: not first._open and not second._open)
    one = [
        int(message.text)
        for said in (first, second)
        for message in map(parsed, counted(said.all()))
        if message.app == "one"
    ]
    assert one == list(range(1, len(one) + 1))


async def test_each_process_may_have_a_name_of_its_own(supervise: Any) -> None:
    async with listening() as server:
        one = streamed(
            "one", "sh -c 'echo up; exec sleep 1000'", numprocesses=2, env={"HOST": "127.0.0.1"},
            stdout__class="SyslogStream", stdout__address=f"tcp://$(circus.env.host):{server.port}",
            stdout__app_name="$(circus.name)-$(circus.wid)",
        )  # fmt: skip
        async with supervise(one, plugins={"streams": Streams()}):
            await comes(lambda: b" one-1 " in server.all() and b" one-2 " in server.all())


async def test_a_server_that_is_absent_neither_keeps_a_process_from_starting_nor_stops_it(
    supervise: Any, tmp_path: Path
) -> None:
    one = streamed(
        "one", "sh -c 'echo one; echo two; exec sleep 1000'", stdout__class="SyslogStream",
        stdout__address=f"unix://{tmp_path}/log", stdout__max_wait=0.05,
    )  # fmt: skip
    async with supervise(one, plugins={"streams": Streams()}) as run:
        lost = await run.events.wait_for("output_lost", watcher="one")
        assert (lost.sink, lost.error) == (f"unix://{tmp_path}/log", "No such file or directory")
        await comes(lambda: run.supervisor.watcher("one").slots.processes())
        facts = (await run.call("status", name="one", extended=True))["details"]["one"]["facts"]
        assert facts["output lost"] == f"8 bytes, unix://{tmp_path}/log: No such file or directory"


MISTAKES = [
    ("stdout_stream.address = loghost:514", "stdout_stream.address: 'loghost:514' isn't the address of a server"),
    ("stdout_stream.facility = demon", "stdout_stream.facility: 'demon' isn't a facility (did you mean daemon?)"),
    ("stdout_stream.severity = fatal", "stdout_stream.severity: 'fatal' isn't a severity"),
    (
        "stdout_stream.address = udp://h\nstdout_stream.max_length = 100000",
        "stdout_stream.max_length: is more than a datagram can have",
    ),
    ("stdout_stream.address = udp://h\nstdout_stream.framing = newline", "stdout_stream.framing: is for tcp"),
]


@pytest.mark.parametrize(("written", "told"), MISTAKES)
def test_a_mistake_is_told_with_its_line(circusd: Any, written: str, told: str) -> None:
    daemon = circusd(f"[watcher:one]\ncmd = sleep 1000\nstdout_stream.class = SyslogStream\n{written}\n", "--check")
    assert daemon.wait() == 2
    line = 7 + written.count("\n")
    assert f"circus.ini:{line}: [watcher:one] {told}" in daemon.output()


@pytest.mark.parametrize(("word", "what"), [("SyslogStream", "server"), ("JournaldStream", "journal")])
def test_a_socket_that_is_not_there_is_a_warning(circusd: Any, tmp_path: Path, word: str, what: str) -> None:
    written = f"stdout_stream.class = {word}\nstdout_stream.address = unix://{tmp_path}/no"
    daemon = circusd(f"[watcher:one]\ncmd = sleep 1000\n{written}\n", "--check")
    assert daemon.wait() == 0
    told = f"stdout_stream.address: there is no {what} at {tmp_path}/no now: No such file or directory"
    assert f"circus.ini:7: [watcher:one] {told}" in daemon.output()
