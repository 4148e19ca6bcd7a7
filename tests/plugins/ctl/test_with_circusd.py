"""circusctl against a real supervisor with its doors: what it orders happens, and events are shown in full."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from circus_core import __version__
from tests.plugins.ctl.running import COMMAND, Screen, circusctl, environment, plain


def test_a_round_of_orders(daemon: str) -> None:
    assert circusctl("list").stdout == "broken,off,stubborn,web\n"
    assert circusctl("start", "off", "--waiting").stdout == "ok\n"
    assert circusctl("incr", "web", "2", "--waiting").stdout == "4\n"
    assert len(circusctl("list", "web").stdout.split(",")) == 4
    assert circusctl("set", "web", "graceful_timeout", "3", "env", "A=1,B=x y", "--waiting").stdout == "ok\n"
    assert circusctl("get", "web", "graceful_timeout", "env").stdout == "graceful_timeout: 3.0\nenv: A=1,B=x y\n"
    assert circusctl("add", "--start", "--waiting", "new", "sh", "-c", "sleep 1000; true").stdout == "ok\n"
    assert circusctl("status", "new").stdout == "active\n"
    (pid,) = circusctl("list", "new").stdout.split()
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sh\0-c\0sleep 1000; true\0"
    assert circusctl("signal", "new", pid, "KILL").stdout == "ok\n"
    assert circusctl("rm", "new", "--waiting").stdout == "ok\n"
    done = circusctl("status", "nwe")
    assert (done.returncode, done.stderr) == (3, "error: program nwe not found\n")
    done = circusctl("globaloptions", "nope")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: 'nope' not an existing option\nthere are endpoint, ")
    done = circusctl("signal", "web", "12345")
    assert done.returncode == 3
    assert done.stderr == "error: signal invalid\nsignals on this machine are numbered from 1 to 64\n"
    assert circusctl("stop", "--waiting").returncode == 0
    assert set(circusctl("status").stdout.split("\n")) == {
        *(f"{n}: stopped" for n in ("broken", "off", "stubborn", "web")),
        "",
    }


def test_every_option_of_a_watcher_can_be_set_to_what_get_shows(daemon: str) -> None:
    shown = json.loads(circusctl("options", "web", "--json").stdout)["options"]
    for key in ("umask", "stop_signal", "graceful_timeout", "max_age", "singleton", "cmd", "priority"):
        value = "022" if key == "umask" else str(shown[key])
        done = circusctl("set", "web", key, value, "--waiting")
        assert (done.stdout, done.stderr) == ("ok\n", "")


def test_plugins_come_and_go(daemon: str) -> None:
    assert circusctl(
        "plugins", "add", "guard", "--use", "resource_watcher", "watcher=web", "loop_rate=3", "--waiting"
    ).stdout.startswith("ok")
    assert "guard: resource_watcher" in circusctl("plugins", "list").stdout.splitlines()
    shown = json.loads(circusctl("plugins", "show", "guard", "--json").stdout)["plugin"]
    assert (shown["host"], shown["options"]["loop_rate"]) == ("process", 3)
    assert shown["installed"] == f"resource_watcher by circus-bus {__version__}"
    entries = json.loads(circusctl("plugins", "--installed", "--json").stdout)["installed"]
    loaded = {entry["name"]: entry["loaded"] for entry in entries if entry["bundled"]}
    assert loaded["resource_watcher"] == [{"name": "guard", "host": "process"}]
    assert loaded["control"] == [{"name": "control", "host": "core"}]
    assert loaded["watchdog"] == []
    assert circusctl("plugins", "set", "guard", "loop_rate", "4", "--waiting").stdout.startswith("ok")
    assert "loop_rate" in circusctl("plugins", "show", "guard").stdout
    assert circusctl("plugins", "restart", "guard", "--waiting").stdout == "ok\n"
    done = circusctl("plugins", "add", "other", "--use", "my.own:Code")
    assert done.returncode == 3
    assert "no plugin my.own:Code is installed" in done.stderr
    assert "a command cannot name code to import" in done.stderr
    for use, hint in (("watchdgo", "did you mean watchdog?"), ("circus_plugins.watchdog:WatchDog", "watchdog")):
        assert circusctl("plugins", "add", "other", "--use", use).stderr.rstrip().endswith(hint)
    done = circusctl("plugins", "add", "other", "watchdog")
    assert (done.returncode, done.stderr) == (
        2,
        "error: plugins add: --use missing\n--use: Under which name it is installed.\n"
        "usage: circusctl plugins add --use USE [options] NAME [KEY VALUE...]\n",
    )
    assert circusctl("plugins", "rm", "guard", "--waiting").stdout.startswith("ok")
    assert "guard" not in circusctl("plugins").stdout
    assert circusctl("plugins", "add", "--help").stdout.startswith(
        "usage: circusctl plugins add --use USE [options] NAME"
    )
    assert circusctl("plugins", "ad").returncode == 2


def test_progress_of_a_real_stop(daemon: str) -> None:
    with Screen("stop", "stubborn", "--waiting") as screen:
        screen.until("stubborn: 0 of 1 stopped")
        status, seen = screen.finish()
    assert status == 0
    assert plain(seen).splitlines()[-1] == "ok"


def test_a_watcher_says_why_it_is_down(daemon: str) -> None:
    circusctl("start", "broken", "--waiting")
    with Screen("status", "broken", columns=200) as screen:
        screen.until("/no/such/program")


def test_events_of_the_past(daemon: str) -> None:
    done = circusctl("events", "web", "--event", "process_spawned", "--limit", "1")
    assert done.stdout.count("\n") == 1
    assert " process_spawned web wid=2 pid=" in done.stdout
    everything = [json.loads(line) for line in circusctl("events", "--since", "0", "--json").stdout.splitlines()]
    assert [event["seq"] for event in everything] == list(range(1, len(everything) + 1))
    latest = [json.loads(line) for line in circusctl("events", "--since", "1h", "--json").stdout.splitlines()]
    assert latest[: len(everything)] == everything
    done = circusctl("events", "--since", "soon")
    assert done.returncode == 2


def test_events_are_followed_without_a_gap(daemon: str) -> None:
    with _following("events", "web", "--since", "0", "--follow", "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "watcher_added"
        circusctl("incr", "web", "--waiting")
        seen = []
        while not seen or seen[-1]["event"] != "process_spawned" or seen[-1]["wid"] != 3:
            seen.append(json.loads(process.stdout.readline()))
        process.terminate()


def test_listen_shows_the_topics_asked_for(daemon: str) -> None:
    events = circusctl("globaloptions", "pubsub_endpoint").stdout.split()[1]
    for endpoint in ([], ["--endpoint", daemon], ["--endpoint", events]):
        with _following("listen", "watcher.off", *endpoint) as process:
            assert process.stdout is not None
            topic, payload = _stirred(process)
            assert topic == "watcher.off.updated"
            assert payload["watcher"] == "off"
            process.terminate()


def _stirred(process: subprocess.Popen[str]) -> tuple[str, dict[str, object]]:
    """The first line of a listener, which may not be subscribed yet: change something until it is."""
    import select

    number = 1
    while not select.select([process.stdout], [], [], 0)[0]:
        number = 3 - number
        circusctl("set", "off", "priority", str(number), "--waiting")
    assert process.stdout is not None
    topic, _, payload = process.stdout.readline().partition(": ")
    return topic, json.loads(payload)


def _following(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *words], env=environment(), stdout=subprocess.PIPE, text=True)
