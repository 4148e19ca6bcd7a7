"""circusd's log: its look, its outputs, and that no output ever holds up or ends what is logging."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.loghandlers import write

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ([\w.]+)\[(\d+)\] \[([A-Z]+)\] (.*)")

# Does one step per line of its standard input, and answers each with a line, so that a test can act in between.
PROGRAM = """
import logging, os, sys
from circus_core import logs
from circus_core.errors import CircusError
log = logging.getLogger("circus.test")
for step in sys.stdin:
    try:
        exec(step)
    except CircusError as error:
        print(type(error).__name__, error, flush=True)
    else:
        print("done", flush=True)
"""


class Program:
    """A process with a log, one step after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = process.pid

    def __call__(self, step: str, **values: Any) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for name, value in values.items():
            step = f"{name} = {value!r}; {step}"
        print(step, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().rstrip("\n")

    def end(self) -> str:
        """Let it end, and answer what it wrote to standard error."""
        _, stderr = self.process.communicate()
        assert self.process.returncode == 0
        return stderr or ""


@contextmanager
def program(**options: Any) -> Iterator[Program]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **{"stderr": subprocess.PIPE, **options},
    ) as process:
        try:
            yield Program(process)
        finally:
            process.kill()


def messages(text: str) -> list[str]:
    """What was logged, without what comes before it; lines that are not of the log are marked."""
    return [match[4] if (match := LINE.fullmatch(line)) else f"no log line: {line}" for line in text.splitlines()]


# Standard error


@pytest.mark.parametrize("output", ["-", "stdout", None])
def test_the_format_is_circus_and_goes_to_standard_error(output: str | None) -> None:
    with program() as run:
        assert run("logs.configure('info', output)", output=output) == "done"
        run("log.info('it is %s', 'up')")
        run("log.debug('not shown')")
        match = LINE.fullmatch(run.end().rstrip("\n"))
        assert match is not None
        assert match.groups() == ("circus.test", str(run.pid), "INFO", "it is up")


@pytest.mark.parametrize(
    ("level", "shown"),
    [("critical", 1), ("error", 2), ("WARNING", 3), (None, 4), ("Info", 4), ("debug", 5)],
)
def test_levels(level: str | None, shown: int) -> None:
    with program() as run:
        run("logs.configure(level)", level=level)
        run("log.critical('1'), log.error('2'), log.warning('3'), log.info('4'), log.debug('5')")
        assert messages(run.end()) == ["1", "2", "3", "4", "5"][:shown]


def test_an_unknown_level_is_refused() -> None:
    with program() as run:
        answer = run("logs.configure('verbose')")
        assert answer == (
            "OptionError there is no log level 'verbose' (expected one of critical, error, warning, info, debug)"
        )


def test_other_packages_are_logged_too_and_exceptions_whole() -> None:
    with program() as run:
        run("logs.configure()")
        run("logging.getLogger('asyncio').error('task', exc_info=ValueError('odd'))")
        assert "ValueError: odd" in run.end()


def test_a_call_with_wrong_arguments_does_not_cost_the_line() -> None:
    with program() as run:
        run("logs.configure()")
        assert run("log.info('%d workers', 'many')") == "done"
        assert "'%d workers' ('many',)" in run.end()


def test_a_reader_that_stalls_holds_nothing_up_and_losses_are_counted() -> None:
    reader, writer = os.pipe()
    with program(stderr=writer) as run:
        os.close(writer)
        run("logs.configure()")
        assert run("[log.info('%0100d', number) for number in range(5000)]") == "done"
        received = b""
        while select.select([reader], [], [], 0)[0]:
            received += os.read(reader, 1 << 20)
        assert run("log.info('back')") == "done"
        run.end()
        with open(reader, "rb") as pipe:
            *_, told, back = messages(pipe.read().decode())
    whole = received.count(b"\n")
    assert 0 < whole < 5000
    assert told.startswith(f"{5000 - whole} lines of this log were lost: ")
    assert back == "back"


def test_the_reader_may_be_gone() -> None:
    reader, writer = os.pipe()
    with program(stderr=writer) as run:
        os.close(writer)
        run("logs.configure()")
        os.close(reader)
        assert run("log.info('nobody')") == "done"
        run.end()


def test_a_socket_of_the_journal_will_do() -> None:
    ours, theirs = socket.socketpair()
    with ours, program(stderr=theirs) as run:
        theirs.close()
        run("logs.configure()")
        run("log.info('hello')")
        run.end()
        assert messages(ours.recv(1000).decode()) == ["hello"]


# Files


def test_a_file_is_appended_to_and_followed_when_it_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "circusd.log"
    path.write_text("earlier\n")
    with program() as run:
        run("logs.configure('info', path)", path=str(path))
        run("log.info('one')")
        path.rename(tmp_path / "circusd.log.1")
        run("log.info('two')")
        path.unlink()
        run("log.info('three')")
        run.end()
    earlier, *lines = (tmp_path / "circusd.log.1").read_text().splitlines()
    assert (earlier, messages("\n".join(lines))) == ("earlier", ["one"])
    assert messages(path.read_text()) == ["three"]


def test_reopen_makes_the_file_before_the_next_line(tmp_path: Path) -> None:
    path = tmp_path / "circusd.log"
    with program() as run:
        run("logs.configure('info', path)", path=str(path))
        path.rename(tmp_path / "circusd.log.1")
        run("logs.reopen()")
        assert path.read_text() == ""


def test_a_relative_path_stays_where_it_was(tmp_path: Path) -> None:
    with program() as run:
        run("os.chdir(path)", path=str(tmp_path))
        run("logs.configure('info', 'circusd.log')")
        run("os.chdir('/'); logs.reopen(); log.info('here')")
    assert messages((tmp_path / "circusd.log").read_text()) == ["here"]


def test_children_do_not_inherit_the_file(tmp_path: Path) -> None:
    with program() as run:
        run("logs.configure('info', path); logs.reopen()", path=str(tmp_path / "circusd.log"))
        run("import subprocess; listing = subprocess.check_output(['ls', '-l', '/proc/self/fd'], close_fds=False)")
        assert run("assert b'circusd.log' not in listing, listing") == "done"


def test_a_folder_that_vanishes_loses_nothing_and_is_said_once(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "circusd.log"
    with program() as run:
        run("logs.configure('info', path)", path=str(path))
        folder.rename(tmp_path / "moved")
        run("log.info('one'), log.info('two'), logs.reopen()")
        folder.mkdir()
        run("log.info('three')")
        said = run.end().splitlines()
    assert messages((tmp_path / "moved" / "circusd.log").read_text()) == ["one", "two"]
    assert messages(path.read_text()) == ["three"]
    assert said == [f"circusd: cannot open the log {path}: No such file or directory; the file that was open is used"]


def test_a_terminal_to_which_another_process_writes_takes_each_line() -> None:
    """While it does, poll(2) says that the terminal takes nothing."""
    ours, terminal = os.openpty()

    def show() -> None:
        with suppress(OSError):
            while os.read(ours, 65536):
                pass

    showing = threading.Thread(target=show)
    showing.start()
    with subprocess.Popen(["yes", "x" * 300], stdout=terminal) as other:
        for number in range(300):
            write(terminal, f"line {number}", turn=20_000)
        other.kill()
    os.close(terminal)
    showing.join()
    os.close(ours)


def test_a_full_disk_is_said_once() -> None:
    with program() as run:
        run("logs.configure('info', '/dev/full')")
        assert run("log.info('one'), log.info('two')") == "done"
        assert run.end() == "circusd: cannot log to /dev/full: No space left on device; going on without\n"


def test_a_fifo_without_a_reader_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with program() as run:
        assert "cannot be opened: No such device or address" in run(
            "logs.configure('info', path)", path=str(tmp_path / "fifo")
        )


def test_a_file_that_cannot_be_opened_is_an_error_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "circusd.log"
    with program() as run:
        answer = run("logs.configure('info', path)", path=str(path))
    assert answer.startswith(f"SystemCallError the log file '{path}' cannot be opened: No such file or directory (")


def test_the_output_may_change_and_the_earlier_file_is_closed(tmp_path: Path) -> None:
    with program() as run:
        run("logs.configure('info', path)", path=str(tmp_path / "one"))
        run("log.info('one')")
        run("logs.configure('debug', '-')")
        run("log.debug('two')")
        assert run("assert not any(os.path.realpath(f'/proc/self/fd/{n}') == path for n in range(20))") == "done"
        assert messages(run.end()) == ["two"]
    assert messages((tmp_path / "one").read_text()) == ["one"]


# syslog


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(30)
        yield made


@pytest.mark.parametrize(("facility", "number"), [("", 1), ("?user", 1), ("?LOCAL3", 19), ("?log_daemon", 3)])
def test_syslog_by_udp(server: socket.socket, facility: str, number: int) -> None:
    with program() as run:
        run("logs.configure('debug', output)", output=f"syslog://127.0.0.1:{server.getsockname()[1]}{facility}")
        for level, severity in (("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)):
            run(f"log.{level}('hello')")
            priority, _, rest = server.recv(1000).decode().partition(">")
            assert priority == f"<{number * 8 + severity}"
            assert messages(rest) == ["hello"]


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_syslog_by_the_local_socket_which_may_come_and_go(tmp_path: Path, kind: socket.SocketKind) -> None:
    path = str(tmp_path / "log")
    with program() as run:
        run("logs.configure('info', output)", output=f"syslog://{path}?local0")
        assert run("log.info('one'), log.info('two')") == "done"
        for _ in range(2):
            with socket.socket(socket.AF_UNIX, kind) as server:
                server.bind(path)
                server.settimeout(30)
                if kind == socket.SOCK_STREAM:
                    server.listen()
                assert run("log.info('hello')") == "done"
                connection = server.accept()[0] if kind == socket.SOCK_STREAM else server
                received = connection.recv(1000)
                if b"lost" in received:
                    assert b"2 lines of this log were lost: No such file or directory" in received
                    received = received.partition(b"\0")[2] or connection.recv(1000)
                connection.close()
                assert received.startswith(b"<134>")
                assert messages(received[5:-1].decode()) == ["hello"]
                assert received.endswith(b"\0")
            os.unlink(path)
        said = run.end().splitlines()
    assert said[0] == f"circusd: cannot log to syslog at {path}: No such file or directory; going on without"


def test_a_syslog_that_stalls_holds_nothing_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server, program() as run:
        server.bind(str(tmp_path / "log"))
        run("logs.configure('info', output)", output=f"syslog://{tmp_path / 'log'}")
        assert run("[log.info('%01000d', number) for number in range(5000)]") == "done"
        assert "Resource temporarily unavailable; going on without" in run.end()


def test_a_syslog_host_that_is_unknown_now_is_said_and_looked_up_again() -> None:
    with program() as run:
        assert run("logs.configure('info', 'syslog://no-such-host.invalid')") == "done"
        assert run("log.info('lost')") == "done"
        assert run("logs.reopen()") == "done"
        said = run.end()
    assert said.count("cannot find no-such-host.invalid, the syslog server: ") == 2
    assert said.count("cannot log to syslog at no-such-host.invalid:514: ") == 1


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("syslog://host:many", "Port could not be cast"),
        ("syslog://host:99999", "Port out of range"),
        ("syslog://host?coffee", "there is no syslog facility 'coffee' (possible are auth, authpriv, "),
    ],
)
def test_syslog_addresses_that_are_wrong(output: str, answer: str) -> None:
    with program() as run:
        got = run("logs.configure('info', output)", output=output)
    assert got.startswith("OptionError ")
    assert answer in got


# loggerconfig

TABLE = {
    "version": 1,
    "formatters": {"short": {"format": "%(levelname)s %(message)s"}},
    "handlers": {"out": {"class": "logging.handlers.WatchedFileHandler", "filename": "FILE", "formatter": "short"}},
    "root": {"level": "INFO", "handlers": ["out"]},
}
INI = """
[loggers]
keys = root
[handlers]
keys = out
[formatters]
keys = short
[logger_root]
level = INFO
handlers = out
[handler_out]
class = handlers.WatchedFileHandler
args = ("FILE",)
formatter = short
[formatter_short]
format = %(levelname)s %(message)s
"""
TOML = """
version = 1
formatters.short.format = "%(levelname)s %(message)s"
handlers.out = {class = "logging.FileHandler", filename = "FILE", formatter = "short"}
root = {level = "INFO", handlers = ["out"]}
"""
CONFIGURATIONS = {"ini": INI, "json": json.dumps(TABLE), "toml": TOML}


def logger_config(tmp_path: Path, kind: str) -> tuple[Path, Path]:
    folder = tmp_path / "logs"
    folder.mkdir()
    target = folder / "out.log"
    path = tmp_path / f"logging.{kind}"
    path.write_text(CONFIGURATIONS[kind].replace("FILE", str(target)))
    return path, target


@pytest.mark.parametrize("kind", list(CONFIGURATIONS))
def test_a_file_for_logging_config(tmp_path: Path, kind: str) -> None:
    path, target = logger_config(tmp_path, kind)
    with program() as run:
        run("logs.configure()")
        assert run("logs.configure('debug', '-', path)", path=str(path)) == "done"
        run("log.info('one'), log.debug('not shown')")
        target.rename(tmp_path / "renamed")
        run("logs.reopen()")
        run("log.info('two')")
        assert run.end() == ""
    assert (tmp_path / "renamed").read_text() == "INFO one\n"
    assert target.read_text() == "INFO two\n"


@pytest.mark.parametrize("kind", list(CONFIGURATIONS))
def test_its_handlers_raise_nothing_either(tmp_path: Path, kind: str) -> None:
    path, target = logger_config(tmp_path, kind)
    with program() as run:
        run("logs.configure('info', '-', path)", path=str(path))
        target.parent.rename(tmp_path / "moved")
        assert run("logs.reopen(), log.info('one'), log.info('two')") == "done"
        assert run.end().count("cannot log: FileNotFoundError") == 1


def test_default_is_no_file() -> None:
    with program() as run:
        run("logs.configure('info', '-', 'default')")
        run("log.info('hello')")
        assert messages(run.end()) == ["hello"]


@pytest.mark.parametrize(
    ("name", "text", "answer"),
    [
        ("no.json", None, "cannot be read: No such file or directory"),
        ("a.json", "{", "is wrong: JSONDecodeError"),
        ("a.json", "[]", "holds no table"),
        ("a.json", "{}", "is wrong: ValueError: dictionary doesn't specify a version"),
        ("a.toml", "= 1", "is wrong: TOMLDecodeError"),
        ("a.toml", 'version = 1\nroot.handlers = ["none"]', "is wrong: ValueError: Unable to configure root logger"),
        ("a.ini", "x", "is wrong: "),
        ("a.ini", "[loggers]", "is wrong: "),
        ("a.conf", "", "has an unknown format (expected a .ini, .json, .toml or .yaml file)"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, name: str, text: str | None, answer: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with program() as run:
        got = run("logs.configure('info', '-', path)", path=str(tmp_path / name))
    assert got.startswith(f"OptionError loggerconfig '{tmp_path / name}' ")
    assert answer in got


@pytest.mark.skipif(importlib.util.find_spec("yaml") is not None, reason="PyYAML is installed")
def test_yaml_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1")
    with program() as run:
        got = run("logs.configure('info', '-', path)", path=str(tmp_path / "a.yaml"))
    assert "is YAML, and PyYAML is not installed (install PyYAML for " in got


def test_what_is_not_used_is_not_imported() -> None:
    with program() as run:
        run("logs.configure()")
        run("log.info('hello')")
        assert (
            run("assert not {'logging.handlers', 'logging.config', 'socket', 'urllib.parse'} & set(sys.modules)")
            == "done"
        )
