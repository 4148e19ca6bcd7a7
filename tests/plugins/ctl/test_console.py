"""What scripts read: the console column of PROTOCOL.md 1.5, and 8.2."""

from __future__ import annotations

from typing import Any

import pytest

from circus_core.requests import COMMANDS
from circus_plugins.ctl.console import KNOWN, lines

INFO = {
    "pid": 42, "cmdline": "python", "username": "bob", "nice": 0, "mem_info1": "12.34M", "mem_info2": "1.00G",
    "cpu": 0.5, "mem": 1.234, "ctime": "0:01.7", "create_time": 1.0, "age": 2.0,
}  # fmt: skip
LINE = "42  python bob 0 12.34M 1.00G 0.5 1.234 0:01.7"


@pytest.mark.parametrize(
    ("command", "fields", "expected"),
    [
        ("status", {"statuses": {"b": "stopped", "a": "active"}}, ["a: active", "b: stopped"]),
        ("status", {"status": "stopping"}, ["stopping"]),
        ("list", {"watchers": ["a", "b"]}, ["a,b"]),
        ("list", {"pids": [12, 7]}, ["12,7"]),
        ("list", {"pids": []}, [""]),
        ("get", {"options": {"uid": None, "env": {"A": "b", "C": "d"}, "shell": False, "graceful_timeout": 30.0}},
         ["uid: ", "env: A=b,C=d", "shell: False", "graceful_timeout: 30.0"]),
        ("globaloptions", {"options": {"endpoint": "ipc://x"}}, ["endpoint: ipc://x"]),
        ("numprocesses", {"numprocesses": 3}, ["3"]),
        ("numwatchers", {"numwatchers": 0}, ["0"]),
        ("incr", {"numprocesses": 2}, ["2"]),
        ("incr", {}, ["ok"]),
        ("decr", {"numprocesses": 1, "singleton": True},
         ["This watcher is a Singleton - not changing the number of processes"]),
        ("restart", {"info": {"started": [1], "stopped": [2], "kept": []}}, ["ok"]),
        ("add", {"started": [1], "kept": []}, ["ok"]),
        ("quit", {}, ["ok"]),
        ("listsockets", {"sockets": [{"fd": fd, "name": name, "path": "/x"}
                                     for fd, name in ((5, "b"), (4, "a"), (9, "a"))]},
         ["4:socket 'a' at /x", "9:socket 'a' at /x", "5:socket 'b' at /x"]),
        ("listsockets", {"sockets": [{"fd": 7, "name": "u", "backlog": 9, "path": "/run/u"},
                                     {"fd": 5, "name": "t", "backlog": 9, "host": "127.0.0.1", "port": 80}]},
         ["5:socket 't' at 127.0.0.1:80", "7:socket 'u' at /run/u"]),
        ("stats", {"infos": {"Web": {"42": {**INFO, "children": [INFO]}}, "x": {"7": "No such process (stopped?)"}}},
         ["Web:", f"42: {LINE}", f"   {LINE}", "x:", "7: No such process (stopped?)"]),
        ("stats", {"name": "web", "info": {"42": INFO}}, ["web:", f"42: {LINE}"]),
        ("stats", {"name": "web", "process": 42, "info": INFO}, [f"42: {LINE}", ""]),
        ("dstats", {"info": {**INFO, "children": []}}, ["Main Process:", f"    {LINE}"]),
        ("dstats", {"info": {**INFO, "children": [INFO]}},
         ["Main Process:", f"    {LINE}", "Children:", f"    {LINE}"]),
        ("reloadconfig", {}, ["ok"]),
        ("reloadconfig", {"plan": [{"action": "restart", "target": "web", "why": "cmd changed"}]},
         ["restart web (cmd changed)"]),
        ("frobnicate", {"answer": [1]}, ['{"answer": [1]}']),
    ],
)  # fmt: skip
def test_lines(command: str, fields: dict[str, Any], expected: list[str]) -> None:
    assert lines(command, {"status": "ok", "time": 1.5, **fields, "id": 3}, {"plan": True}) == expected


def test_a_plan_is_shown_to_scripts_only_if_they_asked_for_it() -> None:
    done = {"status": "ok", "plan": [{"action": "restart", "target": "web", "why": "cmd changed"}]}
    assert lines("reloadconfig", done, {"waiting": True}) == ["ok"]


def test_only_replies_that_circus_does_not_have_are_shown_as_json() -> None:
    assert COMMANDS.keys() - KNOWN == {"listen", "schema"}
