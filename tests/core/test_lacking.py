"""What a machine lacks for a watcher is found without starting it, and only if its process could not start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.errors import SpawnError
from circus_core.lacking import lacking
from circus_core.launch import Recipe
from circus_core.model import WatcherOptions
from circus_core.spawn import spawn

if TYPE_CHECKING:
    from pathlib import Path


def lacks(cmd: str = "true", environ: dict[str, str] | None = None, **options: Any) -> list[tuple[str, str, str]]:
    return list(lacking(WatcherOptions(name="w", cmd=cmd, **options), {"PATH": "/usr/bin:/bin", **(environ or {})}))


def program(folder: Path, name: str, mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(mode)
    return folder / name


def test_nothing_is_lacking_where_all_is_there(tmp_path: Path) -> None:
    tool = program(tmp_path / "bin", "tool")
    (tmp_path / "e").write_text(f"PATH={tool.parent}\n")
    assert lacks() == []
    assert lacks("sh -c true", working_dir="/", uid=0, gid=0) == []
    assert lacks("tool", {"PATH": str(tool.parent)}, copy_env=True) == []
    assert lacks("tool", env={"PATH": f"/no/such:{tool.parent}"}) == []
    assert lacks("tool", env_file=str(tmp_path / "e")) == []
    assert lacks("tool", env={"PATH": "bin"}, working_dir=str(tmp_path)) == []
    assert lacks("./bin/tool", working_dir=str(tmp_path)) == []
    assert lacks("$(circus.env.tool)", env={"TOOL": str(tool)}) == []
    assert lacks("a-name", executable="/bin/sh") == []
    assert lacks("no-such; true", shell=True) == []
    assert lacks(uid=54321, gid=54321) == []


def test_an_env_file() -> None:
    ((key, message, hint),) = lacks("no-such", env_file="/no/such/file")
    assert key == "env_file"
    assert message == "/no/such/file: cannot be read: No such file or directory (there is no folder /no/such)"
    assert hint


def test_mistakes_in_an_env_file(tmp_path: Path) -> None:
    file = tmp_path / "e"
    file.write_text("A\nB=1\nC\n")
    assert [(key, message) for key, message, _ in lacks(env_file=str(file))] == [
        ("env_file", f"{file}:1: the line is not NAME=VALUE"),
        ("env_file", f"{file}:3: the line is not NAME=VALUE"),
    ]


def test_users_and_groups() -> None:
    assert lacks(uid="no-such-user", gid="no-such-group") == [
        ("uid", "this machine has no user no-such-user", "add it, or name another"),
        ("gid", "this machine has no group no-such-group", "add it, or name another"),
    ]


def test_a_folder(tmp_path: Path) -> None:
    file = program(tmp_path, "file")
    assert lacks("./no-such", working_dir=str(tmp_path / "no")) == [
        ("working_dir", f"there is no folder {tmp_path}/no", "make it, or name another")
    ]
    assert [message for _, message, _ in lacks(working_dir=str(file))] == [f"{file} is no folder"]


def test_a_program_by_name(tmp_path: Path) -> None:
    tool = program(tmp_path, "tool")
    message = "there is no program no-such on the PATH of its processes, /bin:/usr/bin"
    assert lacks("no-such") == [("cmd", message, "install it, or write its path")]
    assert lacks("tool", {"PATH": str(tmp_path)})[0][2] == (
        f"write {tool}, or set copy_env = True to have the PATH of circusd"
    )
    ((_, message, hint),) = lacks("tool", {"PATH": str(tmp_path)}, copy_env=True, env={"PATH": "/no:/such"})
    assert message == "there is no program tool on the PATH of its processes, /no:/such"
    assert hint == f"write {tool}, or add its folder to PATH in env"


def test_a_program_by_its_path(tmp_path: Path) -> None:
    tool = program(tmp_path, "tool", 0o644)
    assert lacks("/no/such")[0][1] == "there is no file /no/such"
    assert lacks("./such", working_dir=str(tmp_path))[0][1] == (
        f"there is no file {tmp_path}/./such; ./such is relative to working_dir"
    )
    assert lacks(str(tool))[0][1] == f"{tool} is not executable"
    assert lacks("tool", env={"PATH": str(tmp_path)})[0][1] == f"{tool} is not executable"
    assert lacks(str(tmp_path))[0][1] == f"{tmp_path} is a folder"
    assert lacks(f"{tool}/x")[0][1] == f"there is no file {tool}/x"
    assert lacks("name", executable="/no/such")[0][:2] == ("executable", "there is no file /no/such")


def test_words_that_are_none_once_expanded() -> None:
    assert lacks("$(circus.env.nothing)", env={"NOTHING": ""}) == [
        ("cmd", "cmd is empty once expanded", "the program to run is missing")
    ]


@pytest.mark.parametrize("words", ["tool", "./tool", "folder", "./folder", "plain", "./plain", "no", "./no", "sh"])
@pytest.mark.parametrize("path", [None, "", ".", "/no/such", "elsewhere:.", ".:/bin"])
def test_it_is_what_a_spawn_finds(tmp_path: Path, words: str, path: str | None) -> None:
    program(tmp_path, "tool")
    program(tmp_path, "plain", 0o644)
    (tmp_path / "folder").mkdir()
    program(tmp_path / "elsewhere", "plain")
    options = WatcherOptions(
        name="w", cmd=words, working_dir=str(tmp_path), env={} if path is None else {"PATH": path}, numprocesses=1
    )
    found = list(lacking(options, {}))
    try:
        os.waitpid(spawn(Recipe(options, {}, {}).launch(1, "mark")), 0)
    except SpawnError:
        assert found
    else:
        assert not found
