"""Files to a Config: both formats, what plugins declare, and what is logged."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import pytest
from attrs import field, frozen

from circus_core.config import build, load, plugins, read
from circus_core.errors import ConfigError
from circus_core.kinds import BOOLEAN, INTEGER, TEXT
from circus_core.model import Config, sections
from circus_core.options import Option, Section, option
from circus_core.structure import Setting
from tests.core.configurations import ENVIRON, found, made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.core.configurations import Write


EVERYTHING_INI = """
[circus]
check_delay = 0.5
umask = 022
[watcher:Web]
cmd = prog --wid $(circus.wid)
args = 'a b' c
numprocesses: 3
copy_env = on
stop_signal = quit
rlimit_nofile = 100
rlimit_core =
working_dir = ""
env = A=1,B=two words
flapping.attempts = 2
[plugin:flap]
use = flapping
window = 1
"""
EVERYTHING_TOML = """
[circus]
check_delay = 0.5
umask = "022"
[watcher.Web]
cmd = "prog --wid $(circus.wid)"
args = ["a b", "c"]
numprocesses = 3
copy_env = true
stop_signal = "quit"
rlimit.nofile = 100
rlimit_core = "unlimited"
working_dir = ""
env = { A = "1", B = "two words" }
flapping.attempts = "2"
[plugin.flap]
use = "flapping"
window = "1"
"""


@pytest.mark.covers("circus-option:check_delay")
@pytest.mark.parametrize(("name", "text"), [("app.ini", EVERYTHING_INI), ("app.toml", EVERYTHING_TOML)])
def test_both_formats_say_the_same(write: Write, name: str, text: str) -> None:
    config = made(write(text, name))
    assert (config.supervisor.check_delay, config.supervisor.umask) == (0.5, 0o22)
    assert list(config.watchers) == ["web"]
    web = config.watchers["web"]
    assert (web.name, web.cmd, web.words) == (
        "Web",
        "prog --wid $(circus.wid)",
        ["prog", "--wid", "$(circus.wid)", "a b", "c"],
    )
    assert (web.numprocesses, web.copy_env, web.stop_signal, web.working_dir) == (3, True, signal.SIGQUIT, None)
    assert web.rlimits == {"nofile": 100, "core": -1}
    assert web.env == {"A": "1", "B": "two words"}
    assert web.extra == {"flapping.attempts": "2"}
    assert config.plugins["flap"].use == "flapping"
    assert {key: setting.value for key, setting in config.raw_plugins["flap"].items()} == {"window": "1"}
    assert config.files == (name,)


def test_an_empty_file_is_a_configuration(write: Write) -> None:
    assert made(write("")) == Config(files=("app.ini",))


def test_load_logs_the_warnings(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "circus.config"):
        config = load(write("[watcher:web]\ncmd = prog\nfree = 1\n"))
    assert config.watchers["web"].extra == {"free": "1"}
    assert [record.getMessage() for record in caplog.records] == [
        "app.ini:3: [watcher:web] free: is not an option of circus or of a loaded plugin (kept as a free-form option)"
    ]
    with pytest.raises(ConfigError, match="strict mode"):
        load("app.ini", strict=True)


@frozen
class Socket:
    name: str
    port: int = option(INTEGER, 8080, help="Port.")
    extra: Mapping[str, object] = field(factory=dict)


@frozen
class Console:
    host: str = option(TEXT, "localhost", help="Host.")
    extra: Mapping[str, object] = field(factory=dict)


def with_plugins() -> dict[str, Section]:
    known = sections() | {"socket": Section("socket", Socket), "console": Section("console", Console, named=False)}
    known["watcher"].add(Option("use_sockets", BOOLEAN, False, "Inherit.", plugin="sockets"))
    known["plugin"].add(Option("group", TEXT, "", "Host group.", plugin="host"))
    return known


def test_what_plugins_declare(write: Write) -> None:
    path = write(
        "[socket:Web]\nport = $(circus.env.N)\n[socket:api]\nx = 1\n[socket:none]\n[console]\nhost = h\n"
        "[watcher:web]\ncmd = prog\nuse_sockets = yes\n[plugin:Two]\nuse = p\ngroup = g\nother = o\n"
    )
    config, _ = build(read(path), with_plugins(), environ=ENVIRON)
    assert config is not None
    assert config.sections == {
        "socket": {"web": Socket("web", 4), "api": Socket("api", extra={"x": "1"})},
        "console": {"": Console("h")},
    }
    assert config.watchers["web"].extra == {"use_sockets": True}
    assert config.plugins["Two"].extra == {"group": "g"}
    assert list(config.raw_plugins["Two"]) == ["other"]
    assert [problem.message for problem in found(path, with_plugins())] == [
        "is not an option of circus or of a loaded plugin",
        "has no options and is skipped",
    ]


def test_plugins_can_be_known_before_their_options(write: Write) -> None:
    path = write(
        "[plugin:p]\nuse = $(circus.env.HOME)/p.py:P\nx = 1\n[plugin:bad]\n y\n[watcher:web]\nnumproceses = 1\n"
    )
    chosen = plugins(read(path), sections(), environ=ENVIRON)
    assert {name: options.use for name, options in chosen.options.items()} == {"p": "/home/me/p.py:P"}
    assert isinstance(chosen.settings["p"]["x"], Setting)
