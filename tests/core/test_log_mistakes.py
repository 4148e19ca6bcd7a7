"""What would keep a log from being opened is found without doing anything: for `circusd --check` and `reloadconfig`."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from circus_core import logs
from tests.core.test_logs import CONFIGURATIONS, INI, logger_config

if TYPE_CHECKING:
    from pathlib import Path


def mistakes(output: str | None = None, config: Path | None = None) -> list[tuple[str, str]]:
    return [(key, message) for key, message, _ in logs.mistakes(output, config and str(config))]


@pytest.mark.parametrize("kind", list(CONFIGURATIONS))
def test_a_good_file_has_no_mistake_and_nothing_is_made(tmp_path: Path, kind: str) -> None:
    path, target = logger_config(tmp_path, kind)
    before = logging.getLogger().handlers[:]
    assert mistakes(config=path) == []
    assert not target.exists()
    assert logging.getLogger().handlers == before


@pytest.mark.parametrize("kind", list(CONFIGURATIONS))
@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("FileHandler", "FilHandler", "FilHandler cannot be found"),
        ("INFO", "LOUD", "unknown level 'LOUD'"),
        ("FILE", "/no/such/folder/a.log", "'/no/such/folder/a.log' cannot be opened: No such file or directory"),
        ("FILE", "/", "'/' cannot be opened: Is a directory"),
    ],
)
def test_what_is_wrong_is_found_without_doing_it(tmp_path: Path, kind: str, good: str, bad: str, message: str) -> None:
    path = tmp_path / f"logging.{kind}"
    path.write_text(CONFIGURATIONS[kind].replace(good, bad).replace("FILE", str(tmp_path / "out.log")))
    ((key, said),) = mistakes(config=path)
    assert key == "loggerconfig"
    assert said.startswith(f"loggerconfig '{path}' is wrong: ")
    assert message in said
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", 'version = 1\nroot.handlers = ["none"]', "logger root has the handler 'none'"),
        ("a.toml", "version = 2", "version is 2"),
        ("a.toml", "version = 1\nhandlers.a.level = 'INFO'", "handlers a has no class"),
        ("a.toml", "version = 1\nhandlers.a = {class = 'logging.StreamHandler', formatter = 'f'}", "formatter 'f'"),
        ("a.toml", "version = 1\nhandlers.a = {'()' = 'no.such'}", "no.such cannot be found"),
        ("a.toml", "version = 1\nhandlers.a = {class = 'logging.FileHandler'}", "missing a required argument"),
        ("a.ini", INI.replace("root\n[h", "a\n[h"), "[loggers] keys has no root"),
        ("a.ini", INI.replace('("FILE",)', '("FILE"'), "SyntaxError"),
        ("a.ini", INI.replace("keys = short", "keys ="), "has the formatter 'short'"),
        ("no.json", None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_would_not_do(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    ((key, said),) = mistakes(config=tmp_path / name)
    assert key == "loggerconfig"
    assert message in said


def test_no_code_of_a_file_is_run_to_check_it(tmp_path: Path) -> None:
    path = tmp_path / "a.ini"
    path.write_text(INI.replace('("FILE",)', f"(open({str(tmp_path / 'made')!r}, 'w').name,)"))
    assert mistakes(config=path) == []
    assert list(tmp_path.iterdir()) == [path]


def test_an_output_that_cannot_be(tmp_path: Path) -> None:
    log, fifo = tmp_path / "a.log", tmp_path / "fifo"
    os.mkfifo(fifo)
    for good in ("-", "stdout", str(log), str(fifo), "/dev/null", "syslog://localhost?daemon", "syslog:///dev/log"):
        assert mistakes(good) == []
    assert not log.exists()
    log.write_text("kept\n")
    assert mistakes(str(log)) == []
    assert log.read_text() == "kept\n"
    (tmp_path / "dangling").symlink_to(tmp_path / "no" / "log")
    for bad, reason in (("", "Is a directory"), ("no/a.log", "No such file"), ("a.log/b", "Not a directory"),
                        ("dangling", "No such file")):  # fmt: skip
        ((key, said),) = mistakes(str(tmp_path / bad))
        assert key == "logoutput"
        assert f"cannot be opened: {reason}" in said
    assert mistakes("syslog://?coffee") == [("logoutput", "there is no syslog facility 'coffee'")]
