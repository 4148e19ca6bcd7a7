"""Configurations of several files: the order, what is passed over, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.core.configurations import errors, made, warnings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.configurations import Write


@pytest.mark.covers("circus-option:include", "circus-option:include_dir")
def test_included_files_add_and_never_change(write: Write) -> None:
    write("[watcher:web]\ncmd = other\nnumprocesses = 2\n[circus]\ncheck_delay = 9\n", "etc/conf.d/a.ini")
    write('[watcher.api]\ncmd = "api"\n', "etc/conf.d/b.toml")
    write("[watcher:no]\ncmd = no\n", "etc/conf.d/c.conf")
    write("[watcher:web]\nnumprocesses = 3\n", "etc/more/x.ini")
    path = write(
        "[circus]\ninclude = more/*.ini $(circus.env.N).ini\ninclude_dir = conf.? .\n[watcher:web]\ncmd = web\n",
        "etc/app.ini",
    )
    config = made(path)
    assert config.files == ("etc/app.ini", "etc/more/x.ini", "etc/conf.d/a.ini", "etc/conf.d/b.toml")
    assert (config.watchers["web"].cmd, config.watchers["web"].numprocesses) == ("web", 3)
    assert list(config.watchers) == ["web", "api"]
    assert config.supervisor.check_delay == 9
    assert warnings(path) == [
        "etc/app.ini:2: [circus] include: '4.ini' matches no file (looked in etc for 4.ini)",
        "etc/conf.d/a.ini:2: [watcher:web] cmd: is set already at etc/app.ini:5 (the first value is kept)",
        "etc/conf.d/a.ini:3: [watcher:web] numprocesses: is set already at etc/more/x.ini:2 (the first value is kept)",
    ]


def test_includes_of_included_files_are_not_followed(write: Write) -> None:
    write("[circus]\ninclude = app.ini b.ini\n", "a.ini")
    write("junk", "b.ini")
    path = write("[circus]\ninclude = a.ini\n")
    assert warnings(path) == [
        "a.ini:2: [circus] include: is not followed (only the main file can include others)",
    ]
    assert made(path).files == ("app.ini", "a.ini")


def test_a_list_of_includes_in_toml_may_have_blanks(write: Write) -> None:
    write("[watcher:a]\ncmd = a\n", "two words/a.ini")
    config = made(write('[circus]\ninclude = ["two words/*.ini"]\ninclude_dir = ["two words"]\n', "app.toml"))
    assert list(config.watchers) == ["a"]
    assert config.supervisor.include == "two words/*.ini"


def test_folders_that_a_glob_matches_are_passed_over(write: Write) -> None:
    write("", "conf/sub/x.ini")
    write("[watcher:a]\ncmd = a\n", "conf/a.ini")
    assert list(made(write("[circus]\ninclude = conf/*\n")).watchers) == ["a"]
    assert "cannot be read: Is a directory" in errors(write("[circus]\ninclude = conf\n"))[0]


@pytest.mark.covers("option:env_file")
def test_an_env_file_is_looked_for_beside_the_file_that_names_it(write: Write, tmp_path: Path) -> None:
    write("[watcher:ini]\ncmd = a\nenv_file = ../a.env\n[watcher:shared]\ncmd = a\n", "etc/conf.d/a.ini")
    write('[watcher.toml]\ncmd = "a"\nenv_file = "$(circus.env.N).env"\n', "etc/conf.d/b.toml")
    path = write(
        "[circus]\ninclude_dir = conf.d\n[DEFAULT]\nenv_file = all.env\n"
        "[watcher:main]\ncmd = a\nenv_file = $(circus.env.HOME)/a.env\n[watcher:none]\ncmd = a\nenv_file =\n",
        "etc/app.ini",
    )
    files = {watcher.name: watcher.env_file for watcher in made(path).watchers.values()}
    assert files == {
        "main": "/home/me/a.env",
        "none": None,
        "ini": f"{tmp_path}/etc/conf.d/../a.env",
        "shared": f"{tmp_path}/etc/all.env",
        "toml": f"{tmp_path}/etc/conf.d/4.env",
    }
    assert made(str(tmp_path / path)).watchers == made(path).watchers


def test_a_plugin_s_file_is_looked_for_beside_the_file_that_names_it(write: Write, tmp_path: Path) -> None:
    plugins = "[plugin:near]\nuse = near.py:Near\n[plugin:module]\nuse = near.py\n[plugin:dotted]\nuse = near.Near\n"
    write(plugins, "etc/conf.d/a.ini")
    path = write("[circus]\ninclude_dir = conf.d\n[plugin:main]\nuse = /srv/main.py:Main\n", "etc/app.ini")
    assert {name: plugin.use for name, plugin in made(path).plugins.items()} == {
        "main": "/srv/main.py:Main",
        "near": f"{tmp_path}/etc/conf.d/near.py:Near",
        "module": f"{tmp_path}/etc/conf.d/near.py",
        "dotted": "near.Near",
    }
