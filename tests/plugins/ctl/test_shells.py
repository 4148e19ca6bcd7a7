"""Completion in the shells themselves: somebody types, presses Tab, and reads the line that came of it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.plugins.ctl.running import ROOT, Screen, circusctl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        "PS1='>''>> '; bind 'set enable-bracketed-paste off'; eval \"$(circusctl completion bash)\"\r",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "PS1='>''>> '; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D;"
        ' eval "$(circusctl completion zsh)"\r',
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        "function fish_prompt; echo '>''>> '; end; function fish_title; end;"
        " set fish_autosuggestion_enabled 0; circusctl completion fish | source\r",
    ),
}
"""For each: how it is started without anybody's configuration, and what makes it ready."""


class Shell:
    """An interactive shell that knows circusctl; a line is completed in place and then shown, not run."""

    def __init__(self, screen: Screen, folder: Path) -> None:
        self._screen = screen
        self._line = folder / "line"

    def completed(self, typed: str, end: str) -> list[str]:
        """The words of the line after Tab, once it ends so on the screen."""
        self._screen.type(typed + "\t")
        self._screen.until(end)
        # In front of the line goes a program that writes down the words as the shell understood them.
        self._screen.type("\x01words \r")
        self._screen.until(">>> ")
        words = self._line.read_text().split("\0")[:-1]
        self._line.unlink()
        return words

    def offered(self, typed: str, *words: str) -> None:
        """Press Tab, twice for shells that do not show at once what is possible; returns once all is shown."""
        self._screen.type(typed + "\t\t")
        for word in words:
            self._screen.shows(word)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    name = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "circusctl", f'PYTHONPATH={ROOT} exec {sys.executable} -m circus_plugins.ctl.main "$@"')
    program(folder / "words", f"printf '%s\\0' \"$@\" > {tmp_path}/line")
    start, ready = SHELLS[name]
    own = {"PATH": f"{folder}:{os.environ['PATH']}", "HISTFILE": "", "INPUTRC": "/dev/null"}
    own |= dict.fromkeys(("HOME", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(tmp_path))
    with Screen(program=start, columns=200, **own) as screen:
        screen.type(ready)
        screen.until(">>> ")
        yield Shell(screen, tmp_path)


def program(path: Path, line: str) -> None:
    """A shell script of one line."""
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@pytest.fixture
def named(daemon: str) -> Callable[[str], None]:
    """Adds a watcher of some name to the running circusd."""

    def add(name: str) -> None:
        assert circusctl("add", name, "sleep", "1000").returncode == 0

    return add


def test_words_are_completed(shell: Shell, named: Callable[[str], None], tmp_path: Path, daemon: str) -> None:
    named("my app")
    named("ns:api")
    (tmp_path / "alice.key").touch()
    for typed, end, words in (
        ("circusctl statu", "status ", ["status"]),
        ("circusctl stop --wa", "--waiting ", ["stop", "--waiting"]),
        ("circusctl stop --match=re", "=regex ", ["stop", "--match=regex"]),
        ("circusctl status w", "web ", ["status", "web"]),
        ("circusctl status my", "app ", ["status", "my app"]),
        ("circusctl status 'my", "app' ", ["status", "my app"]),
        ("circusctl status ns:a", "ns:api ", ["status", "ns:api"]),
        (f"circusctl --endpoint {daemon} status stub", "stubborn ", ["--endpoint", daemon, "status", "stubborn"]),
        ("circusctl signal web HU", "HUP ", ["signal", "web", "HUP"]),
        ("circusctl set web numproc", "numprocesses ", ["set", "web", "numprocesses"]),
        ("circusctl set web singleton t", "true ", ["set", "web", "singleton", "true"]),
        (
            "circusctl get web numprocesses gracef",
            "graceful_timeout ",
            ["get", "web", "numprocesses", "graceful_timeout"],
        ),
        (f"circusctl --key {tmp_path}/ali", "alice.key ", ["--key", f"{tmp_path}/alice.key"]),
    ):
        assert shell.completed(typed, end) == ["circusctl", *words]


def test_commands_are_shown(shell: Shell) -> None:
    shell.offered("circusctl st", "start", "status", "stop")


def test_watchers_are_shown(shell: Shell, daemon: str) -> None:
    shell.offered("circusctl status ", "broken", "off", "stubborn", "web")


def test_pids_and_signals_are_shown(shell: Shell, daemon: str) -> None:
    shell.offered("circusctl signal web ", *circusctl("list", "web").stdout.strip().split(","), "HUP", "TERM")


def test_options_are_shown(shell: Shell, daemon: str) -> None:
    shell.offered("circusctl set web stop_", "stop_children", "stop_signal")


def test_files_are_offered_only_where_one_is_meant(shell: Shell, daemon: str, tmp_path: Path) -> None:
    (tmp_path / "webfile").touch()
    assert shell.completed(f"circusctl restart {tmp_path}/webf", "webf") == ["circusctl", "restart", f"{tmp_path}/webf"]
