"""circusd's command line: what each option does, and with which status circusd ends when something is wrong."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from circus_core import __version__
from circus_core.testing import until
from tests.e2e.program import is_up, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd

    Start = Callable[..., Circusd]

PLUGIN = """
from attrs import frozen
from circus_core.kinds import INTEGER
from circus_core.options import option
from circus_core.plugin import CircusPlugin

open("loaded", "w").close()

class Mine(CircusPlugin):
    @frozen
    class Options:
        number: int = option(INTEGER, 1, help="A number.")
        extra: dict = {}

    def circus_startup(self):
        open("started", "w").close()
"""


def write(folder: Path, text: str, name: str = "app.ini") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_version_is_just_the_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")


def test_without_a_configuration_it_says_how_it_is_used() -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: circusd [-h] [--check]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nothing", "a.ini"], "unrecognized arguments: --nothing"),
        (["--log-level", "loud", "a.ini"], "there is no log level 'loud' (expected one of critical, error, "),
        (["--check"], "--check needs a configuration file"),
    ],
)
def test_bad_options(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


# Configurations that cannot be


def test_a_missing_configuration(tmp_path: Path) -> None:
    done = run("no.ini", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"no.ini: cannot be read: No such file or directory (the current directory is {tmp_path})\n"


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{tmp_path}: cannot be read: Is a directory")


@pytest.mark.parametrize("arguments", [[], ["--check"], ["--daemon"]])
def test_all_mistakes_are_printed_each_with_its_place(tmp_path: Path, arguments: list[str]) -> None:
    path = write(
        tmp_path,
        """[watcher:a]
numproceses = 3
cmd = sleep 1000
[watcher:b]
cmd = sleep 1000
numprocesses = many
colour = blue
""",
    )
    done = run(path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    warning, *mistakes = done.stderr.splitlines()
    assert warning.startswith(f"warning: {path}:7: [watcher:b] colour: ")
    assert [line.partition(": ")[0] for line in mistakes] == [f"{path}:2", f"{path}:6"]


@pytest.mark.parametrize("arguments", [[], ["--check"]])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("loglevel = inof", "loglevel: 'inof' isn't a log level (did you mean info?)"),
        ("logoutput = syslog://?coffee", "logoutput: there is no syslog facility 'coffee'"),
        ("logoutput = no/circusd.log", "logoutput: the log file 'no/circusd.log' cannot be opened: No such file or "),
        ("loggerconfig = no.json", "no.json' cannot be read: No such file or directory"),
        ("loggerconfig = bad.toml", "bad.toml' is wrong: ValueError: logger root has the handler 'none', which is"),
    ],
)
def test_a_log_that_cannot_be(tmp_path: Path, arguments: list[str], line: str, message: str) -> None:
    """Found before anything is done, with its place, also where nothing but a check was asked for."""
    (tmp_path / "bad.toml").write_text('version = 1\nroot.handlers = ["none"]\n')
    path = write(
        tmp_path, f"[watcher:a]\ncmd = touch {tmp_path}/ran\n[circus]\n{line.replace('bad', f'{tmp_path}/bad')}\n"
    )
    done = run(path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{path}:4: [circus] {line.partition(' ')[0]}: ")
    assert message in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_check_makes_no_log(tmp_path: Path) -> None:
    done = run(write(tmp_path, f"[circus]\nlogoutput = {tmp_path}/circusd.log\npidfile = {tmp_path}/p\n"), "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["app.ini"]


@pytest.mark.parametrize(("arguments", "status"), [([], 1), (["--check"], 2)])
def test_a_log_file_that_cannot_be_opened(tmp_path: Path, arguments: list[str], status: int) -> None:
    path = write(tmp_path, "[circus]\nlogoutput = /nobody/looks/here\n")
    done = run(path, "--log-output", tmp_path / "no" / "circusd.log", *arguments)
    assert done.returncode == status
    assert done.stderr.startswith("circusd: the log file '")
    assert "cannot be opened: No such file or directory" in done.stderr


def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    text = (
        "[plugin:mine]\nhost = core\nuse = no_such_module:Mine\n[plugin:yours]\nuse = none\n[watcher:a]\nnumber = 1\n"
    )
    path = write(tmp_path, text)
    for arguments in ([], ["--check"]):
        done = run(path, *arguments)
        assert done.returncode == 2
        assert f"{path}:3: [plugin:mine] use: no_such_module:Mine cannot be imported: ModuleNot" in done.stderr
        assert f"{path}:5: [plugin:yours] use: no plugin none is installed" in done.stderr
        assert f"{path}:6: [watcher:a] cmd: is missing" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_plugin_that_refuses_to_start(tmp_path: Path) -> None:
    write(tmp_path, PLUGIN + "        raise OSError('no room')\n", "mine.py")
    path = write(tmp_path, f"[plugin:mine]\nuse = {tmp_path}/mine.py:Mine\nhost = core\n")
    done = run(path, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("circusd: plugin mine: circus_startup failed: OSError: no room\n")


def test_an_option_of_a_plugin_that_cannot_be(tmp_path: Path) -> None:
    write(tmp_path, PLUGIN, "mine.py")
    path = write(tmp_path, "[plugin:mine]\nuse = mine.py:Mine\nhost = core\nnumber = many\n")
    for arguments in ([], ["--check"]):
        done = run(path, *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert f"{path}:4: [plugin:mine] number: " in done.stderr
    assert not (tmp_path / "started").exists()


def test_an_endpoint_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(write(tmp_path, f"[circus]\nendpoint = tcp://127.0.0.1:{taken.getsockname()[1]}\n"))
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


# --check


def test_check_prints_what_would_start_in_order_and_starts_nothing(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"""[circus]
pidfile = {tmp_path}/circusd.pid
logoutput = {tmp_path}/circusd.log
[watcher:late]
cmd = touch {tmp_path}/ran
[watcher:early]
cmd = touch {tmp_path}/ran
numprocesses = 2
priority = 5
[watcher:never]
cmd = touch {tmp_path}/ran
autostart = False
""",
    )
    done = run("--check", path)
    assert (done.returncode, done.stderr) == (0, "")
    early, late, never = done.stdout.splitlines()
    assert early == f"start early: 2 processes of touch {tmp_path}/ran (priority 5)"
    assert late.startswith("start late: 1 process of ")
    assert never.startswith("add never: ")
    assert [entry.name for entry in tmp_path.iterdir()] == ["app.ini"]


def test_check_tells_what_is_odd(tmp_path: Path) -> None:
    path = write(tmp_path, "[watcher:a]\ncmd = sleep 1000\ncolour = blue\n")
    done = run(path, "--check")
    assert done.returncode == 0
    assert done.stderr.startswith(f"warning: {path}:3: [watcher:a] colour: ")
    strict = run(path, "--check", "--strict")
    assert (strict.returncode, strict.stdout) == (2, "")
    assert strict.stderr.startswith(f"{path}:3: [watcher:a] colour: ")


def test_check_with_a_circusd_running(tmp_path: Path, circusd: Start) -> None:
    running = circusd("[watcher:a]\ncmd = sleep 1000\n", "--pidfile", str(tmp_path / "pid"))
    until(lambda: is_up(running))
    done = run("--check", running.path, "--pidfile", tmp_path / "pid")
    assert (done.returncode, done.stderr) == (0, "")


# --no-plugins


def test_no_plugins_means_none_at_all(tmp_path: Path, circusd: Start) -> None:
    write(tmp_path, PLUGIN, "mine.py")
    running = circusd(
        f"[watcher:a]\ncmd = sleep 1000\n[plugin:mine]\nuse = {tmp_path}/mine.py:Mine\nhost = core\n", "--no-plugins"
    )
    until(lambda: is_up(running))
    assert not list(tmp_path.rglob("loaded"))
    assert not Path(running.endpoint.removeprefix("ipc://")).exists()


def test_a_wrong_loggerconfig_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text('{"version": 2}')
    (tmp_path / "app.ini").write_text("[watcher:w]\ncmd = true\n")
    done = run("--logger-config", tmp_path / "log.json", tmp_path / "app.ini")
    assert done.returncode == 2
    assert done.stderr.count("is wrong") == 1


def test_check_says_what_there_is_where_nothing_would_start(tmp_path: Path) -> None:
    (tmp_path / "app.ini").write_text("[circus]\nwarmup_delay = 1\n")
    done = run("--check", tmp_path / "app.ini")
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "no watcher and no plugin")
