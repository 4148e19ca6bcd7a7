"""A user to whom `endpoint_owner` gave the endpoint, at a circusd of root's: what is theirs, and what is not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.errors import ForbiddenError, RequestError
from circus_core.model import WatcherOptions
from circus_core.options import Effect, declared
from circus_core.requests import COMMANDS, Role
from circus_plugins.control.ownership import ADMITTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to somebody")

CONFIGURATION = """
    [circus]
    endpoint_owner = nobody

    [watcher:roots]
    cmd = sleep 600

    [watcher:theirs]
    cmd = sleep 600
    uid = nobody

    [watcher:grouped]
    cmd = sleep 600
    uid = nobody
    gid = root
"""


@pytest.fixture
def daemon(circusd: Callable[..., Circusd]) -> Circusd:
    return circusd(CONFIGURATION).up()


def refused(daemon: Circusd, command: str, **properties: Any) -> bool:
    try:
        daemon.call(command, **properties)
    except RequestError as error:
        if not error.message.startswith("uid does not match endpoint_owner"):
            raise
        return True
    return False


@pytest.mark.covers("circus-option:endpoint_owner")
def test_nothing_is_launched_for_the_owner_as_somebody_else(daemon: Circusd) -> None:
    wanted: tuple[tuple[str, object], ...] = (
        ("cmd", "id"),
        ("args", "x"),
        ("executable", "/bin/id"),
        ("env", {"LD_PRELOAD": "/tmp/x.so"}),
        ("working_dir", "/"),
        ("shell", True),
        ("umask", "0"),
        ("rlimit_core", 0),
        ("uid", "nobody"),
        ("virtualenv", "/tmp"),
        ("redirect_stderr", True),
        ("stdout_stream.class", "FileStream"),
        ("stderr_stream.filename", "/etc/cron.d/x"),
    )
    for key, value in wanted:
        for name in ("roots", "ROOTS", "grouped"):
            assert refused(daemon, "set", name=name, options={"max_age": 0, key: value}), key
    assert daemon.call("get", name="roots", keys=["cmd", "uid"])["options"] == {"cmd": "sleep 600", "uid": None}
    with pytest.raises(RequestError, match="roots runs as circusd's user, so cmd is not for user 65534 to change"):
        daemon.call("set", name="roots", options={"cmd": "id"})
    with pytest.raises(RequestError, match="grouped runs as uid nobody and gid root, so cmd is not"):
        daemon.call("set", name="grouped", options={"cmd": "id"})


def test_every_option_that_decides_what_is_launched_is_refused(daemon: Circusd) -> None:
    for entry in declared(WatcherOptions).values():
        if entry.effect not in (Effect.NOW, Effect.SCALE):
            assert refused(daemon, "set", name="roots", options={entry.key + ("core" if entry.prefix else ""): None})


def test_what_circusd_reads_or_runs_itself_is_refused_too(daemon: Circusd) -> None:
    for options in (
        {"env_file": "/etc/shadow"},
        {"stdout_stream.filename": "/etc/cron.d/x"},
        {"stderr_stream": {"filename": "/x"}},
    ):
        assert refused(daemon, "set", name="theirs", options=options)
        assert refused(daemon, "add", name="new", cmd="env", options={"uid": "nobody", **options})
    assert not refused(daemon, "set", name="theirs", options={"env_file": None})
    for command in ("plugins_add", "plugins_set"):
        with pytest.raises(ForbiddenError, match=f"{command} is not for user 65534"):
            daemon.call(command, name="watchdog", use="watchdog", options={})


def test_every_command_of_an_administrator_is_judged() -> None:
    """A new one is refused to the owner until somebody has thought about it, and has put it here too."""
    administrators = {name for name, command in COMMANDS.items() if command.role is Role.ADMIN}
    assert administrators == {"add", "ipython", "quit", "reloadconfig", "rm", "set"}
    assert administrators | {"plugins_rm", "plugin_report", "history_answer"} == ADMITTED


def test_a_section_that_names_another_account_takes_back_what_was_set(daemon: Circusd) -> None:
    daemon.call("set", name="theirs", options={"cmd": "sleep 601", "numprocesses": 2}, waiting=True)
    daemon.configure(CONFIGURATION.replace("uid = nobody\n", "uid = root\n", 1))
    daemon.call("reloadconfig", waiting=True)
    options = daemon.call("get", name="theirs", keys=["cmd", "uid", "numprocesses"])["options"]
    assert options == {"cmd": "sleep 600", "uid": "root", "numprocesses": 2}
    assert refused(daemon, "set", name="theirs", options={"cmd": "sleep 601"})


def test_a_user_without_an_account_has_no_group_to_run_in(circusd: Callable[..., Circusd]) -> None:
    daemon = circusd("[circus]\nendpoint_owner = 54321\n[watcher:theirs]\ncmd = sleep 600\nuid = 54321\n").up()
    assert refused(daemon, "add", name="new", cmd="id", options={"uid": 54321})
    assert refused(daemon, "add", name="new", cmd="id", options={"uid": 54321, "gid": 54321})
    assert refused(daemon, "set", name="theirs", options={"cmd": "id"})
    assert not refused(daemon, "set", name="theirs", options={"numprocesses": 0})


def test_the_owner_changes_what_is_theirs_and_how_many_run_of_the_rest(daemon: Circusd) -> None:
    for name in ("roots", "theirs"):
        assert not refused(daemon, "set", name=name, options={"numprocesses": 2, "graceful_timeout": 1})
    assert not refused(daemon, "set", name="theirs", options={"cmd": "sleep 601", "gid": "nogroup"})
    assert not refused(daemon, "set", name="theirs", options={"uid": 65534})
    for options in ({"uid": "root"}, {"uid": None}, {"gid": "root"}, {"gid": 0}, {"gid": "no-such-group"}):
        assert refused(daemon, "set", name="theirs", options=options)
        assert refused(daemon, "add", name="new", cmd="id", options={"uid": "nobody", **options})
    assert refused(daemon, "add", name="new", cmd="id")
    assert not refused(daemon, "add", name="new", cmd="sleep 600", options={"uid": "nobody"})
    assert not refused(daemon, "set", name="new", options={"args": "1"})
