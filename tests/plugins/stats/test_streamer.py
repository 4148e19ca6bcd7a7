"""The streamer of a real circusd: Circus' topics and payloads, to whoever subscribes, and for nobody else."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import zmq

from circus_core.testing import Circusd, python, until
from circus_plugins.doors import keys
from tests.plugins.stats.conftest import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., Circusd]

PROCESS = {
    "pid", "cmdline", "username", "nice", "mem_info1", "mem_info2", "mem", "cpu", "ctime", "create_time", "age",
    "children", "subtopic", "name",
}  # fmt: skip
"""Circus' keys of one process in the feed (PROTOCOL.md 3.2)."""
WEB = """
    [watcher:Web One]
    cmd = sleep 1000
    numprocesses = 2
    copy_env = True
    graceful_timeout = 5
"""


def configuration(endpoint: str, *lines: str, watchers: str = WEB, interval: float = 0.1) -> str:
    circus = "\n".join(["    [circus]", f"    stats_endpoint = {endpoint}", *(f"    {line}" for line in lines)])
    return f"{circus}\n    [plugin:stats]\n    interval = {interval}\n{watchers}"


def streamer(daemon: Circusd) -> int:
    pid: int = daemon.call("list", name="circusd-stats")["pids"][0]
    return pid


def descriptors(pid: int) -> list[str]:
    """The kept descriptors of processes that another process has."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            continue
    return [path for path in found if re.fullmatch(r"/proc/\d+/stat", path)]


@pytest.mark.covers("circus-option:stats_endpoint", "stats-option:interval")
def test_topics_and_payloads_are_those_of_circus(circusd: Start, endpoint: str) -> None:
    daemon = circusd(configuration(endpoint)).up()
    pids = daemon.call("list", name="web one")["pids"]
    with Subscriber(endpoint, "stat.") as subscriber:
        for wid, pid in enumerate(pids, 1):
            told = subscriber.message(f"stat.web_one.{pid}")
            assert told.keys() >= PROCESS
            assert told == told | {
                "pid": pid, "subtopic": pid, "name": None, "children": [], "cmdline": "sleep", "watcher": "Web One",
                "wid": wid, "restarts": 0, "ready_after": None,
                "username": psutil.Process(pid).username(),
            }  # fmt: skip
        subscriber.message(f"stat.web_one.{pids[1]}")
        total = subscriber.message("stat.web_one")
        assert (total["pid"], total["watcher"], total["exited"]) == (pids, "Web One", 0)
        assert total["cpu"] == pytest.approx(total["cpu_sum"] / 2, abs=0.1)
        assert total["mem"] == pytest.approx(100 * total["rss"] / psutil.virtual_memory().total, abs=0.001)
        assert total["age"] > 0
        named = {f"stat.circus.{daemon.pid}": "circusd", f"stat.circus.{streamer(daemon)}": "circusd-stats"}
        for topic, name in named.items():
            told = subscriber.message(topic)
            assert told.keys() >= PROCESS
            assert told["name"] == name
        assert subscriber.message("stat.circus")["pid"] == [daemon.pid, streamer(daemon)]
        topics = {subscriber.next()[0] for _ in range(30)}
        assert not [topic for topic in topics if "circusd-stats" in topic]


@pytest.mark.covers("circus-option:statsd", "hook:circus_imply_sections", "hook:circus_locate_endpoint")
def test_it_is_there_only_where_it_is_wanted(circusd: Start, endpoint: str) -> None:
    both = f"statsd = False\n    stats_endpoint = {endpoint}"
    elsewhere = {"XDG_RUNTIME_DIR": os.path.dirname(endpoint.removeprefix("ipc://"))}
    for line, there in {"": False, "statsd = False": False, "statsd = True": True, both: True}.items():
        daemon = circusd(f"    [circus]\n    {line}\n{WEB}", env=elsewhere).up()
        assert ("circusd-stats" in daemon.call("list")["watchers"]) is there, line
        told = daemon.call("globaloptions")["options"]["stats_endpoint"]
        if not there:
            assert told == ""
        elif "stats_endpoint" in line:
            assert told == endpoint
        else:
            # XDG_RUNTIME_DIR is not for root in /run/user; a folder of a test's own is.
            assert told.endswith("/circus/stats.sock")
            with Subscriber(told, "stat.") as subscriber:
                subscriber.message("stat.web_one")
        daemon.close()


def test_nobody_subscribed_means_no_descriptor_and_no_wake_up(circusd: Start, endpoint: str) -> None:
    daemon = circusd(configuration(endpoint)).up()
    pid = streamer(daemon)
    assert descriptors(pid) == []
    with Subscriber(endpoint, "stat.web_one") as subscriber:
        subscriber.message("stat.web_one")
        wanted = {f"/proc/{each}/stat" for each in daemon.call("list", name="web one")["pids"]}
        assert set(descriptors(pid)) == wanted, "of whom nobody asked for there is none"
    until(lambda: descriptors(pid) == [])
    if shutil.which("strace") is None:
        pytest.skip("without strace nobody sees the calls")
    said = subprocess.run(["timeout", "2", "strace", "-f", "-p", str(pid)], capture_output=True, text=True).stderr
    calls = [line for line in said.splitlines() if "(" in line and "resuming" not in line and "strace:" not in line]
    # Each thread waits in the call that strace found it in, and comes out of it only because strace leaves.
    assert len(calls) <= len(os.listdir(f"/proc/{pid}/task")) * 2, said
    assert "pread" not in said


def test_each_look_is_one_read_of_each_process(circusd: Start, endpoint: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("without strace nobody sees the calls")
    watchers = WEB.replace("numprocesses = 2", "numprocesses = 20")
    daemon = circusd(configuration(endpoint, watchers=watchers, interval=0.2)).up()
    pid = streamer(daemon)
    with Subscriber(endpoint, "stat.web_one") as subscriber:
        # Those that are young are looked at more closely now and then, to find out who they are.
        subscriber.until("stat.web_one", lambda told: told["age"] > 2)
        counted = subprocess.run(
            ["timeout", "2", "strace", "-f", "-e", "trace=read,pread64,open,openat", "-p", str(pid)],
            capture_output=True, text=True,
        ).stderr  # fmt: skip
        rounds = len(re.findall(r"pread64\(", counted)) / 20
        assert 7 <= rounds <= 11
        opened = [line for line in counted.splitlines() if "/proc/" in line and "open" in line]
        assert len(opened) <= 40, "one look in ten seconds at who each is"
        assert len(re.findall(r"pread64\(", counted)) <= 2 * 20 * rounds


def test_a_process_of_fifty_milliseconds_is_counted(circusd: Start, endpoint: str) -> None:
    burns = python("import time; list(iter(lambda: time.process_time() < 0.05, False))")
    brief = f"""
    [watcher:brief]
    cmd = {burns}
    autostart = False
    respawn = False
    copy_env = True
    """
    daemon = circusd(configuration(endpoint, watchers=brief, interval=1)).up()
    with Subscriber(endpoint, "stat.") as subscriber:
        subscriber.message("stat.circus")
        daemon.call("start", name="brief", waiting=True)
        seconds, exited = 0.0, 0
        while not exited:
            told = subscriber.message("stat.brief")
            exited, seconds = told["exited"], told["exited_cpu"]
            total = told["cpu_sum"]
        assert exited == 1
        assert told["exited_peak"] is None, "it had less than circusd"
        assert seconds > 0.02
        assert total > 1
        event = next(event for event in daemon.call("events", event="process_exited")["events"])
        assert 0.05 <= event["cpu"] < 5
        assert event["peak_memory"] is None
        assert event["age"] > 0.05


def test_processes_that_come_and_go_while_somebody_looks(circusd: Start, endpoint: str) -> None:
    daemon = circusd(configuration(endpoint)).up()
    with Subscriber(endpoint, "stat.web_one") as subscriber:
        subscriber.message("stat.web_one")
        first, second = daemon.call("list", name="web one")["pids"]
        os.kill(first, signal.SIGKILL)
        told = subscriber.until("stat.web_one", lambda told: len(told["pid"]) == 2 and first not in told["pid"])
        assert second in told["pid"]
        new = next(pid for pid in told["pid"] if pid != second)
        assert subscriber.message(f"stat.web_one.{new}")["restarts"] == 1
        daemon.call("incr", name="web one", waiting=True)
        subscriber.until("stat.web_one", lambda told: len(told["pid"]) == 3)
        daemon.call("stop", name="web one", waiting=True)
        subscriber.until("stat.web_one", lambda told: told["pid"] == [] and told["exited"] > 0)
        until(lambda: descriptors(streamer(daemon)) == [])
        daemon.call("add", name="late", cmd="sleep 1000", start=True, waiting=True)
        daemon.call("start", name="web one", waiting=True)
        assert subscriber.until("stat.web_one", lambda told: len(told["pid"]) == 3)["restarts"] == 0
        assert len(descriptors(streamer(daemon))) == 3
        daemon.call("rm", name="web one", waiting=True)
        until(lambda: descriptors(streamer(daemon)) == [])


def test_what_happened_while_it_was_killed_is_known_to_the_next(circusd: Start, endpoint: str) -> None:
    daemon = circusd(configuration(endpoint)).up()
    before = streamer(daemon)
    os.kill(before, signal.SIGSTOP)
    daemon.call("incr", name="web one", nb=3, waiting=True)
    daemon.call("decr", name="web one", nb=1, waiting=True)
    os.kill(before, signal.SIGKILL)
    until(lambda: daemon.call("list", name="circusd-stats")["pids"] not in ([], [before]))
    pids = daemon.call("list", name="web one")["pids"]
    with Subscriber(endpoint, "stat.web_one") as subscriber:
        assert sorted(subscriber.until("stat.web_one", lambda told: len(told["pid"]) == 4)["pid"]) == sorted(pids)


@pytest.mark.covers("stats-option:open_files", "stats-option:io", "stats-option:pss")
def test_dearer_figures_are_told_if_they_are_asked_for(circusd: Start, endpoint: str) -> None:
    text = configuration(endpoint).replace(
        "interval = 0.1", "interval = 0.1\n    open_files = True\n    io = True\n    pss = True"
    )
    daemon = circusd(text).up()
    pid = daemon.call("list", name="web one")["pids"][0]
    with Subscriber(endpoint, "stat.web_one") as subscriber:
        told = subscriber.message(f"stat.web_one.{pid}")
    real = psutil.Process(pid)
    assert told["open_files"] == real.num_fds()
    assert (told["read_bytes"], told["write_bytes"]) == (real.io_counters().read_bytes, real.io_counters().write_bytes)
    assert told["pss"] == pytest.approx(real.memory_full_info().pss, rel=0.2)


@pytest.mark.covers("circus-option:statsd_close_outputs")
@pytest.mark.parametrize("closed", [True, False])
def test_its_outputs_may_be_closed(circusd: Start, endpoint: str, closed: bool) -> None:
    daemon = circusd(configuration(endpoint, f"statsd_close_outputs = {closed}")).up()
    with Subscriber(endpoint, "stat.") as subscriber:
        subscriber.message("stat.circus")
    output = os.readlink(f"/proc/{streamer(daemon)}/fd/2")
    assert (output == "/dev/null") is closed
    assert ("stats endpoint ipc" in daemon.output()) is not closed


def test_the_endpoint_moves_with_the_configuration(circusd: Start, endpoint: str) -> None:
    daemon = circusd(configuration(endpoint)).up()
    moved = endpoint.replace("stats.sock", "moved.sock")
    daemon.configure(configuration(moved))
    daemon.call("reloadconfig", waiting=True)
    assert daemon.call("globaloptions", option="stats_endpoint")["options"] == {"stats_endpoint": moved}
    with Subscriber(moved, "stat.") as subscriber:
        subscriber.message("stat.web_one")
    assert not os.path.exists(endpoint.removeprefix("ipc://"))
    # What the section itself says counts.
    own = f"[plugin:stats]\n    stats_endpoint = {endpoint}"
    daemon.configure(configuration(moved).replace("[plugin:stats]", own))
    daemon.call("reloadconfig", waiting=True)
    assert daemon.call("globaloptions", option="stats_endpoint")["options"] == {"stats_endpoint": endpoint}
    with Subscriber(endpoint, "stat.") as subscriber:
        subscriber.message("stat.web_one")
    daemon.configure(WEB)
    daemon.call("reloadconfig", waiting=True)
    assert daemon.call("list")["watchers"] == ["web one"]
    assert daemon.call("globaloptions", option="stats_endpoint")["options"] == {"stats_endpoint": ""}


def test_a_subscriber_that_does_not_read_keeps_nobody_waiting(circusd: Start, endpoint: str) -> None:
    daemon = circusd(configuration(endpoint, interval=0.01)).up()
    pid = streamer(daemon)
    with Subscriber(endpoint, "stat.") as stuck, Subscriber(endpoint, "stat.web_one") as reading:
        stuck.message("stat.web_one")
        before = psutil.Process(pid).memory_info().rss
        ages = [reading.message("stat.web_one")["age"] for _ in range(300)]
        assert max(later - earlier for earlier, later in itertools.pairwise(ages)) < 1
        assert psutil.Process(pid).memory_info().rss - before < 20_000_000


@pytest.mark.covers("stats-option:stats_endpoint", "stats-option:keys_dir", "stats-option:endpoint_owner")
def test_what_circus_section_says_of_endpoints_holds_here_too(
    circusd: Start, endpoint: str, tcp_port: int, tmp_path: Path
) -> None:
    folder = str(tmp_path / "keys")
    file = keys.new(folder, "ann", "view")
    address = f"tcp://127.0.0.1:{tcp_port}"
    daemon = circusd(configuration(address, f"keys_dir = {folder}")).up()
    until(lambda: f"stats endpoint {address} (keys needed)" in daemon.output())
    with Subscriber(address, "stat.") as stranger:
        assert not stranger.socket.poll(500), "whoever has no key is told nothing"
    pair = keys.load(file)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    friend = context.socket(zmq.SUB)
    friend.curve_publickey, friend.curve_secretkey, friend.curve_serverkey = pair.public, pair.secret, pair.server
    friend.connect(address)
    friend.subscribe("stat.web_one")
    assert friend.poll(20_000)
    keys.revoke(folder, "ann")
    until(lambda: not _drained(friend), "whoever had a key is told nothing more")
    context.destroy(0)
    daemon.close()
    if os.geteuid() == 0:
        daemon = circusd(configuration(endpoint, "endpoint_owner = nobody")).up()
        path = endpoint.removeprefix("ipc://")
        until(lambda: os.path.exists(path) and os.stat(path).st_uid == 65534)
    daemon = circusd(f"    [plugin:stats]\n    stats_endpoint = {address}\n{WEB}").up()
    until(lambda: "every user of this machine can read there what runs" in daemon.output())


def _drained(subscriber: zmq.Socket[bytes]) -> bool:
    """Whether something came within a second."""
    came = bool(subscriber.poll(1000))
    while subscriber.poll(0):
        subscriber.recv_multipart()
    return came


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("stats_endpoint = tcp://127.0.0.1:*", "[circus] stats_endpoint: needs a port of its own choosing"),
        ("stats_endpoint = tcp://0.0.0.0:5557", "can be reached from other machines, and nobody there needs a key"),
        ("stats_endpoint = here", "[circus] stats_endpoint: 'here' isn't an endpoint"),
        ("statsd = perhaps", "[circus] statsd: 'perhaps' isn't a valid boolean"),
        ("stats_endpoint = ipc:///run/a\nendpoint = ipc:///run/a", "[circus] stats_endpoint: is where endpoint is"),
        (
            "stats_endpoint = ipc:///run/a\npubsub_endpoint = ipc:///run/a",
            "[circus] stats_endpoint: is where pubsub_endpoint is",
        ),
    ],
)
def test_mistakes_are_told_where_they_are(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "circus.ini"
    path.write_text(f"[circus]\n{line}\n[watcher:a]\ncmd = sleep 1\n")
    checked = subprocess.run(
        [sys.executable, "-m", "circus_core.main", "--check", str(path)], capture_output=True, text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert checked.returncode == 2
    assert "circus.ini:2: [circus] stats" in checked.stderr
    assert says in checked.stderr
    assert len(checked.stderr.strip().splitlines()) == 1, checked.stderr


def test_its_section_may_say_how_it_runs(circusd: Start, endpoint: str) -> None:
    text = configuration(endpoint).replace("interval = 0.1", "interval = 0.1\n    priority = 5\n    use = stats")
    daemon = circusd(text).up()
    assert daemon.call("options", name="circusd-stats")["options"]["priority"] == 5

    def told() -> tuple[Any, ...]:
        plugin = next(each for each in daemon.call("plugins")["plugins"] if each["name"] == "stats")
        return plugin["host"], plugin["watcher"], plugin["started"]

    until(lambda: told() == ("process", "circusd-stats", True))
    daemon.call("plugins_rm", name="stats", waiting=True)
    assert "circusd-stats" not in daemon.call("list")["watchers"]


def test_how_many_connections_wait_at_sockets(circusd: Start, endpoint: str, tcp_port: int) -> None:
    api = f"    [socket:api]\n    host = 127.0.0.1\n    port = {tcp_port}\n"
    udp = f"    [socket:udp]\n    host = 127.0.0.1\n    port = {tcp_port}\n    type = SOCK_DGRAM\n"
    daemon = circusd(configuration(endpoint, watchers=WEB + api + udp)).up()
    numbers = {each["name"]: each["fd"] for each in daemon.call("listsockets")["sockets"]}
    with Subscriber(endpoint, "stat.sockets") as subscriber, contextlib.ExitStack() as clients:
        assert subscriber.message("stat.sockets") == {"addresses": [f"127.0.0.1:{tcp_port}"] * 2, "reads": 0}
        for _ in range(3):
            clients.enter_context(socket.create_connection(("127.0.0.1", tcp_port)))
        datagrams = clients.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        datagrams.sendto(b"hello", ("127.0.0.1", tcp_port))
        subscriber.until("stat.sockets", lambda told: told["reads"] == 4)
        told = subscriber.message(f"stat.sockets.{numbers['api']}")
        assert (told["name"], told["waiting"], told["reads"], told["dropped"]) == ("api", 3, 3, 0)
        assert (told["fd"], told["subtopic"], told["address"]) == (
            numbers["api"],
            numbers["api"],
            f"127.0.0.1:{tcp_port}",
        )
        assert subscriber.message(f"stat.sockets.{numbers['udp']}")["reads"] == 1
        assert not descriptors(streamer(daemon)), "of processes nobody asked for there is none"


def test_sockets_that_come_later_are_told_too(circusd: Start, endpoint: str, tcp_port: int) -> None:
    daemon = circusd(configuration(endpoint)).up()
    with Subscriber(endpoint, "stat.") as subscriber:
        subscriber.message("stat.web_one")
        api = f"    [socket:api]\n    host = 127.0.0.1\n    port = {tcp_port}\n"
        daemon.configure(configuration(endpoint, watchers=WEB + api))
        daemon.call("reloadconfig", waiting=True)
        assert subscriber.message("stat.sockets")["addresses"] == [f"127.0.0.1:{tcp_port}"]


def by_hand(daemon: Circusd, *words: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "circus_plugins.stats.main", "--endpoint", daemon.endpoint]
    return subprocess.Popen([*program, *words], stderr=subprocess.PIPE)


def test_it_can_be_started_by_hand_beside_a_circusd_that_has_sockets(
    circusd: Start, endpoint: str, tcp_port: int
) -> None:
    """O-25: Circus' own dies there."""
    api = f"    [socket:api]\n    host = 127.0.0.1\n    port = {tcp_port}\n"
    daemon = circusd(api + WEB).up()
    hand = by_hand(daemon, "--pubsub", daemon.pubsub_endpoint, "--statspoint", endpoint, "--interval", "0.1")
    with Subscriber(endpoint, "stat.") as subscriber:
        pids = daemon.call("list", name="web one")["pids"]
        assert subscriber.message("stat.web_one")["pid"] == pids
        assert subscriber.message(f"stat.circus.{hand.pid}")["name"] == "circusd-stats"
        daemon.call("incr", name="web one", waiting=True)
        subscriber.until("stat.web_one", lambda told: len(told["pid"]) == 3)
    hand.send_signal(signal.SIGTERM)
    assert hand.wait(20) == 0
    assert hand.stderr is not None
    hand.stderr.close()


def test_by_hand_it_follows_a_circusd_that_is_started_again(circusd: Start, endpoint: str) -> None:
    first = circusd(WEB).up()
    hand = by_hand(first, "--pubsub", first.pubsub_endpoint, "--statspoint", endpoint, "--interval", "0.1")
    with Subscriber(endpoint, "stat.") as subscriber:
        subscriber.message("stat.web_one")
        before = first.call("list", name="web one")["pids"]
        first.call("quit", waiting=True)
        first.wait()
        again = subprocess.Popen(first.process.args, cwd=first.folder, stderr=subprocess.DEVNULL)
        try:
            told = subscriber.until("stat.web_one", lambda told: len(told["pid"]) == 2 and before[0] not in told["pid"])
            assert told["pid"] == first.call("list", name="web one")["pids"]
            assert subscriber.message("stat.circus")["pid"] == [again.pid, hand.pid]
        finally:
            for each in (hand, again):
                each.send_signal(signal.SIGTERM)
                each.wait(20)
    assert hand.stderr is not None
    hand.stderr.close()


def test_it_runs_inside_circusd_too(circusd: Start, endpoint: str) -> None:
    text = configuration(endpoint).replace("[plugin:stats]", "[plugin:stats]\n    host = core")
    daemon = circusd(text).up()
    assert daemon.call("list")["watchers"] == ["web one"]
    with Subscriber(endpoint, "stat.") as subscriber:
        assert subscriber.message("stat.web_one")["pid"] == daemon.call("list", name="web one")["pids"]
        assert subscriber.message("stat.circus")["pid"] == [daemon.pid]
        os.kill(daemon.call("list", name="web one")["pids"][0], signal.SIGKILL)
        subscriber.until("stat.web_one", lambda told: told["exited"] == 1)
    until(lambda: descriptors(daemon.pid) == [])


def test_by_hand_it_says_what_it_cannot_do(circusd: Start, endpoint: str) -> None:
    daemon = circusd(configuration(endpoint)).up()
    far = by_hand(daemon, "--ssh", "elsewhere")
    assert b"statistics are read where the processes are" in far.communicate()[1]
    assert far.returncode == 2
    second = by_hand(daemon, "--statspoint", endpoint)
    assert b"stats_endpoint" in second.communicate()[1]
    assert second.returncode == 1
    version = subprocess.run([sys.executable, "-m", "circus_plugins.stats.main", "--version"], capture_output=True)
    assert version.stdout.startswith(b"circusd-stats ")
