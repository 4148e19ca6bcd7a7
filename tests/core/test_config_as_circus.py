"""What Circus' configurations do oddly, by the numbers of PROTOCOL.md 9: kept, mended, or decided in docs/reference.

Those that need a running circusd are tried where what they are about is: O-34 with what a machine lacks, O-44 with
plugins, O-48 and O-50 with reloadconfig, O-53 with the daemon.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from circus_core.assembly import assemble
from circus_core.errors import ConfigError
from circus_core.launch import Recipe
from tests.contract.sources import ROOT
from tests.core.configurations import ENVIRON, errors, made, warnings

if TYPE_CHECKING:
    from tests.core.configurations import Write

DECIDED = ("15", "21", "27", "32", "33", "39", "43", "53")
"""Those about configurations that PROTOCOL.md leaves open."""
KEPT = ("28", "34", "41")


def test_o05_watchers_that_differ_by_case_alone_are_refused(write: Write) -> None:
    assert (
        "app.ini:3: [watcher:WEB]: has the name of [watcher:web] at app.ini:1, but for case"
        in errors(write("[watcher:web]\ncmd = a\n[watcher:WEB]\ncmd = b\n"))[0]
    )


def test_o15_the_name_of_a_section_is_no_option_and_no_variable(write: Write) -> None:
    config = made(write("[env:web]\nA = 1\n[watcher:web]\ncmd = a\n[plugin:p]\nuse = p\nx = 1\n"))
    assert config.watchers["web"].env == {"A": "1"}
    assert not config.watchers["web"].extra
    assert list(config.raw_plugins["p"]) == ["x"]


def test_o17_keys_of_ones_own_are_kept(write: Write) -> None:
    assert made(write("[watcher:web]\ncmd = a\nmine.own = 3\n")).watchers["web"].extra == {"mine.own": "3"}


def test_o21_a_watcher_s_name_may_have_dots(write: Write) -> None:
    path = write("[watcher:my.app]\ncmd = a\n[env:my.*]\nA = 1\n")
    assert made(path).watchers["my.app"].env == {"A": "1"}
    assert not warnings(path)


def test_o26_wid_is_replaced_at_each_spawn(write: Write) -> None:
    options = made(write("[watcher:web]\ncmd = a $WID\n")).watchers["web"]
    assert Recipe(options, {}, {}).launch(3, "").argv == ("a", "3")


def test_o27_environment_sections_for_some_are_expanded_as_that_for_all(write: Write) -> None:
    text = "[env]\nA = $(circus.env.HOME)/a\n[env:web]\nB = $(circus.env.A)/b\n[watcher:web]\ncmd = a\n"
    assert made(write(text)).watchers["web"].env == {"A": "/home/me/a", "B": "/home/me/a/b"}


@pytest.mark.covers("circus-option:stream_backend")
def test_o29_a_key_that_circus_documents_and_never_read_is_passed_over(write: Write) -> None:
    path = write("[circus]\nstream_backend = gevent\n")
    assert not warnings(path, strict=True)
    assert made(path, strict=True).supervisor.stream_backend == "gevent"


def test_o30_and_o31_shell_and_executable_are_as_they_are_written(write: Write) -> None:
    text = "[watcher:a]\ncmd = echo $X > f; sleep 1\nshell = True\n[watcher:b]\ncmd = name x\nexecutable = /bin/sh\n"
    watchers = made(write(text)).watchers
    assert Recipe(watchers["a"], {}, {}).launch(1, "").argv == ("/bin/sh", "-c", "echo $X > f; sleep 1")
    launch = Recipe(watchers["b"], {}, {}).launch(1, "")
    assert (launch.executable, launch.argv) == ("/bin/sh", ("name", "x"))


def test_o32_without_a_working_dir_it_is_circusd_s_whatever_pwd_says(write: Write) -> None:
    options = made(write("[watcher:web]\ncmd = a\ncopy_env = True\n")).watchers["web"]
    assert Recipe(options, {"PWD": "/usr"}, {}).launch(1, "").cwd is None


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("singleton = True\nnumprocesses = 2", "numprocesses"),
        ("copy_path = True", "copy_path"),
        ("virtualenv = /", "virtualenv"),
        ("cmd =", "cmd"),
    ],
)
def test_o34_a_section_that_contradicts_itself_is_a_mistake(write: Write, lines: str, key: str) -> None:
    path = write(f"[watcher:web]\n{lines}\n" + ("" if key == "cmd" else "cmd = a\n"))
    with pytest.raises(ConfigError, match=rf"app\.ini:\d: \[watcher:web\] {key}: "):
        assemble(path)


def test_o38_options_of_a_plugin_s_watcher_are_typed(write: Write) -> None:
    text = "[plugin:dog]\nuse = watchdog\nsingleton = True\nnumprocesses = 1\nenv = A=1\ncopy_env = no\n"
    watcher = assemble(write(text)).config.watchers["plugin:dog"]
    assert (watcher.singleton, watcher.copy_env, watcher.env) == (True, False, {"A": "1"})


def test_o43_and_o68_check_delay_is_taken_and_means_nothing(write: Write) -> None:
    path = write("[circus]\ncheck_delay = -1\n")
    assert made(path).supervisor.check_delay == -1
    assert not warnings(path)


def test_names_that_differ_in_case_collide_and_the_last_one_counts(write: Write) -> None:
    path = write("[env]\nvalue = 1\nVALUE = 2\n[watcher:web]\ncmd = $(circus.env.Value)\n")
    assert made(path).watchers["web"].cmd == "2"
    assert "VALUE" not in ENVIRON


def test_what_was_decided_and_what_was_kept_is_told_with_the_reason() -> None:
    page = (ROOT / "docs" / "reference" / "oddities.md").read_text()
    chosen, _, kept = page.partition("\n## Kept\n")
    assert set(DECIDED) <= set(re.findall(r"^### (\d+):", chosen, re.MULTILINE))
    assert set(KEPT) <= set(re.findall(r"^\| (\d+) \|", kept, re.MULTILINE))
