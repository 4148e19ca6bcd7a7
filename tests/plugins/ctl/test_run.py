"""circusctl as a process, against a circusd whose answers are known: requests, output, exit status, mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from circus_core import __version__
from circus_core.requests import Argument, Command, Role
from circus_plugins.client import Client, NoAnswerError
from tests.plugins.ctl.running import COMMAND, circusctl, environment
from tests.plugins.ctl.stub import Reply, Stub, detail, refusal, silence

if TYPE_CHECKING:
    from pathlib import Path

STATES = {"statuses": {"web": "active", "api": "stopped"}}


def test_a_reply_is_printed_as_circus_does(stub: Stub) -> None:
    stub.answers["status"] = STATES
    done = circusctl("status", endpoint=stub.endpoint)
    assert (done.returncode, done.stdout, done.stderr) == (0, "api: stopped\nweb: active\n", "")
    assert stub.of("status") == [{}]


def test_json_is_the_raw_reply(stub: Stub) -> None:
    stub.answers["status"] = STATES
    for words in (("--json", "status"), ("status", "--json")):
        done = circusctl(*words, endpoint=stub.endpoint)
        assert done.stdout.count("\n") == 1
        assert json.loads(done.stdout)["statuses"] == STATES["statuses"]
    done = circusctl("status", "--json", "--prettify", endpoint=stub.endpoint)
    assert done.stdout.count("\n") > 3
    assert stub.of("status") == [{}] * 3


def test_an_error_reply_is_told_with_its_hint_and_status_3(stub: Stub) -> None:
    stub.answers["status"] = refusal("program wbe not found", hint="did you mean web?")
    done = circusctl("status", "wbe", endpoint=stub.endpoint)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "error: program wbe not found\ndid you mean web?\n"
    done = circusctl("status", "wbe", "--json", endpoint=stub.endpoint)
    assert (done.returncode, done.stderr) == (3, "")
    assert json.loads(done.stdout)["reason"] == "program wbe not found"


def test_wrong_usage_is_told_with_status_2_and_nothing_is_asked(stub: Stub) -> None:
    for words, said in {
        ("incr",): "error: incr: NAME missing\nusage: circusctl incr [options] NAME [NB]\n",
        ("start", "--wating"): "error: circusctl start: unknown option --wating\ndid you mean --waiting?\n"
        "usage: circusctl start [options] [NAME]\n",
        ("--jsn", "status"): "error: circusctl: unknown option --jsn\ndid you mean --json?\n"
        "usage: circusctl [options] [COMMAND ...]\n",
    }.items():
        done = circusctl(*words, endpoint=stub.endpoint)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
    assert stub.asked == []


def test_an_unknown_command_is_asked_for_once(stub: Stub) -> None:
    done = circusctl("statsu", endpoint=stub.endpoint)
    assert (done.returncode, done.stderr) == (2, "error: unknown command statsu\ndid you mean status?\n")
    assert [name for name, _ in stub.asked] == ["commands"]


def test_a_word_after_plugins_that_is_no_command(stub: Stub) -> None:
    done = circusctl("plugins", "nwe", "x", endpoint=stub.endpoint)
    assert (done.returncode, done.stderr) == (2, "error: unknown command plugins nwe\ndid you mean plugins new?\n")
    done = circusctl("plugins", "show", "x", endpoint=f"{stub.endpoint}.none")
    assert done.stderr.startswith("error: unknown command plugins show\n")
    assert "no circusd answered" in done.stderr


def test_a_command_of_a_plugin_is_learned_from_circusd(stub: Stub) -> None:
    paint = Command(
        "paint", Role.OPERATE, "Paint a watcher.", Argument("name", "text", "Which.", required=True, positional=True),
        Argument("coats", "integer", "How often.", default=1), waits=True, help="Only in tests.",
    )  # fmt: skip
    stub.answers["commands"] = {"commands": [paint.schema()]}
    stub.answers["paint"] = {"colour": "red"}
    done = circusctl("paint", "web", "--coats", "2", "--endpoint", stub.endpoint)
    assert (done.returncode, done.stdout) == (0, '{"colour": "red"}\n')
    assert stub.of("paint") == [{"name": "web", "coats": 2}]
    done = circusctl("paint", endpoint=stub.endpoint)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: paint: NAME missing")
    assert "Only in tests." in circusctl("paint", "--help", endpoint=stub.endpoint).stdout
    assert "  paint " in circusctl("--help", endpoint=stub.endpoint).stdout


def test_help_and_version_need_no_circusd() -> None:
    assert circusctl("--version").stdout == f"circusctl {__version__}\n"
    for words in (("--help", "signal"), ("signal", "--help"), ("signal", "-h"), ("help", "signal")):
        done = circusctl(*words)
        assert done.returncode == 0
        assert done.stdout.startswith("usage: circusctl signal [options] NAME [PID] SIGNUM\n")
    for words in (("plugins", "new", "-h"), ("help", "plugins", "new"), ("help", "plugins_new")):
        assert circusctl(*words).stdout.startswith("usage: circusctl plugins new [options] NAME\n")
    for words in (("--help",), ("-h",), ("help",)):
        done = circusctl(*words, "--endpoint", "ipc:///nowhere/at/all")
        assert done.returncode == 0
        assert "  reloadconfig " in done.stdout
        assert "commands of plugins" not in done.stdout


def test_no_answer_says_what_to_check(tmp_path: Path) -> None:
    done = circusctl("--timeout", "0.2", "list", "--endpoint", f"ipc://{tmp_path}/none.sock")
    assert done.returncode == 1
    first, second, *advice = done.stderr.splitlines()
    assert first == "Timed out."
    assert (
        second
        == f"No answer from ipc://{tmp_path}/none.sock within 0.2 seconds: there is no socket {tmp_path}/none.sock."
    )
    assert "CIRCUSCTL_ENDPOINT" in "".join(advice)


def test_nobody_is_waited_for_who_is_known_not_to_be_there(tmp_path: Path) -> None:
    """Nobody asked for a timeout, so it ends before it would have timed out."""
    done = circusctl("list", endpoint=f"ipc://{tmp_path}/none.sock")
    assert (done.returncode, done.stdout) == (1, "")
    first, *advice = done.stderr.splitlines()
    assert first == f"No answer from ipc://{tmp_path}/none.sock: there is no socket {tmp_path}/none.sock."
    assert "pgrep" in advice[0]


def test_a_timeout_that_was_asked_for_is_kept(stub: Stub) -> None:
    stub.answers["stop"] = silence
    done = circusctl("stop", "--waiting", "--timeout", "0.2", endpoint=stub.endpoint)
    assert done.returncode == 1
    assert done.stderr.endswith("Whatever circusd has begun goes on.\n")
    assert [name for name, _ in stub.asked] == ["stop"]


def test_a_waiting_request_lasts_as_long_as_circusd_is_alive(stub: Stub) -> None:
    """The reply is sent only after the third sign of life, so the client must have asked for three."""
    stub.answers["stop"] = silence
    lives = iter(range(1, 4))

    def alive(_: Reply) -> Reply:
        if next(lives) == 3:
            stub.answers["numwatchers"] = silence
        return {"numwatchers": 1}

    stub.answers["numwatchers"] = alive
    with Client(stub.endpoint, timeout=0.1) as client, pytest.raises(NoAnswerError):
        client.request("stop", {"waiting": True})
    assert [name for name, _ in stub.asked] == ["stop"] + ["numwatchers"] * 4


def test_an_event_has_what_is_known_of_it(stub: Stub) -> None:
    told = {"event": "process_signaled", "seq": 7, "at": 0.0, "watcher": "web", "wid": 1, "signum": 15}
    stub.answers["events"] = {
        "events": [{**told, "pid": 40, "descendant_of": None}, {**told, "pid": 41, "descendant_of": 40}],
        "last": 7, "next": 7, "lost": None,
    }  # fmt: skip
    rows = circusctl("events", endpoint=stub.endpoint, TZ="UTC").stdout.splitlines()
    assert [row.partition(" ")[2] for row in rows] == [
        "7 process_signaled web wid=1 signum=SIGTERM pid=40",
        "7 process_signaled web wid=1 signum=SIGTERM pid=41 descendant_of=40",
    ]


def test_progress_is_not_for_pipes(stub: Stub) -> None:
    stub.answers["stop"] = [{"status": "progress", "text": "web: 0 of 2 stopped"}, {}]
    done = circusctl("stop", "--waiting", endpoint=stub.endpoint)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
    assert stub.of("stop") == [{"waiting": True}]


def test_a_reader_that_has_enough_is_no_mistake(stub: Stub) -> None:
    stub.answers["options"] = {"options": {f"option{number}": "x" * 1000 for number in range(1000)}}
    with subprocess.Popen(
        [*COMMAND, "options", "web"],
        env=environment(CIRCUSCTL_ENDPOINT=stub.endpoint),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_ctrl_c_ends_it_in_words(stub: Stub) -> None:
    reached, heard = os.pipe()

    def hear(_: Reply) -> None:
        os.write(heard, b"x")

    stub.answers["stop"] = hear
    with subprocess.Popen(
        [*COMMAND, "stop", "--waiting"],
        env=environment(CIRCUSCTL_ENDPOINT=stub.endpoint),
        stderr=subprocess.PIPE,
        text=True,
        # Tests that somebody runs in the background were started with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert os.read(reached, 1) == b"x"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert (process.returncode, said) == (1, "\nInterrupted. Whatever circusd has begun goes on.\n")


def test_options_are_typed_by_their_declarations(stub: Stub) -> None:
    stub.answers["set"] = {}
    words = ["numprocesses", "4", "graceful_timeout", "2.5", "stop_signal", "int", "copy_env", "yes", "umask", "022",
             "rlimit_nofile", "", "rlimit_core", "0", "env", "A=$WHERE,B=2", "cmd", "-x", "uid", "1000",
             "gid", "", "rlimit_as", "default"]  # fmt: skip
    done = circusctl("set", "web", *words, endpoint=stub.endpoint, WHERE="here")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    (asked,) = stub.of("set")
    assert asked["options"] == {
        "numprocesses": 4,
        "graceful_timeout": 2.5,
        "stop_signal": 2,
        "copy_env": True,
        "umask": "022",
        "rlimit_nofile": "unlimited",
        "rlimit_core": 0,
        "env": {"A": "here", "B": "2"},
        "cmd": "-x",
        "uid": 1000,
        "gid": None,
        "rlimit_as": None,
    }
    assert stub.of("schema") == []


def test_options_of_plugins_are_typed_by_circusds_schema(stub: Stub) -> None:
    stub.answers["add"] = stub.answers["set"] = {}
    stub.answers["schema"] = {
        "sections": {
            "watcher": {
                "properties": {
                    "colour": {"type": "string"},
                    "shiny": {"type": "boolean"},
                    "coats": {"type": "integer"},
                },
                "patternProperties": {"^hooks.": {"type": "array"}},
            }
        }
    }
    words = ["colour", "7", "shiny", "on", "coats", "", "hooks.before", "a,b", "anything.else", "1"]
    assert circusctl("set", "web", *words, endpoint=stub.endpoint).returncode == 0
    assert stub.of("set")[0]["options"] == {
        "colour": "7", "shiny": True, "coats": None, "hooks.before": ["a", "b"], "anything.else": "1",
    }  # fmt: skip
    assert len(stub.of("schema")) == 1
    done = circusctl("set", "web", "coats", "many", endpoint=stub.endpoint)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: coats = many: expected integer")
    circusctl("add", "--options", "shiny=no", "--options", "priority=3", "one", "sleep", "5", endpoint=stub.endpoint)
    assert stub.of("add") == [{"name": "one", "cmd": "sleep 5", "options": {"shiny": False, "priority": 3}}]


def test_a_value_that_an_option_cannot_have_is_wrong_usage(stub: Stub) -> None:
    done = circusctl("set", "web", "numprocesses", "many", endpoint=stub.endpoint)
    assert (done.returncode, stub.of("set")) == (2, [])
    assert done.stderr == "error: numprocesses = 'many' isn't an integer\nexpected a whole number, such as 3\n"


def test_lines_of_standard_input_are_commands(stub: Stub) -> None:
    stub.answers["status"] = STATES
    stub.answers["stop"] = refusal("program no such not found")
    text = "list\n# a remark\n\nstop 'no such'\nbogus --json\nlist \"\nstatus\n"
    done = circusctl(endpoint=stub.endpoint, stdin=text)
    assert done.stdout == "api,web\napi: stopped\nweb: active\n"
    assert [line for line in done.stderr.splitlines() if line.startswith("error")] == [
        "error: program no such not found",
        "error: unknown command bogus",
        "error: the line cannot be read: No closing quotation",
    ]
    assert done.returncode == 3
    assert stub.of("stop") == [{"name": "no such"}]
    assert circusctl(endpoint=stub.endpoint, stdin="").returncode == 0


def test_details_that_were_asked_for_are_shown_in_a_pipe_too(stub: Stub) -> None:
    stub.answers["status"] = {"status": "active", "details": {"web": detail(last_error="it was cold")}}
    done = circusctl("status", "web", "--extended", endpoint=stub.endpoint)
    assert "it was cold" in done.stdout
    assert "\x1b" not in done.stdout
    assert stub.of("status") == [{"name": "web", "extended": True}]


def test_a_bad_key_file_is_wrong_usage(tmp_path: Path) -> None:
    done = circusctl("list", "--key", str(tmp_path / "none.key"))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: the key file {tmp_path}/none.key cannot be read")
