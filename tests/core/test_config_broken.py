"""Configurations that strangers break: each is told in words, with file and line, and never ends in a traceback."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from circus_core import document
from circus_core.assembly import assemble
from circus_core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.configurations import Write

BROKEN: dict[str, tuple[str | bytes, list[str]]] = {
    "utf-16.ini": ("[watcher:a]\ncmd = a\n".encode("utf-16"), [":1: the file is in UTF-16 (save the file in UTF-8)"]),
    "latin-1.ini": (b"[watcher:a]\ncmd = caf\xe9\n", [":2: byte 10 of the line, 0xe9, is not UTF-8 (save the file in"]),
    "twice.toml": ("[watcher.a]\n[watcher.a]\n", [":2: is not TOML: cannot declare [watcher.a] twice at column 11"]),
    "ini.toml": (
        "[watcher:a]\ncmd = a\n",
        [":1: is not TOML: expected ']' at the end of a table declaration at column 9 (in TOML it is [watcher.a]; "],
    ),
    "toml.ini": (
        '[watcher.web]\ncmd = "a"\n',
        [":1: [watcher.web]: is not a section (did you mean [watcher:web]? In TOML it is as here, in a"],
    ),
    "shape.toml": (
        "watcher = 5\n[[plugin]]\nuse = 'x'\n",
        [
            ":1: [watcher]: is not a section (sections are tables, such as [circus] or [watcher.web])",
            ":2: [plugin]: is not a section (sections are tables, such as [circus] or [watcher.web])",
        ],
    ),
    "no name.toml": (
        "[watcher]\ncmd = 'a'\n",
        [":1: [watcher]: has no name (it should be [watcher:NAME], or [watcher.N"],
    ),
    "list.toml": (
        "[watcher.a]\ncmd = ['a', 2]\n",
        [":2: [watcher:a] cmd: 'cmd' isn't a command line (expected a text in"],
    ),
    "json.ini": (
        '{"watchers": []}\n',
        [":1: there is no section before this line (begin with a line such as [circus])"],
    ),
    "indented.ini": (
        "  [watcher:a]\n  cmd = a\n",
        [
            ":1: '  [watcher:a]' is not understood (it should be key = value, in the first column)",
            ":2: '  cmd = a' is not understood (it should be key = value, in the first column)",
        ],
    ),
    "limit.ini": (
        "[watcher:a]\ncmd = a\nrlimit_nofile = lots\n",
        [":3: [watcher:a] rlimit_nofile: 'lots' isn't a valid int (expected a number from 0, such as 1024, "],
    ),
    "contradictory.ini": (
        "[watcher:a]\ncmd = a\nsingleton = yes\nnumprocesses = 2\nvirtualenv = /x\n[circus]\nendpoint = ipc://a\n"
        "pubsub_endpoint = ipc://a\n",
        [
            ":4: [watcher:a] numprocesses: is 2 for a singleton (set it to 1, or drop singleton)",
            ":5: [watcher:a] virtualenv: needs copy_env (set copy_env = True as well)",
            ":8: [circus] pubsub_endpoint: is where endpoint is (each needs an address of its own)",
        ],
    ),
    "plugins.ini": (
        "[plugin:a]\nuse = flaping\n[plugin:b]\nuse = os:path\n[plugin:c]\nuse = json:dumps\n[plugin:d]\nuse = :\n"
        "[plugin:e]\nuse = watchdog\npriorty = 2\n[plugin:f]\nuse = os:nothing\n[watcher:plugin:e]\ncmd = a\n",
        [
            ":2: [plugin:a] use: no plugin flaping is installed (did you mean flapping?)",
            ":4: [plugin:b] use: os:path is no plugin",
            ":6: [plugin:c] use: json:dumps is no plugin",
            ":8: [plugin:d] use: : is not the path of a class (such as package.module:Class, FILE.py:Class or ",
            ":9: [plugin:e]: the name is that of [watcher:plugin:e] already (rename the watcher)",
            ":11: [plugin:e] priorty: is not an option of this plugin (did you mean priority?)",
            ":13: [plugin:f] use: os:nothing: os has no nothing",
        ],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration(write: Write, name: str) -> None:
    text, expected = BROKEN[name]
    with pytest.raises(ConfigError) as caught:
        assemble(write(text, name))
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == len(expected), told
    assert all(line.startswith(name + wanted) for line, wanted in zip(told, expected, strict=True)), told


def test_a_file_without_a_name() -> None:
    with pytest.raises(ConfigError, match=r"^'': cannot be read: No such file"):
        assemble("")


def test_a_fifo_that_nobody_writes_into_is_not_waited_for(write: Write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "waits.ini")
    with pytest.raises(ConfigError, match=r"^waits.ini: is a FIFO \(circusd would have to wait for somebody"):
        assemble(write("[circus]\ninclude = waits.ini\n"))


def test_what_a_shell_hands_on_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"[watcher:a]\ncmd = a\n")
    os.close(writing)
    try:
        assert list(assemble(f"/dev/fd/{reading}").config.watchers) == ["a"]
    finally:
        os.close(reading)


def test_a_file_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "LARGEST", 1 << 20)
    with pytest.raises(ConfigError, match=r"^/dev/zero: is larger than 1 MiB"):
        assemble("/dev/zero")


def test_a_message_is_shorter_than_what_it_is_about(write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        assemble(write(f"[watcher:a]\ncmd = a\nnumprocesses = {'9' * 100_000}x\n"))
    (problem,) = caught.value.problems
    assert len(str(problem)) < 3000
    assert str(problem).endswith("... (expected a whole number, such as 3)")


def test_thousands_of_mistakes_are_told_at_once(write: Write) -> None:
    text = "".join(f"[watcher:w{number}]\ncmd = true\nnumproceses = 2\n" for number in range(2_000))
    with pytest.raises(ConfigError) as caught:
        assemble(write(text))
    assert len(caught.value.problems) == 2_000


@pytest.mark.parametrize(
    ("lines", "key", "said"),
    [
        ("cmd = $(circus.env.NO_SUCH)/bin/a", "cmd", "$(circus.env.NO_SUCH)/bin/a has a variable that nothing sets"),
        (
            "cmd = true\nworking_dir = ~/a",
            "working_dir",
            "there is no folder ~/a (`~` is not expanded; write the folder",
        ),
        ("cmd = true\nenv_file = ~/a", "env_file", "/~/a: cannot be read: No such file or directory"),
        ("cmd = true\nrestart_delay = 50", "restart_delay", "is more than restart_delay_max, which is 30 and counts"),
        (
            "cmd = true\nstdout_stream.filename = /no/such/a",
            "stdout_stream.filename",
            "/no/such/a cannot be opened: No",
        ),
        ("cmd = no-such\nstdout_stream.class = StdoutStream", "cmd", "there is no program no-such on the PATH"),
    ],
)
def test_what_is_doubtful_is_told_and_runs(write: Write, lines: str, key: str, said: str) -> None:
    (warning,) = assemble(write(f"[watcher:a]\n{lines}\n")).reread().warnings
    assert re.match(rf"app\.ini:\d: \[watcher:a\] {re.escape(key)}: ", warning)
    assert said in warning


def test_hooks_may_find_the_program_so_it_is_not_looked_for(write: Write) -> None:
    assert assemble(write("[watcher:a]\ncmd = no-such\nhooks.before_start = m.f\n")).reread().warnings == ()
