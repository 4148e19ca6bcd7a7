"""A reload of sockets before and after: what its plan says, and what is told where several cannot be had."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from tests.plugins.sockets.serving import answer, call, pids

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd


def configuration(server: str, web: str, api: str, more: str = "") -> str:
    return f"""
[socket:web]
{web}
[socket:api]
path = {api}
[watcher:Web]
cmd = {server} $(circus.sockets.web)
copy_env = True
[watcher:api]
cmd = {server} $(circus.sockets.api)
copy_env = True
[watcher:idle]
cmd = {server} $(circus.sockets.web)
autostart = False
{more}
"""


def plan(run: Circusd) -> set[tuple[str, str, str]]:
    found = call(run, "reloadconfig", plan=True)["plan"]
    assert len(found) == len({tuple(each.items()) for each in found})
    return {(each["action"], each["target"], each["why"]) for each in found}


@pytest.mark.covers("hook:circus_plan_config", "hook:circus_follow_config", "error:several")
def test_each_that_cannot_be_had_is_told_and_planned_again(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    run = circusd(configuration(server, f"path = {tmp_path}/web", f"{tmp_path}/api")).up()
    before = pids(run, "Web"), pids(run, "api")
    assert plan(run) == set()
    changed = {("update", f"socket:{name}", "its section changed") for name in ("web", "api")}
    rolled = {
        ("reload", "Web", "it uses socket:web, and there will be another"),
        ("reload", "api", "it uses socket:api, and there will be another"),
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        at = f"host = 127.0.0.1\nport = {port}"
        run.configure(configuration(server, at, f"{tmp_path}/none/api"))
        assert plan(run) == changed | rolled
        with pytest.raises(CircusError) as caught:
            call(run, "reloadconfig", waiting=True)
        first, web, api = str(caught.value).splitlines()
        assert first == "2 of 2 failed:"
        assert web.startswith(f"[socket:web] 127.0.0.1:{port} cannot be opened: Address already in use (")
        assert web.endswith(f"(pid {os.getpid()}) has it: end that, or choose another port)")
        assert api == (
            f"[socket:api] {tmp_path}/none/api cannot be opened: No such file or directory"
            " (the folder is not there: make it)"
        )
        for line in (web, api):
            assert f"reloadconfig: {line}" in run.output()
        assert before == (pids(run, "Web"), pids(run, "api"))
    again = {("update", f"socket:{name}", "it could not be changed before") for name in ("web", "api")}
    assert plan(run) == again | rolled
    (tmp_path / "none").mkdir()
    done = call(run, "reloadconfig", waiting=True)
    assert {each["target"] for each in done["plan"]} == {"socket:web", "socket:api", "Web", "api"}
    assert plan(run) == set()
    assert answer(("127.0.0.1", port)).startswith(f"{pids(run, 'Web')[0]} ")
    assert answer(f"{tmp_path}/none/api").startswith(f"{pids(run, 'api')[0]} ")


def test_one_that_was_never_opened_is_planned_again(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    run = circusd(configuration(server, f"path = {tmp_path}/none/web", f"{tmp_path}/api"))
    until(lambda: "circusd is up" in run.output())
    assert plan(run) == {("update", "socket:web", "it could not be opened before")}
    with pytest.raises(
        CircusError, match=r"^Web was not started: \[socket:web\] .*No such file or directory"
    ) as caught:
        call(run, "start", name="Web", waiting=True)
    assert caught.value.hint == "the folder is not there: make it"
    (tmp_path / "none").mkdir()
    call(run, "reloadconfig", waiting=True)
    assert plan(run) == set()
    call(run, "start", name="Web", waiting=True)
    assert answer(f"{tmp_path}/none/web")


def test_processes_that_did_not_come_over_are_planned_again(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    program = tmp_path / "server.py"
    text = program.read_text()
    ready = f"[watcher:third]\ncmd = {server} $(circus.sockets.api)\ncopy_env = True\nready = accepting"
    run = circusd(configuration(server, f"path = {tmp_path}/web", f"{tmp_path}/api", ready)).up()
    program.write_text("raise SystemExit(3)")
    run.configure(configuration(server, f"path = {tmp_path}/web", f"{tmp_path}/other", ready))
    with pytest.raises(CircusError, match="third was not reloaded"):
        call(run, "reloadconfig", waiting=True)
    assert ("reload", "third", "its processes have a socket that was exchanged before") in plan(run)
    program.write_text(text)
    call(run, "reloadconfig", waiting=True)
    assert plan(run) == set()


@pytest.mark.covers("command:add")
def test_a_watcher_that_a_command_added_gets_the_exchanged_socket_too(
    circusd: Callable[..., Circusd], server: str, tmp_path: Path
) -> None:
    run = circusd(configuration(server, f"path = {tmp_path}/web", f"{tmp_path}/api")).up()
    call(
        run, "add", name="third", cmd=f"{server} $(circus.sockets.api)", options={"copy_env": True}, start=True,
        waiting=True,
    )  # fmt: skip
    before = pids(run, "third")
    run.configure(configuration(server, f"path = {tmp_path}/web", f"{tmp_path}/other"))
    assert ("reload", "third", "it uses socket:api, and there will be another") in plan(run)
    call(run, "reloadconfig", waiting=True)
    assert pids(run, "third") not in (before, [])
