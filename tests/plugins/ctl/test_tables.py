"""Tables at several widths: what is cut and where, what goes on in further lines, and letters of other widths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.requests import Argument, Command, Role
from circus_plugins.ctl.tables import columns, shorten, squeeze
from tests.plugins.ctl.running import on_terminal, rows
from tests.plugins.ctl.stub import Stub, detail

if TYPE_CHECKING:
    from tests.plugins.ctl.stub import Reply

NAMES = ("日本語のウォッチャー", "👩🏽 family", "❤️", "cafe\u0301", "العربية", "web")


def statuses(names: list[str], **entry: object) -> Reply:
    return {"statuses": dict.fromkeys(names, "active"), "details": {name: detail(**entry) for name in names}}


@given(st.text("ab日é\u0301❤👩", max_size=40), st.integers(1, 30))
def test_a_text_is_cut_to_the_columns_there_are(text: str, width: int) -> None:
    for cut in (shorten(text, width), squeeze(text, width)):
        assert columns(cut) <= width
        assert cut == text or "…" in cut


def test_a_name_that_is_too_long_keeps_both_ends(stub: Stub) -> None:
    blue, green = (f"shop-production-eu-central-1-workers-of-the-queue-{colour}" for colour in ("blue", "green"))
    stub.answers["status"] = statuses([blue, green], last_error="words " * 20)
    head, *found = rows(on_terminal("status", endpoint=stub.endpoint)[1])
    assert [row.split()[0][:5] for row in found] == ["shop-", "shop-"]
    assert [row.split()[0].rpartition("-")[2] for row in found] == ["blue", "green"]
    assert all(columns(row) <= 80 for row in (head, *found))
    _, *found = rows(on_terminal("status", endpoint=stub.endpoint, columns=250)[1])
    assert [row.split()[0] for row in found] == [blue, green]


@pytest.mark.parametrize("width", [80, 200])
def test_names_of_any_letters_are_in_a_column(stub: Stub, width: int) -> None:
    stub.answers["status"] = statuses(list(NAMES))
    head, *found = rows(on_terminal("status", endpoint=stub.endpoint, columns=width)[1])
    assert {columns(row.partition("active")[0]) for row in found} == {head.index("STATE")}


def test_a_table_higher_than_the_terminal_ends_with_what_it_comes_to(stub: Stub) -> None:
    names = [f"worker-{number:03}" for number in range(300)]
    stub.answers["status"] = statuses(names)
    stub.answers["status"]["statuses"]["worker-007"] = "stopped"
    for number in (5, 250):
        stub.answers["status"]["details"][f"worker-{number:03}"]["processes"] = []
    *_, empty, counts, ill = rows(on_terminal("status", endpoint=stub.endpoint)[1])
    assert (empty, counts) == ("", "300 watchers: 299 active, 1 stopped")
    assert ill == "2 not well: worker-005, worker-250"
    stub.answers["status"] = statuses(names)
    assert rows(on_terminal("status", endpoint=stub.endpoint)[1])[-1] == "300 watchers: 300 active"
    stub.answers["status"] = statuses(names[:38])
    assert len(rows(on_terminal("status", endpoint=stub.endpoint)[1])) == 39


def test_long_texts_of_plugins_and_commands_go_on_in_further_lines(stub: Stub) -> None:
    hooks = [f"circus_hook_{number}" for number in range(20)]
    stub.answers["plugins"] = {"plugins": [{"name": "a", "host": "core", "hooks": hooks}]}
    found = rows(on_terminal("plugins", endpoint=stub.endpoint)[1])[:-2]
    assert max(map(len, found)) <= 80
    assert {row[:20].strip() for row in found[2:]} == {""}
    assert " ".join(" ".join(found[1:]).split()[3:]) == ", ".join(hook.removeprefix("circus_") for hook in hooks)
    stub.answers["commands"] = {"commands": [{"name": "plugins_add", "role": "admin", "summary": "Very long. " * 12}]}
    found = rows(on_terminal("commands", endpoint=stub.endpoint)[1])
    assert found[1].startswith("plugins add  admin  Very")
    assert " ".join(" ".join(found).split()).count("Very long.") == 12


def test_nothing_to_list_is_said(stub: Stub) -> None:
    stub.answers["status"] = statuses([])
    stub.answers["list"] = lambda asked: {"pids": []} if "name" in asked else {"watchers": []}
    assert rows(on_terminal("status", endpoint=stub.endpoint)[1]) == ["No watchers."]
    assert rows(on_terminal("list", endpoint=stub.endpoint)[1]) == ["No watchers."]
    assert rows(on_terminal("list", "web", endpoint=stub.endpoint)[1]) == ["No processes."]


def test_the_schema_is_json(stub: Stub) -> None:
    stub.answers["schema"] = {"sections": {"circus": {"type": "object"}}}
    assert rows(on_terminal("schema", endpoint=stub.endpoint)[1])[1:3] == ['  "circus": {', '    "type": "object"']


USE = {"pid": 42, "cmdline": "sh", "cpu": 1.5, "mem": 0.25, "mem_info1": "1.42M", "ctime": "0:00.05"}
MORE = {"threads": 1, "open_files": 3, "read_bytes": 0, "write_bytes": None, "restarts": 2}


@pytest.fixture
def measured(stub: Stub) -> Stub:
    name = Argument("name", "text", "Whose.", positional=True)
    known = [Command(each, Role.VIEW, "Figures.", name) for each in ("stats", "dstats")]
    stub.answers["commands"] = {"commands": [command.schema() for command in known]}
    return stub


def test_what_processes_use(measured: Stub) -> None:
    gone = "No such process (stopped?)"
    measured.answers["stats"] = {"name": "web", "info": {"42": {**USE, "children": [{**USE, "pid": 43}]}, "44": gone}}
    assert rows(on_terminal("stats", "web", endpoint=measured.endpoint)[1]) == [
        "WATCHER  PID   PROGRAM                     CPU %  MEM %  RSS    TIME",
        "web      42    sh                          1.5    0.25   1.42M  0:00.05",
        "           43  sh                          1.5    0.25   1.42M  0:00.05",
        "web      44    No such process (stopped?)",
    ]


def test_what_processes_use_at_length(measured: Stub) -> None:
    measured.answers["stats"] = {"infos": {"web": {"42": {**USE, **MORE}}, "idle": {}}}
    assert rows(on_terminal("stats", endpoint=measured.endpoint)[1]) == [
        "WATCHER  PID  PROGRAM  CPU %  RSS    THR  FDS  READ  WRITTEN  RESTARTS",
        "web      42   sh       1.5    1.42M  1    3    0              2",
    ]


def test_the_share_of_memory_has_a_column_where_it_was_asked_for(measured: Stub) -> None:
    measured.answers["stats"] = {"name": "web", "info": {"42": {**USE, **MORE, "pss": 8192}}}
    head, line = rows(on_terminal("stats", "web", endpoint=measured.endpoint)[1])
    assert (head.split()[-1], line.split()[-1]) == ("PSS", "8192")


def test_what_circusd_uses(measured: Stub) -> None:
    measured.answers["dstats"] = {"info": {**USE, "children": []}}
    assert rows(on_terminal("dstats", endpoint=measured.endpoint)[1])[1].split() == [
        "circusd", "42", "sh", "1.5", "0.25", "1.42M", "0:00.05",
    ]  # fmt: skip
