"""What files tell about endpoints is told by line before anything starts; what the machine tells, by who asked."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.assembly import assemble
from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.errors import ConfigError
from circus_core.supervisor import Supervisor
from circus_plugins.client import AsyncClient
from circus_plugins.doors import keys
from tests.e2e.program import run
from tests.plugins.test_moving import free_port

if TYPE_CHECKING:
    from pathlib import Path


def mistakes(tmp_path: Path, *lines: str, more: str = "") -> list[str]:
    """What is said of a configuration whose [circus] has these lines."""
    path = tmp_path / "app.ini"
    path.write_text("\n".join(["[circus]", *lines, more]))
    try:
        assemble(str(path), plugins=DEFAULT_PLUGINS)
    except ConfigError as error:
        return str(error).replace(f"{tmp_path}/", "").splitlines()
    return []


@pytest.mark.covers("circus-option:endpoint", "circus-option:pubsub_endpoint", "circus-option:stats_endpoint")
@pytest.mark.parametrize("option", ["endpoint", "pubsub_endpoint", "stats_endpoint"])
@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("foo", "expected ipc:///PATH or tcp://HOST:PORT"),
        ("tcp://127.0.0.1:99999", "ports end at 65535"),
        ("ipc://", "expected such as ipc:///run/app/control.sock"),
    ],
)
def test_what_is_no_endpoint(tmp_path: Path, option: str, text: str, right: str) -> None:
    (said,) = mistakes(tmp_path, f"{option} = {text}")
    assert said == f"app.ini:2: [circus] {option}: {text!r} isn't an endpoint ({right})"


@pytest.mark.covers("hook:circus_check_config")
def test_an_endpoint_for_everybody_without_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "default_folder", lambda: str(tmp_path / "keys"))
    (said,) = mistakes(tmp_path, "endpoint = tcp://0.0.0.0:5999")
    assert said.startswith("app.ini:2: [circus] endpoint: tcp://0.0.0.0:5999 can be reached from other machines")
    assert "`circusctl keys new NAME --role admin`" in said
    keys.new(str(tmp_path / "keys"), "ann", "admin")
    assert mistakes(tmp_path, "endpoint = tcp://0.0.0.0:5999") == []


@pytest.mark.covers("circus-option:keys_dir")
def test_a_folder_of_keys_without_any(tmp_path: Path) -> None:
    both = ("endpoint = tcp://127.0.0.1:5999", "pubsub_endpoint = tcp://127.0.0.1:5998")
    (said,) = mistakes(tmp_path, *both, f"keys_dir = {tmp_path}/none")
    assert said.startswith("app.ini:4: [circus] keys_dir: none has no keys yet (make one with `circusctl keys new")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ipc:///tmp/a.sock", "ipc:///tmp/../tmp/a.sock"),
        ("ipc://@a", "ipc://@a"),
        ("tcp://127.0.0.1:5999", "tcp://localhost:5999"),
        ("tcp://127.0.0.1:5999", "tcp://*:5999"),
    ],
)
def test_two_endpoints_at_one_address(tmp_path: Path, one: str, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "default_folder", lambda: str(tmp_path / "keys"))
    keys.new(str(tmp_path / "keys"), "ann", "admin")
    (said,) = mistakes(tmp_path, f"endpoint = {one}", f"pubsub_endpoint = {other}")
    assert said == "app.ini:3: [circus] pubsub_endpoint: is where endpoint is (each needs an address of its own)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
        ("tcp://127.0.0.1:5999", "tcp://127.0.0.2:5999"),
        ("tcp://127.0.0.1:5999", "tcp://127.0.0.1:5998"),
        ("ipc:///tmp/a", "tcp://127.0.0.1:1"),
        ("", ""),
    ],
)
def test_two_endpoints_that_do_not_meet(tmp_path: Path, one: str, other: str) -> None:
    assert mistakes(tmp_path, f"endpoint = {one}", f"pubsub_endpoint = {other}") == []


@pytest.mark.covers("circus-option:endpoint_owner")
def test_an_owner_that_is_not_there_or_cannot_come_in(tmp_path: Path) -> None:
    (said,) = mistakes(tmp_path, f"endpoint = ipc://{tmp_path}/a", "endpoint_owner = no-such-user")
    assert said == "app.ini:3: [circus] endpoint_owner: no-such-user: there is no such user"
    (said,) = mistakes(tmp_path, f"endpoint_owner = {os.geteuid()}")
    assert said.startswith(f"app.ini:2: [circus] endpoint_owner: user {os.geteuid()} cannot reach the default socket")
    assert mistakes(tmp_path, f"endpoint = ipc://{tmp_path}/a", f"endpoint_owner = {os.geteuid()}") == []


def test_every_mistake_at_once_and_none_that_another_explains(tmp_path: Path) -> None:
    watcher = "[watcher:w]\ncmd = true\nsingleton = True\nnumprocesses = 3\numask = 9"
    said = mistakes(
        tmp_path, "endpoint = foo", "pubsub_endpoint = tcp://0.0.0.0:5999", "endpoint_owner = me", "umask = x",
        f"keys_dir = {tmp_path}/none", more=watcher,
    )  # fmt: skip
    keys_of_lines = [line.split(": ")[1].partition("] ")[2] for line in said]
    assert keys_of_lines == ["endpoint", "pubsub_endpoint", "umask", "numprocesses", "umask"]


def test_check_says_so_and_ends_with_2(tmp_path: Path) -> None:
    path = tmp_path / "app.ini"
    path.write_text("[circus]\nendpoint = foo\n[watcher:w]\ncmd = sleep 60\n")
    for arguments in (("--check", path), (path,)):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"{path}:2: [circus] endpoint: 'foo' isn't an endpoint")


# What only the machine tells


CONFIGURATION = """
[circus]
endpoint = ENDPOINT
pubsub_endpoint = tcp://127.0.0.1:*
[watcher:w]
cmd = sleep NUMBER
"""


@pytest.mark.covers("hook:circus_follow_config")
def test_a_reload_with_a_port_in_use_says_so_does_the_rest_and_tries_again(tmp_path: Path) -> None:
    path = tmp_path / "app.ini"

    def write(endpoint: str, number: int) -> None:
        path.write_text(CONFIGURATION.replace("ENDPOINT", endpoint).replace("NUMBER", str(number)))

    async def main() -> None:
        here, there = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
        write(here, 1000)
        made: Any = assemble(str(path), plugins=DEFAULT_PLUGINS)
        async with Supervisor(made) as supervisor, AsyncClient(here) as client:
            with socket.create_server(("127.0.0.1", int(there.rpartition(":")[2]))):
                write(there, 2000)
                for attempt in (1, 2):
                    plan = (await client.call("reloadconfig", plan=True))["plan"]
                    assert [step["target"] for step in plan] == ["circus", "w"][: 3 - attempt]
                    with pytest.raises(Exception, match=f"endpoint = {there} cannot be opened: Address already in use"):
                        await client.call("reloadconfig", waiting=True)
                    assert supervisor.config.supervisor.extra["endpoint"] == here
                    assert (await client.call("get", name="w", keys=["cmd"]))["options"]["cmd"] == "sleep 2000"
            await client.call("reloadconfig", waiting=True)
            assert supervisor.config.supervisor.extra["endpoint"] == there
            async with AsyncClient(there) as other:
                assert (await other.call("status"))["status"] == "ok"

    asyncio.run(main())


def test_a_reload_with_what_is_no_endpoint_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "app.ini"

    async def main() -> None:
        path.write_text(CONFIGURATION.replace("ENDPOINT", f"ipc://{tmp_path}/a").replace("NUMBER", "1000"))
        made: Any = assemble(str(path), plugins=DEFAULT_PLUGINS)
        async with Supervisor(made) as supervisor:
            path.write_text(CONFIGURATION.replace("ENDPOINT", "foo").replace("NUMBER", "2000"))
            with pytest.raises(ConfigError, match=r"app.ini:3: \[circus\] endpoint: 'foo' isn't an endpoint"):
                await supervisor.client.call("reloadconfig")
            options = await supervisor.client.call("get", name="w", keys=["cmd"])
            assert options["options"]["cmd"] == "sleep 1000"

    asyncio.run(main())
