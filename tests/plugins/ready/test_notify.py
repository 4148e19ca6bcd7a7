"""The notify protocol of systemd: readiness, status, more time, and a watchdog."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from tests.plugins.ready.asking import call, events, facts, gate, program, states

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd

    Start = Callable[..., Circusd]


NOTIFY = """
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))
say = lambda text: s.send(text.encode())
"""


def test_one_that_says_so_by_the_notify_protocol(circusd: Start, tmp_path: Path) -> None:
    go, wait = gate(tmp_path)
    says = r"say('READY=1\nSTATUS=serves 3 <clients>\x07')"
    child = f"if os.fork() == 0:\n  {says}\n  os._exit(0)\nos.wait()\ntime.sleep(1000)"
    code = f"{NOTIFY}say('STATUS=loads')\n{wait}{child}"
    run = circusd(f"""
[watcher:w]
cmd = {program(tmp_path, code)}
ready = notify
""")
    lacking = "has said 'loads' and not READY=1 at $NOTIFY_SOCKET"
    until(lambda: lacking in facts(run, "w").get("not ready", ""))
    go.touch()
    until(lambda: states(run, "w") == ["ready"])
    (pid,) = call(run, "list", name="w")["pids"]
    assert facts(run, "w") == {"says": f"pid {pid}: serves 3 <clients>"}


def test_one_that_asks_for_more_time_gets_it(circusd: Start, tmp_path: Path) -> None:
    late = "time.sleep(0.8)\nsay('RELOADING=1')\nsay('READY=1')\ntime.sleep(1000)"
    code = f"{NOTIFY}say('EXTEND_TIMEOUT_USEC=30000000')\n{late}"
    run = circusd(f"""
[watcher:w]
cmd = {program(tmp_path, code)}
ready = notify
ready_timeout = 0.5
""")
    until(lambda: states(run, "w") == ["ready"])
    assert events(run, "process_unready") == []


def test_descriptors_that_come_with_a_message_are_closed(circusd: Start, tmp_path: Path) -> None:
    """That is what BARRIER=1 asks for: the sender waits until its pipe is closed."""
    code = (
        f"{NOTIFY}r, w = os.pipe()\nsocket.send_fds(s, [b'BARRIER=1'], [w])\nos.close(w)\n"
        "assert os.read(r, 1) == b''\nsay('READY=1')\ntime.sleep(1000)"
    )
    run = circusd(f"[watcher:w]\ncmd = {program(tmp_path, code)}\nready = notify\n")
    until(lambda: states(run, "w") == ["ready"])


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("perl"), reason="needs root, who can be another user, and Perl"
)
def test_another_user_cannot_speak_for_a_process(
    circusd: Start, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """And the user as whom the process runs can."""
    speaks = f"{NOTIFY}os.setuid(int(sys.argv[1]))\nsay('READY=1')\ntime.sleep(1000)"
    command = program(tmp_path, speaks)
    # The interpreter of these tests may be where only its owner gets.
    perl = Path("/tmp") / f"circus-{os.getpid()}.pl"
    request.addfinalizer(perl.unlink)
    perl.write_text(
        "use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0); my $name = $ENV{NOTIFY_SOCKET}; $name =~ s/^@/\\0/;"
        'send(S, "READY=1", 0, pack("Sa*", AF_UNIX, $name)); sleep 1000;'
    )
    run = circusd(f"""
[watcher:other]
cmd = {command} 65534
ready = notify
priority = -1
[watcher:own]
cmd = perl {perl}
copy_env = True
ready = notify
uid = 65534
""")
    until(lambda: states(run, "own") == ["ready"])
    until(lambda: "1 messages came from another user" in facts(run, "other").get("not ready", ""))
    assert states(run, "other") == ["starting"]


@pytest.mark.covers("option:watchdog_timeout", "event:process_silent")
def test_one_that_says_no_more_that_it_is_well_is_replaced(circusd: Start, tmp_path: Path) -> None:
    """The first falls silent, the second says itself that it is stuck, the third is well."""
    code = f"""{NOTIFY}
n = len(os.listdir({str(tmp_path)!r}))
open({str(tmp_path)!r} + f"/{{n}}", "w").close()
say("READY=1")
if os.path.exists({str(tmp_path / "hung")!r}):
    every = int(os.environ["WATCHDOG_USEC"]) / 4e6
    if not os.path.exists({str(tmp_path / "trigger")!r}):
        open({str(tmp_path / "trigger")!r}, "w").close()
        say("WATCHDOG=trigger")
    while True:
        say("WATCHDOG=1")
        time.sleep(every)
open({str(tmp_path / "hung")!r}, "w").close()
time.sleep(1000)
"""
    run = circusd(f"""
[watcher:w]
cmd = {program(tmp_path, code)}
ready = notify
watchdog_timeout = 0.5
""")
    until(lambda: len(events(run, "process_silent")) >= 2)
    silent, stuck = events(run, "process_silent")[:2]
    assert (silent["reason"], stuck["reason"]) == ("no WATCHDOG=1 for 0.5 s", "it said so itself")
    # The second may be told to end before anybody was told that it is ready.
    until(lambda: len(events(run, "process_spawned")) >= 3 and states(run, "w") == ["ready"])
    assert [each["exit_code"] for each in events(run, "process_exited")][:2] == [-signal.SIGABRT] * 2
    assert f"w/1: pid {silent['pid']} is ended: no WATCHDOG=1 for 0.5 s" in run.output()


def test_a_watchdog_without_ready_begins_at_the_spawn_and_may_be_set_otherwise(circusd: Start, tmp_path: Path) -> None:
    code = f"{NOTIFY}say('WATCHDOG_USEC=200000')\ntime.sleep(1000)"
    run = circusd(f"[watcher:w]\ncmd = {program(tmp_path, code)}\nwatchdog_timeout = 300\n")
    until(lambda: events(run, "process_silent") != [])
    assert events(run, "process_silent")[0]["reason"] == "no WATCHDOG=1 for 0.2 s"


def test_nothing_is_left_open_of_those_that_ended(circusd: Start, tmp_path: Path) -> None:
    run = circusd(f"""
[socket:web]
path = {tmp_path}/web.sock
[watcher:w]
cmd = {program(tmp_path, NOTIFY + "say('READY=1'); time.sleep(1000)")}
ready = notify
[watcher:missing]
cmd = {tmp_path}/missing
ready = notify
autostart = False
""")
    until(lambda: "circusd is up" in run.output())
    until(lambda: states(run, "w") == ["ready"])
    folder = f"/proc/{run.process.pid}/fd"
    before = len(os.listdir(folder))
    for _ in range(5):
        call(run, "restart", name="w", waiting=True)
        with pytest.raises(CircusError):
            call(run, "start", name="missing", waiting=True)
    until(lambda: len(os.listdir(folder)) == before)
