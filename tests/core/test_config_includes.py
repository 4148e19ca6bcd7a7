"""Configurations of several files: the order, what is passed over, and what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.core.configurations import errors, made, warnings

if TYPE_CHECKING:
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
        "a.ini:2: [circus] include: is set already at app.ini:2 (the first value is kept)",
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
