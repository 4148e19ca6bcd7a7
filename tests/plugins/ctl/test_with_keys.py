"""circusctl at a circusd on TCP that asks for keys: every role, one too small, a wrong key, none, a revoked one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from circus_core.assembly import assemble
from circus_core.requests import Command, Role
from circus_plugins.client import Client
from circus_plugins.ctl.catalogue import OWN
from tests.plugins.ctl.running import COMMAND, ROOT, circusctl, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGURATION = """\
[circus]
endpoint = tcp://127.0.0.1:*
pubsub_endpoint = tcp://127.0.0.1:*
keys_dir = keys
[watcher:web]
cmd = sleep 1000
"""
TABLE = [command for command, _handler in assemble(None).commands.values()]
"""Every command that a circusd has by default."""
WORDS = {"integer": ["1"], "number": ["1"], "signal": ["TERM"], "list": ["cmd"], "object": ["numprocesses", "1"]}


class Locked(NamedTuple):
    """A circusd that asks for keys; `keys` are the files by role."""

    endpoint: str
    folder: Path
    keys: dict[Role, str]

    def ctl(self, *words: str, role: Role | None = None, key: str = "") -> subprocess.CompletedProcess[str]:
        """Run circusctl with the key of a role, another one, or none."""
        given = self.keys[role] if role is not None else key
        return circusctl(*(["--key", given] if given else []), *words, endpoint=self.endpoint)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("locked")
    (folder / "app.ini").write_text(CONFIGURATION)
    keys = {role: make(folder, role.name.lower(), role) for role in Role}
    process = subprocess.Popen(
        [sys.executable, "-m", "circus_core.main", str(folder / "app.ini")],
        env={**os.environ, "PYTHONPATH": ROOT}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        cwd=folder,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        line = ""
        while "control endpoint" not in line:
            line = process.stderr.readline()
            assert line, "circusd ended"
        endpoint = re.findall(r"tcp://\S+", line)[0]
        with Client(endpoint, timeout=20, key=keys[Role.ADMIN]) as client:
            client.call("start", name="web", waiting=True)
        yield Locked(endpoint, folder, keys)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def make(folder: Path, name: str, role: Role) -> str:
    """The file of a new key."""
    done = circusctl("--json", "keys", "new", name, "--role", role.name.lower(), "--dir", str(folder / "keys"))
    file: str = json.loads(done.stdout)["file"]
    return file


def words(command: Command) -> list[str]:
    """A command line of it, with all that it needs."""
    needed = [argument for argument in command.arguments if argument.required]
    named = "control" if command.name.startswith("plugins_") else "web"
    given = [([each.flag] if each.flag else []) + WORDS.get(each.kind, [named]) for each in needed]
    return [command.name, *(word for words in given for word in words)]


@pytest.mark.parametrize(
    ("command", "role"),
    [
        pytest.param(command, role, id=f"{command.name}-{role.name.lower()}")
        for command in TABLE
        for role in Role
        if role < command.role
    ],
)
def test_a_role_too_small_is_told_which_one_is_needed(locked: Locked, command: Command, role: Role) -> None:
    done = locked.ctl(*words(command), role=role)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"error: {command.name} needs the role {command.role.name.lower()}\n"
        f"your key has the role {role.name.lower()}; `circusctl keys new` makes keys with others\n"
    )


@pytest.mark.parametrize(
    "command", [command for command in TABLE if command.role is Role.VIEW and command.name not in OWN],
    ids=lambda command: command.name,
)  # fmt: skip
def test_the_smallest_role_may_look(locked: Locked, command: Command) -> None:
    done = locked.ctl(*words(command), role=Role.VIEW)
    assert "role" not in done.stderr
    assert done.returncode == 0 or "no history is kept" in done.stderr


def test_each_role_may_do_what_it_is_for(locked: Locked) -> None:
    assert locked.ctl("restart", "web", "--waiting", role=Role.OPERATE).stdout == "ok\n"
    assert locked.ctl("set", "web", "priority", "2", "--waiting", role=Role.ADMIN).stdout == "ok\n"
    listed = circusctl("keys", "list", "--dir", str(locked.folder / "keys")).stdout.splitlines()
    assert {f"{role.name.lower()}: {role.name.lower()}" for role in Role} <= set(listed)


def test_the_environment_names_a_key_as_well(locked: Locked) -> None:
    done = circusctl("status", "web", endpoint=locked.endpoint, CIRCUSCTL_KEY=locked.keys[Role.VIEW])
    assert done.stdout == "active\n"


def test_without_a_key_it_is_told_that_one_is_needed(locked: Locked) -> None:
    for line in (["status"], ["stop", "web", "--waiting"], ["events"], ["events", "--follow"], ["listen"]):
        done = locked.ctl(*line)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith(f"error: {locked.endpoint} asks for a key\ngive one with --key FILE")


def test_a_key_that_was_never_made_there_is_refused_by_name(locked: Locked, tmp_path: Path) -> None:
    ours = Path(locked.keys[Role.ADMIN]).read_text()
    stranger = Path(make(tmp_path, "stranger", Role.ADMIN))
    elsewhere = stranger.read_text()
    server = next(line for line in ours.splitlines() if "server-key" in line)
    stranger.write_text(elsewhere.replace("server-key", "other-key") + server + "\n")
    for line in (["status"], ["events", "--follow"], ["listen"]):
        done = locked.ctl(*line, key=str(stranger))
        assert (done.returncode, done.stdout) == (3, "")
        assert f"{locked.endpoint} does not accept this key: it was revoked, or never made there" in done.stderr
    stranger.write_text(elsewhere)
    done = locked.ctl("status", "--timeout", "1", key=str(stranger))
    assert done.returncode == 1
    assert "is this the key of another circusd?" in done.stderr


def test_a_revoked_key_is_refused(locked: Locked, tmp_path: Path) -> None:
    kept = tmp_path / "ann.key"
    kept.write_text(Path(make(locked.folder, "ann", Role.VIEW)).read_text())
    assert locked.ctl("status", "web", key=str(kept)).stdout == "active\n"
    revoked = circusctl("keys", "revoke", "ann", "--dir", str(locked.folder / "keys"))
    assert revoked.stdout.startswith("ann can ask for nothing and gets no events any more.")
    done = locked.ctl("status", "web", key=str(kept))
    assert (done.returncode, done.stdout) == (3, "")
    assert "does not accept this key: it was revoked" in done.stderr


@pytest.mark.parametrize("line", [("listen", "watcher.web"), ("events", "web", "--limit", "0", "--follow", "--json")])
def test_who_follows_events_is_cut_off_when_the_key_is_revoked(locked: Locked, line: tuple[str, ...]) -> None:
    name = f"follower-{line[0]}"
    key = make(locked.folder, name, Role.VIEW)
    followers = [
        subprocess.Popen(
            [*COMMAND, "--key", file, *line], env=environment(CIRCUSCTL_ENDPOINT=locked.endpoint),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for file in (key, locked.keys[Role.VIEW])
    ]  # fmt: skip
    doomed, other = followers
    assert doomed.stdout is not None
    assert other.stdout is not None
    try:
        stir_until_heard(locked, followers)
        circusctl("keys", "revoke", name, "--dir", str(locked.folder / "keys"))
        locked.ctl("set", "web", "graceful_timeout", "17", "--waiting", role=Role.ADMIN)
        rest, said = doomed.communicate(timeout=20)
        assert doomed.returncode == 3
        assert "graceful_timeout" not in rest
        assert "does not accept this key: it was revoked" in said
        assert any("graceful_timeout" in text for text in iter(other.stdout.readline, ""))
        other.terminate()
    finally:
        for follower in followers:
            follower.kill()
            follower.communicate()
        locked.ctl("set", "web", "graceful_timeout", "30", "--waiting", role=Role.ADMIN)


def stir_until_heard(locked: Locked, followers: list[subprocess.Popen[str]]) -> None:
    """Change something until every follower has told of it."""
    import select

    silent = [follower.stdout for follower in followers]
    number = 1
    while silent:
        number = 3 - number
        locked.ctl("set", "web", "priority", str(number), "--waiting", role=Role.ADMIN)
        heard = select.select(silent, [], [], 0)[0]
        silent = [stream for stream in silent if stream not in heard]
