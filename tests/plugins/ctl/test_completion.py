"""Completion as the shells ask for it: argcomplete's variables, and those of Circus' own script."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from circus_core.requests import Command, Role
from circus_plugins.host import requests
from tests.plugins.ctl.running import COMMAND, circusctl, environment
from tests.plugins.ctl.stub import Stub, silence

if TYPE_CHECKING:
    from pathlib import Path


def complete(line: str, folder: Path, endpoint: str = "") -> list[str]:
    """What argcomplete's script would offer to a bash user who presses Tab."""
    told = folder / "completions"
    changes = {"CIRCUSCTL_ENDPOINT": endpoint} if endpoint else {}
    subprocess.run(
        COMMAND,
        env=environment(
            _ARGCOMPLETE="1", _ARGCOMPLETE_STDOUT_FILENAME=str(told), _ARGCOMPLETE_IFS="\x0b",
            COMP_LINE=line, COMP_POINT=str(len(line)), COMP_TYPE="9", **changes,
        ),
        check=True, stderr=subprocess.DEVNULL, timeout=20,
    )  # fmt: skip
    text = told.read_text()
    return [word.strip() for word in text.split("\x0b")] if text else []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("circusctl sta", ["start", "status"]),
        ("circusctl status w", ["web"]),
        ("circusctl tail -f api w", ["web"]),
        ("circusctl tail --fo", ["--follow"]),
        ("circusctl stop --match ", ["simple", "glob", "regex"]),
        ("circusctl stop --w", ["--waiting"]),
        ("circusctl signal web 4", ["42"]),
        ("circusctl signal web TE", ["TERM"]),
        ("circusctl set web nu", ["numprocesses"]),
        ("circusctl set web numprocesses 3 e", ["env"]),
        ("circusctl get web numprocesses en", ["env"]),
        ("circusctl set web stop_signal HU", ["HUP"]),
        ("circusctl set web singleton ", ["true", "false"]),
        ("circusctl set web painted g", ["green"]),
        ("circusctl set web cmd ", []),
        ("circusctl keys new bob --role v", ["view"]),
        ("circusctl keys new w", []),
        ("circusctl pai", ["paint"]),
        ("circusctl --js", ["--json"]),
        ("circusctl help sig", ["signal"]),
        ("circusctl help plug", ["plugins"]),
        ("circusctl help plugins n", ["new"]),
        ("circusctl plugins ", ["add", "new", "show"]),
        ("circusctl plugins --i", ["--installed"]),
        ("circusctl plugins show ", ["desk"]),
        ("circusctl plugins add d", []),
        ("circusctl plugins add desk --use l", ["lamp", "light"]),
        ("circusctl completion z", ["zsh"]),
    ],
)
def test_words(line: str, expected: list[str], stub: Stub, tmp_path: Path) -> None:
    extra = [Command("paint", Role.VIEW, "Paint."), requests.ADD, requests.SHOW]
    stub.answers["commands"] = {"commands": [command.schema() for command in extra]}
    stub.answers["plugins"] = {
        "plugins": [{"name": "desk"}], "installed": [{"name": "lamp"}, {"name": "light"}, {"name": "sun"}]
    }  # fmt: skip
    stub.answers["list"] = lambda properties: {"pids": [42]} if properties else {"watchers": ["api", "web"]}
    stub.answers["options"] = {"options": {"numprocesses": 1, "env": {}}}
    painted = {"type": "string", "enum": ["red", "green"]}
    stub.answers["schema"] = {"sections": {"watcher": {"properties": {"painted": painted}}}}
    assert complete(line, tmp_path, stub.endpoint) == expected


def test_the_endpoint_in_the_line_counts(stub: Stub, tmp_path: Path) -> None:
    assert complete(f"circusctl --endpoint {stub.endpoint} status w", tmp_path) == ["web"]


def test_without_circusd_commands_and_options_are_completed(stub: Stub, tmp_path: Path) -> None:
    assert complete("circusctl sto", tmp_path) == ["stop"]
    stub.answers["list"] = stub.answers["commands"] = silence
    assert complete("circusctl stop w", tmp_path, stub.endpoint) == []
    assert [name for name, _ in stub.asked] == ["commands"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(shell: str) -> None:
    done = circusctl("completion", shell)
    assert done.returncode == 0
    assert "circusctl" in done.stdout
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)


def test_the_variables_of_circus() -> None:
    done = circusctl(AUTO_COMPLETE="1", COMP_WORDS="circusctl st", COMP_CWORD="1")
    assert (done.returncode, done.stdout) == (1, "start status stop\n")
    done = circusctl(AUTO_COMPLETE="1", COMP_WORDS="circusctl start w", COMP_CWORD="2")
    assert (done.returncode, done.stdout) == (1, "\n")
    assert os.environ.get("_ARGCOMPLETE") is None
