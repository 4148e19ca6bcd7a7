"""Circus' own clients drive our circusd: its CircusClient, its AsyncCircusClient and its circusctl, with every command.

The expected replies and outputs are those of PROTOCOL.md 1.5 and 8.1.
"""

from __future__ import annotations

import re
import select
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.testing import Circusd, until
from tests.plugins import circus019
from tests.plugins.circus019 import Driver, circusctl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIGURATION = """
    [circus]
    check_delay = 5
    [watcher:One]
    cmd = sleep
    args = 1000
    numprocesses = 2
    copy_env = True
    graceful_timeout = 5
    [watcher:late]
    cmd = sleep 1000
    autostart = False
    copy_env = True
    graceful_timeout = 5
"""
OPTIONS = {
    "numprocesses", "warmup_delay", "working_dir", "uid", "gid", "send_hup", "stop_signal", "stop_children",
    "shell", "shell_args", "env", "max_retry", "cmd", "args", "respawn", "graceful_timeout", "executable",
    "priority", "copy_env", "singleton", "max_age", "max_age_variance", "close_child_stdin", "close_child_stdout",
    "close_child_stderr",
}  # fmt: skip
"""What `options` always has (PROTOCOL.md 1.6), but for streams and sockets, which later plugins declare."""


@pytest.fixture(scope="session")
def circus() -> Path:
    try:
        return circus019.install()
    except circus019.NoIndexError as error:
        pytest.skip(f"{circus019.REQUIREMENT} is not installed here and no package index can be reached: {error}")


@pytest.fixture
def daemon(circusd: Callable[..., Circusd]) -> Circusd:
    started = circusd(CONFIGURATION)
    started.call("status")
    until(lambda: started.call("status", name="one")["status"] == "active")
    return started


@pytest.fixture
def ask(circus: Path, daemon: Circusd, request: pytest.FixtureRequest) -> Iterator[Callable[..., dict[str, Any]]]:
    with Driver(circus) as driver:
        yield lambda command, **properties: driver.ask(request.param, daemon.endpoint, command, **properties)


@pytest.fixture
def ctl(circus: Path, daemon: Circusd) -> Callable[..., tuple[int, str, str]]:
    return lambda *words: circusctl(circus, "--endpoint", daemon.endpoint, *words)


both = pytest.mark.parametrize("ask", ["CircusClient", "AsyncCircusClient"], indirect=True)


def fields(reply: dict[str, Any]) -> dict[str, Any]:
    """A reply's own fields; the others must be there too."""
    assert isinstance(reply.pop("time"), float)
    assert re.fullmatch("[0-9a-f]{32}", reply.pop("id"))
    return reply


def refused(reply: dict[str, Any]) -> tuple[int, str]:
    assert fields(reply)["status"] == "error"
    assert reply["tb"] is None
    return reply["errno"], reply["reason"]


@both
def test_commands_that_look(ask: Callable[..., dict[str, Any]]) -> None:
    assert fields(ask("list")) == {"status": "ok", "watchers": ["late", "one"]}
    pids = fields(ask("list", name="ONE"))["pids"]
    assert len(pids) == 2
    assert fields(ask("status")) == {"status": "ok", "statuses": {"One": "active", "late": "stopped"}}
    assert fields(ask("status", name="one")) == {"status": "active"}
    assert fields(ask("numwatchers")) == {"status": "ok", "numwatchers": 2}
    assert fields(ask("numprocesses")) == {"status": "ok", "numprocesses": 2}
    assert fields(ask("numprocesses", name="oNe")) == {"status": "ok", "numprocesses": 2, "watcher_name": "oNe"}
    options = fields(ask("options", name="one"))["options"]
    assert options.keys() >= OPTIONS
    assert (options["numprocesses"], options["cmd"], options["args"], options["stop_signal"]) == (
        2,
        "sleep",
        "1000",
        15,
    )
    assert fields(ask("get", name="one", keys=["numprocesses", "cmd"])) == {
        "status": "ok", "options": {"numprocesses": 2, "cmd": "sleep"},
    }  # fmt: skip
    globals_ = fields(ask("globaloptions"))["options"]
    assert globals_.keys() == {"endpoint", "stats_endpoint", "pubsub_endpoint", "check_delay", "multicast_endpoint"}
    assert fields(ask("globaloptions", option="check_delay"))["options"] == {"check_delay": 5.0}
    assert fields(ask("ipython"))["shell"] is False
    infos = fields(ask("stats"))["infos"]
    assert (list(infos), sorted(map(int, infos["One"]))) == (["One", "late"], sorted(pids))
    assert fields(ask("stats", name="one"))["info"].keys() == infos["One"].keys()
    assert fields(ask("stats", name="one", process=pids[0], extended=True))["info"]["pid"] == pids[0]
    assert {child["pid"] for child in fields(ask("dstats"))["info"]["children"]} == set(pids)


@both
def test_commands_that_change(ask: Callable[..., dict[str, Any]]) -> None:
    pids = ask("list", name="one")["pids"]
    assert fields(ask("incr", name="one")) == {"status": "ok"}
    assert fields(ask("incr", name="one", nb=2, waiting=True)) == {"status": "ok", "numprocesses": 5}
    assert fields(ask("decr", name="one", nb=3, waiting=True)) == {"status": "ok", "numprocesses": 2}
    now = ask("list", name="one")["pids"]
    restarted = fields(ask("restart", name="one", waiting=True))["info"]
    assert restarted.keys() == {"stopped", "started", "kept"}
    assert (sorted(restarted["stopped"]), restarted["kept"]) == (sorted(now), [])
    reloaded = fields(ask("reload", name="one", waiting=True))["info"]
    assert sorted(reloaded["stopped"]) == sorted(restarted["started"])
    assert set(reloaded["started"]).isdisjoint(pids)
    assert fields(ask("set", name="one", options={"graceful_timeout": 3.5}, waiting=True)) == {"status": "ok"}
    assert ask("get", name="one", keys=["graceful_timeout"])["options"] == {"graceful_timeout": 3.5}
    pid = ask("list", name="one")["pids"][0]
    assert fields(ask("signal", name="one", pid=pid, signum="kill")) == {"status": "ok"}
    until(lambda: pid not in ask("list", name="one")["pids"])
    pid = ask("list", name="one")["pids"][0]
    assert fields(ask("kill", name="one", pid=str(pid), signum="int", graceful_timeout="5", waiting=True)) == {
        "status": "ok"
    }
    assert pid not in ask("list", name="one")["pids"]
    assert fields(ask("stop", name="one", waiting=True)) == {"status": "ok", "info": None}
    started = fields(ask("start", name="one", waiting=True))["info"]
    assert (len(started["started"]), started["kept"]) == (2, [])
    assert fields(ask("stop", waiting=True)) == {"status": "ok"}
    assert fields(ask("start", waiting=True)) == {"status": "ok"}
    assert ask("status")["statuses"] == {"One": "active", "late": "stopped"}
    assert fields(ask("reloadconfig", waiting=True))["status"] == "ok"


@both
def test_watchers_come_and_go(ask: Callable[..., dict[str, Any]]) -> None:
    added = ask("add", name="New", cmd="sleep 1000", options={"copy_env": True}, start=True, waiting=True)
    assert (len(fields(added)["started"]), added["kept"]) == (1, [])
    errno, reason = refused(ask("add", name="new", cmd="sleep 1000"))
    assert errno == 5
    assert reason.endswith("'new' already exist")
    assert fields(ask("rm", name="NEW", waiting=True)) == {"status": "ok"}
    assert refused(ask("status", name="new")) == (3, "program new not found")


@both
def test_errors_have_circus_numbers_and_reasons(ask: Callable[..., dict[str, Any]]) -> None:
    assert refused(ask("bogus")) == (2, "unknown command: 'bogus'")
    for command in ("status", "list", "numprocesses", "options", "incr", "decr", "kill", "rm", "reload"):
        assert refused(ask(command, name="Nope", waiting=True)) == (3, "program Nope not found"), command
    for command in ("start", "stop", "restart"):
        assert refused(ask(command, name="Nope")) == (3, "program Nope not found")
    assert refused(ask("get", name="Nope", keys=["cmd"])) == (3, "program Nope not found")
    assert refused(ask("signal", name="Nope", signum=15)) == (3, "program Nope not found")
    assert refused(ask("incr")) == (3, "message invalid 'name' is missing")
    assert refused(ask("set", name="one")) == (3, "message invalid 'options' is missing")
    assert refused(ask("set", name="one", options="x")) == (3, "'options' property should be an object")
    assert refused(ask("set", name="one", options={"x": 1})) == (3, "unknown key 'x'")
    assert refused(ask("set", name="one", options={"numprocesses": "x"})) == (3, "'numprocesses' isn't an integer")
    assert refused(ask("get", name="one", keys=["nope"])) == (3, "'nope' option not found")
    for signum in ("bogus", "+", 12345, "12345", -1):
        assert refused(ask("signal", name="one", signum=signum)) == (3, "signal invalid")
    assert refused(ask("start", name="one", match="x")) == (3, "unknown match method x")
    assert refused(ask("globaloptions", option="x")) == (3, "'x' not an existing option")
    assert refused(ask("listen")) == (3, "invalid message. use a pub/sub socket")
    assert refused(ask("stats", name="Nope")) == (3, "program Nope not found")
    assert refused(ask("stats", name="one", process=1)) == (3, "process 1 not found in 'one'")


@both
def test_quit_is_answered_and_circusd_ends(ask: Callable[..., dict[str, Any]], daemon: Circusd) -> None:
    assert fields(ask("quit", waiting=True)) == {"status": "ok"}
    assert daemon.wait() == 0


def test_a_full_restart_by_circus_client(circus: Path, daemon: Circusd) -> None:
    with Driver(circus) as driver:
        before = driver.ask("CircusClient", daemon.endpoint, "list", name="one")["pids"]
        assert driver.ask("CircusClient", daemon.endpoint, "restart")["status"] == "ok"
        until(lambda: set(daemon.call("list", name="one").get("pids", before)).isdisjoint(before))
        until(lambda: daemon.call("status", name="one")["status"] == "active")
    assert daemon.process.poll() is None


def test_circusctl_prints_what_it_prints_with_circus(ctl: Callable[..., tuple[int, str, str]], daemon: Circusd) -> None:
    assert ctl("list") == (0, "late,one\n", "")
    assert re.fullmatch(r"\d+,\d+\n", ctl("list", "one")[1])
    assert ctl("status") == (0, "One: active\nlate: stopped\n", "")
    assert ctl("status", "one") == (0, "active\n", "")
    assert ctl("numwatchers") == (0, "2\n", "")
    assert ctl("numprocesses") == (0, "2\n", "")
    assert ctl("numprocesses", "one") == (0, "2\n", "")
    assert ctl("get", "one", "numprocesses", "cmd") == (0, "numprocesses: 2\ncmd: sleep\n", "")
    status, printed, _ = ctl("options", "one")
    assert (status, {"args: 1000", "uid: ", "respawn: True"} - set(printed.splitlines())) == (0, set())
    assert ctl("globaloptions", "check_delay") == (0, "check_delay: 5.0\n", "")
    usage = r"sleep \w+ 0 [\d.]+[KM] [\d.]+[KM] [\d.]+ [\d.]+ 0:00\.\d\d\n"
    pids = [str(pid) for pid in daemon.call("list", name="one")["pids"]]
    lines = "".join(f"{pid}: {pid}  {usage}" for pid in pids)
    assert re.fullmatch(f"one:\n{lines}", ctl("stats", "one")[1])
    assert re.fullmatch(f"One:\n{lines}late:\n", ctl("stats")[1])
    assert re.fullmatch(f"{pids[0]}: {pids[0]}  {usage}\n", ctl("stats", "one", pids[0], "--extended")[1])
    program = re.sub("^sleep", r"python\\S*", usage).replace("0:00", r"\d:\d\d")
    assert re.match(rf"Main Process:\n    {daemon.pid}  {program}Children:\n    \d+  sleep ", ctl("dstats")[1])
    assert ctl("incr", "one") == (0, "ok\n", "")
    assert ctl("incr", "one", "2", "--waiting") == (0, "5\n", "")
    assert ctl("decr", "one", "3", "--waiting") == (0, "2\n", "")
    assert ctl("set", "one", "graceful_timeout", "4", "stop_signal", "INT") == (0, "ok\n", "")
    assert ctl("get", "one", "stop_signal") == (0, "stop_signal: 2\n", "")
    # Circus' circusctl cannot set env: it raises in its own parse_env_dict.
    daemon.call("set", name="one", options={"env": {"A": "b", "C": "d"}}, waiting=True)
    assert ctl("get", "one", "env") == (0, "env: A=b,C=d\n", "")
    for words in (
        ("restart", "one", "--waiting"), ("reload", "one", "--waiting"), ("reload", "one", "--sequential", "--waiting"),
        ("reload", "one", "--terminate", "--waiting"), ("reloadconfig", "--waiting"), ("signal", "one", "HUP"),
        ("kill", "one"), ("stop", "one", "--waiting"), ("start", "one", "--waiting"), ("start", "o*"),
        ("add", "two", "sleep", "1000"), ("add", "--start", "three", "sleep", "1000"), ("rm", "two"), ("rm", "three"),
    ):  # fmt: skip
        assert ctl(*words) == (0, "ok\n", ""), words
    assert ctl("quit", "--waiting") == (0, "ok\n", "")


def test_circusctl_exits_as_with_circus(ctl: Callable[..., tuple[int, str, str]]) -> None:
    status, printed, said = ctl("stop", "nope")
    assert (status, printed, said) == (3, "", "error: program nope not found\n")
    status, printed, said = ctl("status", "nope")
    assert (status, printed, said) == (3, "", "error\n")
    status, printed, said = ctl("globaloptions", "nope")
    assert (status, printed + said) == (3, "'nope' not an existing option\n")
    status, printed, _ = ctl("--json", "status", "nope")
    assert status == 0
    assert '"errno": 3' in printed
    assert ctl("nosuchcommand")[0] != 0


def test_circusctl_listen_sees_our_events(circus: Path, daemon: Circusd) -> None:
    with subprocess.Popen(
        [circus / "python", "-uW", "ignore", circus / "circusctl", "--endpoint", daemon.pubsub_endpoint, "listen"],
        stdout=subprocess.PIPE,
    ) as listening:
        assert listening.stdout is not None
        while not select.select([listening.stdout], [], [], 0.05)[0]:
            daemon.call("set", name="late", options={"priority": 1})
        daemon.call("start", name="late", waiting=True)
        lines = iter(listening.stdout.readline, b"")
        line = next(line for line in lines if line.startswith(b"b'watcher.late.spawn': b'{"))
        assert re.search(rb'"process_pid": \d+', line)
        assert re.search(rb'"time": \d+\.\d+', line)
        listening.terminate()
