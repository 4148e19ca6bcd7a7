"""circusctl on a pseudo-terminal: tables, colours, widths, the progress line, and the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_core import __version__
from circus_core.requests import Argument, Command, Role
from tests.plugins.ctl.running import Screen, circusctl, on_terminal, plain, rows
from tests.plugins.ctl.stub import Reply, Stub, detail, refusal

if TYPE_CHECKING:
    from pathlib import Path

DETAILS = {
    "web": detail(numprocesses=2, processes=[{"wid": wid, "pid": 40 + wid, "state": "ready", "age": 3725.0,
                                              "restarts": wid} for wid in (1, 2)], restarts=3),
    "sick": detail(processes=[], uptime=2.0, restarts=7, waiting=[{"wid": 1, "in": 4.0, "failures": 7}],
                   last_exit={"pid": 9, "wid": 1, "exit_code": -11, "at": 1.0}),
    "dead": detail(state="stopped", processes=[], uptime=None, gave_up=[{"wid": 1, "reason": "no such program"}]),
}  # fmt: skip


def _status(properties: Reply) -> Reply:
    if "name" in properties:
        name = properties["name"]
        return {"status": DETAILS[name]["state"], "details": {name: DETAILS[name]}}
    return {"statuses": {name: entry["state"] for name, entry in DETAILS.items()}, "details": DETAILS}


def test_status_is_a_table(stub: Stub) -> None:
    stub.answers["status"] = _status
    status, seen = on_terminal("status", endpoint=stub.endpoint, columns=100)
    assert status == 0
    assert rows(seen) == [
        "WATCHER  STATE    UP   UPTIME  RESTARTS  LAST ERROR",
        "dead     stopped  0/1  -       0         gave up: no such program",
        "sick     active   0/1  2s      7         next try in 4s: ended by SIGSEGV",
        "web      active   2/2  1h 02m  3",
    ]
    assert "\x1b[32mactive\x1b[0m" in seen
    assert "\x1b[33mactive\x1b[0m" in seen
    assert "\x1b[31mstopped\x1b[0m" in seen
    assert stub.of("status") == [{"extended": True}]


def test_status_of_one_has_everything(stub: Stub) -> None:
    stub.answers["status"] = _status
    _, seen = on_terminal("status", "web", endpoint=stub.endpoint)
    assert rows(seen) == [
        "web: active, 2 of 2 up",
        "  uptime    1h 02m",
        "  restarts  3",
        "",
        "  WID  PID  STATE  AGE     RESTARTS",
        "  1    41   ready  1h 02m  1",
        "  2    42   ready  1h 02m  2",
    ]
    _, seen = on_terminal("status", "dead", endpoint=stub.endpoint)
    assert "  1    -    gave up  -    -         no such program" in rows(seen)


def test_no_colours_where_nobody_wants_them(stub: Stub) -> None:
    stub.answers["status"] = _status
    for changes in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        _, seen = on_terminal("status", endpoint=stub.endpoint, **changes)
        assert "\x1b" not in seen
        assert "WATCHER" in seen


def test_a_table_is_cut_to_the_terminal(stub: Stub) -> None:
    stub.answers["status"] = {
        "statuses": {"wide": "active", "日本": "active"},
        "details": {"wide": detail(last_error="words " * 50), "日本": detail(last_error="a\x1b[2Jb\nc")},
    }
    _, seen = on_terminal("status", endpoint=stub.endpoint, columns=60)
    assert all(len(row) <= 60 for row in rows(seen))
    assert rows(seen)[1].endswith("…")
    assert "\x1b[2J" not in seen
    assert rows(seen)[2].startswith("日本     active")
    assert rows(seen)[2].endswith("a\ufffd[2Jb c")


def test_options_are_never_cut(stub: Stub) -> None:
    stub.answers["get"] = {"options": {"cmd": "x" * 200, "env": {"A": "1"}}}
    _, seen = on_terminal("get", "web", "cmd", "env", endpoint=stub.endpoint, columns=40)
    assert plain(seen) == f"cmd  {'x' * 200}\nenv  A=1\n"


def test_plans_plugins_and_commands_are_tables(stub: Stub) -> None:
    stub.answers["reloadconfig"] = {"plan": [{"action": "restart", "target": "web", "why": "cmd changed"}]}
    assert rows(on_terminal("reloadconfig", "--plan", endpoint=stub.endpoint)[1]) == [
        "ACTION   TARGET  WHY",
        "restart  web     cmd changed",
    ]
    stub.answers["reloadconfig"] = {"plan": []}
    assert rows(on_terminal("reloadconfig", "--plan", endpoint=stub.endpoint)[1]) == ["Nothing to do."]
    stub.answers["plugins"] = {
        "plugins": [
            {"name": "a", "use": "m:A", "host": "core", "hooks": ["circus_startup"], "failures": 0, "disabled": False},
            {"name": "b", "host": "core", "hooks": [], "failures": 3, "last_error": "oh no", "disabled": True},
        ]
    }
    assert rows(on_terminal("plugins", endpoint=stub.endpoint)[1]) == [
        "PLUGIN  HOST  HEALTH    LAST ERROR, OR HOOKS",
        "a       core  well      startup",
        "b       core  disabled  oh no",
        "",
        "`circusctl plugins --installed` lists what is installed besides.",
    ]
    assert rows(on_terminal("commands", endpoint=stub.endpoint)[1])[0].split() == ["COMMAND", "ROLE"]


def test_the_health_of_a_plugin_in_words(stub: Stub) -> None:
    well = {"host": "process", "started": True, "failures": 0, "last_error": "", "disabled": False, "behind": 0}
    for changes, health in (
        ({}, "well"),
        ({"started": False}, "not at work"),
        ({"started": False, "last_error": "no database"}, "not at work"),
        ({"failures": 1}, "failed once"),
        ({"failures": 2}, "failed 2 times"),
        ({"behind": 1, "failures": 2}, "1 event behind"),
        ({"behind": 99}, "99 events behind"),
        ({"started": False, "disabled": True}, "disabled"),
    ):
        stub.answers["plugins"] = {"plugins": [{"name": "a", **well, **changes}]}
        row = rows(on_terminal("plugins", endpoint=stub.endpoint)[1])[1]
        assert row == f"a       process  {health}  {changes.get('last_error', '')}".rstrip()


def test_installed_plugins_are_a_table(stub: Stub) -> None:
    told = {"name": "lamp", "path": "acme:Lamp", "distribution": "acme", "version": "1.0", "loaded": [], "problem": ""}
    loaded = [{"name": "desk", "host": "core"}, {"name": "hall", "host": "process"}]
    stub.answers["plugins"] = {
        "plugins": [],
        "installed": [told, {**told, "name": "light", "loaded": loaded}, {**told, "name": "sun", "problem": "claimed"}],
    }
    assert rows(on_terminal("plugins", "--installed", endpoint=stub.endpoint)[1]) == [
        "INSTALLED  LOADED AS                    FROM      CODE",
        "lamp       no                           acme 1.0  acme:Lamp",
        "light      desk (core), hall (process)  acme 1.0  acme:Lamp",
        "sun        no                           acme 1.0  acme:Lamp",
        "",
        "sun  claimed",
    ]
    assert stub.of("plugins") == [{"installed": True}]
    done = circusctl("plugins", "list", "--installed", endpoint=stub.endpoint)
    assert done.stdout.splitlines()[0] == "lamp: acme:Lamp, acme 1.0"


def test_one_plugin_at_length(stub: Stub) -> None:
    show = Command("plugins_show", Role.VIEW, "One.", Argument("name", "text", "Which.", positional=True))
    stub.answers["commands"] = {"commands": [show.schema()]}
    entry = {"name": "a", "use": "lamp", "installed": "lamp by acme 1.0", "host": "process", "watcher": "plugin:a",
             "pid": 7, "started": True, "hooks": ["circus_startup", "circus_event"], "failures": 0, "last_error": "",
             "disabled": False, "behind": 0, "options": {"watts": 40, "where": None}, "adds_commands": [],
             "adds_options": ["[watcher] lamp"], "adds_sections": []}  # fmt: skip
    stub.answers["plugins_show"] = {"plugin": entry}
    assert rows(on_terminal("plugins", "show", "a", endpoint=stub.endpoint)[1]) == [
        "a: well, in the process of plugin:a, pid 7",
        "  use           lamp",
        "  installed as  lamp by acme 1.0",
        "  hooks         startup, event",
        "  adds options  [watcher] lamp",
        "",
        "  OPTION  VALUE",
        "  watts   40",
        "  where",
    ]
    stub.answers["plugins_show"] = {"plugin": {"name": "b", "host": "core", "started": False, "last_error": "oh no"}}
    assert rows(on_terminal("plugins", "show", "b", endpoint=stub.endpoint)[1]) == [
        "b: not at work, inside circusd",
        "  last error  oh no",
    ]


def test_progress_is_one_line_that_vanishes(stub: Stub) -> None:
    stub.answers["stop"] = [
        {"status": "progress", "text": "web: 0 of 2 stopped"},
        {"status": "progress", "text": "web: 1 of 2 " + "stopped" * 20},
        {},
    ]
    status, seen = on_terminal("stop", "--waiting", endpoint=stub.endpoint, columns=40)
    assert status == 0
    first, second, third, last = seen.split("\r\x1b[K")
    assert (first, second) == ("", "web: 0 of 2 stopped")
    assert len(third) == 39
    assert last == "ok\r\n"


def test_the_prompt(stub: Stub, tmp_path: Path) -> None:
    stub.answers["status"] = _status
    stub.answers["stop"] = {}
    with Screen(endpoint=stub.endpoint, XDG_STATE_HOME=str(tmp_path), HOME=str(tmp_path)) as screen:
        seen = screen.until("(circusctl)")
        assert plain(seen).startswith(f"circusctl {__version__}\nWATCHER")
        screen.type("help stop\r")
        screen.until("usage: circusctl stop")
        screen.until("(circusctl)")
        screen.type("stop 'my watcher'\r")
        screen.until("ok")
        screen.until("(circusctl)")
        screen.type("sto\t")
        screen.until("stop")
        screen.type("ap\t")
        screen.until("api")
        screen.type("\r")
        screen.until("ok")
        screen.until("(circusctl)")
        stub.answers["stop"] = refusal("not now")
        screen.type("stop\r")
        screen.until("error: not now")
        screen.until("(circusctl)")
        screen.type("quit\r")
        screen.until("[y/N]")
        screen.type("\r")
        screen.until("(circusctl)")
        screen.type("\x04")
        status, _ = screen.finish()
    assert status == 0
    assert stub.of("stop") == [{"name": "my watcher"}, {"name": "api"}, {}]
    assert stub.of("quit") == []
    history = tmp_path / "circus" / "circusctl_history"
    assert "+stop 'my watcher'\n" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600


def test_keys_at_the_prompt_count_in_their_order_however_fast_they_come(stub: Stub, tmp_path: Path) -> None:
    stub.answers["list"] = {"watchers": ["api", "web-1", "web-2", "my watcher"]}
    stub.answers["stop"] = stub.answers["start"] = {}
    stub.answers["commands"] = {"commands": []}
    with Screen(endpoint=stub.endpoint, XDG_STATE_HOME=str(tmp_path)) as screen:
        screen.until("(circusctl)")
        for keys in ("sto\tap\t\r", "sto\tw\t2\t\r", "stop w\t\t\t\r", "stop 'my\t\r", "start zz\t\r"):
            screen.type(keys)
            screen.until("ok")
            screen.until("(circusctl)")
        screen.type("stop w\t\t")
        screen.until("web-2")
        screen.type("\x03\x04")
        assert screen.finish()[0] == 0
    assert stub.of("stop") == [{"name": name} for name in ("api", "web-2", "web-1", "my watcher")]
    assert stub.of("start") == [{"name": "zz"}]


def test_the_prompt_goes_on_without_circusd(tmp_path: Path) -> None:
    with Screen("--timeout", "0.1", endpoint=f"ipc://{tmp_path}/none", XDG_STATE_HOME=str(tmp_path)) as screen:
        screen.until("Timed out.")
        screen.until("(circusctl)")
        screen.type("exit\r")
        assert screen.finish()[0] == 0
