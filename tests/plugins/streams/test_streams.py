"""Streams of real processes in a supervisor: what is said arrives where the options say, whatever becomes of whom."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from circus_core.errors import CircusError
from circus_core.testing import PATIENCE, python, until, watcher
from circus_plugins.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.model import WatcherOptions


def streamed(name: str, cmd: str, **given: Any) -> WatcherOptions:
    """A watcher with options of streams: `stdout__filename` is `stdout_stream.filename`."""
    extra = {key.replace("__", "_stream."): value for key, value in given.items() if "__" in key}
    extra |= {key: given[key] for key in ("redirect_stderr",) if key in given}
    rest = {key: value for key, value in given.items() if key not in extra and "__" not in key}
    return watcher(name, cmd, extra=extra, **rest)


COUNTING = r"""
import itertools, time
for n in itertools.count():
    print(f"line {n}\n", end="", flush=True)
    time.sleep(0.005)
"""
FILLING = r"""
import time
for n in range(10**6):
    print(f"{n:08d} {'x' * 990}\n", end="", flush=True)
    time.sleep(0.001)
"""


def flags(pid: int, descriptor: int) -> int:
    """How a process has a file open (proc(5))."""
    return int(Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text().split()[3], 8)


def mounted(*words: str) -> bool:
    return subprocess.run(["mount", *words], capture_output=True).returncode == 0


def unmount(disk: Path) -> None:
    subprocess.run(["umount", "-l", str(disk)], check=True)


async def comes(condition: Callable[[], Any]) -> None:
    """Wait for something that no event tells of, while the supervisor in this process works on."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def said(path: Path, text: str) -> bool:
    return path.exists() and text in path.read_text()


@pytest.mark.covers("option:stdout_stream.", "option:stderr_stream.", "option:stderr_stream.class")
async def test_each_channel_goes_to_its_file_until_the_last_word(supervise: Any, tmp_path: Path) -> None:
    out, err = tmp_path / "out.log", tmp_path / "err.log"
    one = streamed(
        "one", "sh -c 'echo out; echo err >&2; printf last; kill -9 $$'", respawn=False,
        stdout__filename=str(out), stderr__class="FileStream", stderr__filename=str(err),
    )  # fmt: skip
    async with supervise(one, plugins={"streams": Streams()}) as run:
        await run.events.wait_for("process_exited", watcher="one")
        assert out.read_text() == "out\nlast"
        assert err.read_text() == "err\n"


async def test_each_process_may_have_a_file_of_its_own(supervise: Any, tmp_path: Path) -> None:
    one = streamed(
        "one", "sh -c 'echo $ME; sleep 1000'", numprocesses=2, env={"ME": "me"},
        stdout__filename=f"{tmp_path}/$(circus.name)-$(circus.wid)-$(circus.env.me).log",
    )  # fmt: skip
    async with supervise(one, plugins={"streams": Streams()}):
        for wid in (1, 2):
            await comes(lambda wid=wid: said(tmp_path / f"one-{wid}-me.log", "me\n"))


async def test_a_program_around_it_reads_the_queue(supervise: Any) -> None:
    streams = Streams()
    one = streamed("one", "sh -c 'echo one; exec sleep 1000'", stdout__class="QueueStream")
    async with supervise(one, plugins={"streams": streams}) as run:
        (sink,) = streams.sinks("one")
        await comes(lambda: not sink.queue.empty())
        assert sink.queue.get_nowait() == {"data": b"one\n", "pid": run.pids("one")[0], "name": "stdout"}
        assert streams.sinks("one", "stderr") == []


async def test_a_program_around_it_reads_whoever_of_a_watcher_speaks(supervise: Any) -> None:
    streams = Streams()
    given = {"stdout__class": "QueueStream", "stderr__class": "QueueStream"}
    one = streamed("One", "sh -c 'echo $$; echo err >&2; exec sleep 1000'", numprocesses=2, **given)
    two = streamed("two", "sh -c 'echo two; exec sleep 1000'", **given)
    read: list[dict[str, Any]] = []

    async def reads() -> None:
        async for said in streams.sinks("one")[0]:
            read.append(said)

    async with supervise(one, two, plugins={"streams": streams}) as run:
        reading = asyncio.create_task(reads())
        await comes(lambda: len(read) == 2)
        os.kill(run.pids("one")[0], signal.SIGKILL)
        await comes(lambda: len(read) == 3)
        await run.call("restart", name="one", waiting=True)
        await comes(lambda: len(read) == 5)
        assert all(said == {"data": b"%d\n" % said["pid"], "pid": said["pid"], "name": "stdout"} for said in read)
        assert streams.sinks("one") != streams.sinks("two") != streams.sinks("two", "stderr")
        await run.call("set", name="two", options={"stdout_stream.class": "StdoutStream"})
        await comes(lambda: type(streams.sinks("two")[0]).__name__ == "StdoutStream")
        await run.call("rm", name="one", waiting=True)
        await asyncio.wait_for(reading, PATIENCE)
        assert streams.sinks("one") == []


@pytest.mark.covers("option:redirect_stderr")
async def test_standard_error_can_go_where_standard_output_goes(supervise: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.log"
    loop = "for i in 1 2 3; do echo out $i; echo err $i >&2; done"
    one = streamed("one", f"sh -c '{loop}'", respawn=False, redirect_stderr=True, stdout__filename=str(out))
    async with supervise(one, plugins={"streams": Streams()}) as run:
        await run.events.wait_for("process_exited", watcher="one")
        assert out.read_text() == "".join(f"out {i}\nerr {i}\n" for i in (1, 2, 3))


async def test_output_of_a_descendant_that_lives_longer_arrives_too(supervise: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.log"
    one = streamed(
        "one", "sh -c '(trap \"\" TERM; read x < fifo; echo child) & echo parent'", respawn=False,
        working_dir=str(tmp_path), stdout__filename=str(out),
    )  # fmt: skip
    os.mkfifo(tmp_path / "fifo")
    async with supervise(one, plugins={"streams": Streams()}) as run:
        await run.events.wait_for("process_exited", watcher="one")
        await comes(lambda: said(out, "parent\n"))


async def test_nothing_else_of_circusd_is_open_in_a_process(supervise: Any, tmp_path: Path) -> None:
    first = streamed("first", "sleep 1000", stdout__filename=str(tmp_path / "a.log"), stderr__class="QueueStream")
    second = streamed("second", "sleep 1000", stdout__filename=str(tmp_path / "b.log"))
    async with supervise(first, second, plugins={"streams": Streams()}) as run:
        for name, piped in (("first", {"1", "2"}), ("second", {"1"})):
            (pid,) = run.pids(name)
            # Until its program is loaded a process has files open itself.
            await comes(lambda pid=pid: set(os.listdir(f"/proc/{pid}/fd")) == {"0", "1", "2"})
            found = {number: os.readlink(f"/proc/{pid}/fd/{number}") for number in ("0", "1", "2")}
            assert {number for number, path in found.items() if path.startswith("pipe:")} >= piped


async def test_a_child_has_a_reader_of_its_own(supervise: Any, tmp_path: Path) -> None:
    one = streamed("one", "sleep 1000", stdout__filename=str(tmp_path / "a.log"))
    async with supervise(one, plugins={"streams": Streams()}) as run:
        assert flags(run.pids("one")[0], 1) & os.O_ACCMODE == os.O_RDWR


async def test_descriptors_are_closed_with_their_processes(supervise: Any, tmp_path: Path) -> None:
    one = streamed("one", "true", stdout__filename=str(tmp_path / "a.log"), min_uptime=0.0)
    async with supervise(one, plugins={"streams": Streams()}) as run:
        await run.events.wait_for("process_exited", count=2)
        before = len(os.listdir("/proc/self/fd"))
        await run.events.wait_for("process_exited", count=20)
        assert len(os.listdir("/proc/self/fd")) <= before + 4
        await run.call("stop", name="one", waiting=True)
    assert (tmp_path / "a.log").exists()


async def test_what_cannot_be_opened_keeps_one_process_from_starting_and_says_why(
    supervise: Any, tmp_path: Path
) -> None:
    bad = streamed("bad", "sleep 1000", max_retry=0, stdout__filename=str(tmp_path / "no" / "x.log"))
    good = watcher("good")
    async with supervise(bad, good, plugins={"streams": Streams()}) as run:
        failed = await run.events.wait_for("spawn_failed", watcher="bad")
        assert failed.reason.startswith(f"{tmp_path}/no/x.log cannot be opened: No such file or directory")
        assert (await run.call("status", name="good"))["status"] == "active"


async def test_a_fifo_that_nobody_reads_keeps_nobody_waiting_and_is_told(supervise: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    bad = streamed("bad", "sleep 1000", max_retry=0, stdout__filename=str(tmp_path / "fifo"))
    async with supervise(bad, plugins={"streams": Streams()}) as run:
        failed = await run.events.wait_for("spawn_failed", watcher="bad")
        assert "nobody reads this FIFO" in failed.reason


async def test_too_many_open_files_fail_the_spawn_and_lose_nothing(supervise: Any, tmp_path: Path) -> None:
    one = streamed(
        "one", "sh -c 'echo up; sleep 1000'", autostart=False, restart_delay=0.05, stdout__filename=f"{tmp_path}/a.log"
    )
    async with supervise(one, plugins={"streams": Streams()}) as run:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Whatever opens a file now gets the smallest number that is free.
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            await run.call("start", name="one")
            failed = await run.events.wait_for("spawn_failed", watcher="one")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "Too many open files" in failed.reason
        await run.events.wait_for("process_spawned", watcher="one")
        await comes(lambda: said(tmp_path / "a.log", "up\n"))


@pytest.mark.covers("event:output_lost", "hook:circus_describe_watcher")
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="needs a small file system")
async def test_a_full_disk_loses_only_what_it_must_and_writing_goes_on_by_itself(
    supervise: Any, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mounted("-t", "tmpfs", "-o", "size=64k", "none", str(disk)):
        pytest.skip("a file system cannot be mounted here")
    try:
        out = disk / "out.log"
        cmd = python(FILLING)
        async with supervise(streamed("one", cmd, stdout__filename=str(out)), plugins={"streams": Streams()}) as run:
            lost = await run.events.wait_for("output_lost", watcher="one")
            assert (lost.channel, lost.sink, lost.error) == ("stdout", str(out), "No space left on device")
            details = (await run.call("status", name="one", extended=True))["details"]["one"]
            assert details["facts"]["output lost"].endswith(f" bytes, {out}: No space left on device")
            first = out.read_bytes()
            os.truncate(out, 0)
            (pid,) = run.pids("one")
            await comes(lambda: out.stat().st_size > 20_000)
            again = out.read_bytes()
            assert run.pids("one") == [pid], "the child lives on"
        numbers = [int(line[:8]) for line in first.decode().splitlines()[:-1]]
        assert numbers == list(range(len(numbers)))
        later = [line for line in again.decode().splitlines() if len(line) == 999]
        assert len(later) >= 18, "whole lines follow one that was torn"
    finally:
        unmount(disk)


@pytest.mark.covers("hook:circus_recall_output")
@pytest.mark.parametrize("redirect", [False, True])
async def test_why_a_process_ended_is_told_by_its_last_words(supervise: Any, tmp_path: Path, redirect: bool) -> None:
    cmd = "sh -c 'for n in 1 2 3 4 5 6 7 8 9 10 11; do echo line $n >&2; done; printf boom >&2; exit 3'"
    channel = {"stdout__filename" if redirect else "stderr__filename": str(tmp_path / "log")}
    one = streamed("one", cmd, max_retry=0, restart_burst=0, redirect_stderr=redirect, **channel)
    wanted = [*(f"line {number}" for number in range(3, 12)), "boom"]
    async with supervise(one, plugins={"streams": Streams()}) as run:
        gone = await run.events.wait_for("watcher_gave_up", watcher="one")
        assert gone.last_words == tuple(wanted)
        assert (await run.call("status", name="one", extended=True))["details"]["one"]["last_words"] == wanted
        await run.call("rm", name="one", waiting=True)


@pytest.mark.covers("command:reopenlogs", "event:logs_reopened")
async def test_reopenlogs_opens_files_anew(supervise: Any, tmp_path: Path) -> None:
    out, moved = tmp_path / "out.log", tmp_path / "moved.log"
    cmd = python(COUNTING)
    async with supervise(streamed("one", cmd, stdout__filename=str(out)), plugins={"streams": Streams()}) as run:
        await comes(lambda: said(out, "line 3\n"))
        out.rename(moved)
        await run.call("reopenlogs")
        assert run.events.named("logs_reopened")
        await comes(lambda: said(out, "\n"))
        await run.call("stop", name="one", waiting=True)
    lines = (moved.read_text() + out.read_text()).splitlines()
    assert lines == [f"line {number}" for number in range(len(lines))]


async def test_a_stream_that_is_set_is_in_force_at_once_and_no_process_is_replaced(
    supervise: Any, tmp_path: Path
) -> None:
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    cmd = python(COUNTING)
    async with supervise(streamed("one", cmd, stdout__filename=str(one)), plugins={"streams": Streams()}) as run:
        await comes(lambda: said(one, "line 3\n"))
        pids = run.pids("one")
        await run.call("set", name="one", options={"stdout_stream.filename": str(two)})
        await comes(lambda: said(two, "\n"))
        assert run.pids("one") == pids
        await run.call("stop", name="one", waiting=True)
    lines = (one.read_text() + two.read_text()).splitlines()
    assert lines == [f"line {number}" for number in range(len(lines))]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"stdout_stream.max_bytes": "lots"}, "stdout_stream.max_bytes 'lots' isn't a size"),
        ({"stdout_stream.max_byte": 3}, "stdout_stream.max_byte is not an option"),
        ({"stderr_stream": {"class": "SyslogStream", "address": "loghost"}}, "'loghost' isn't the address of a server"),
    ],
)
async def test_a_stream_that_cannot_be_is_refused_and_output_goes_where_it_went(
    supervise: Any, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    path = tmp_path / "one.log"
    one = streamed("one", python(COUNTING), stdout__filename=str(path))
    async with supervise(one, plugins={"streams": Streams()}) as run:
        pids = run.pids("one")
        with pytest.raises(CircusError, match=told):
            await run.call("set", name="one", options=options)
        stream = {"stdout_stream.filename": str(path), **options}
        with pytest.raises(CircusError, match=told):
            await run.call("add", name="two", cmd="true", options=stream)
        await comes(lambda: said(path, "line 9\n"))
        assert run.pids("one") == pids
        assert set(run.supervisor.watchers) == {"one"}
        await run.call("set", name="one", options={"stdout_stream.max_bytes": 10_000})


async def test_output_goes_where_it_went_if_two_changes_together_leave_it_nowhere_to_go(
    supervise: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "one.log"
    given = {"stdout__class": "FileStream", "stdout__filename": str(path), "stdout__max_bytes": 10_000_000}
    async with supervise(streamed("one", python(COUNTING), **given), plugins={"streams": Streams()}) as run:
        # While one is under way, others are checked and wait.
        await asyncio.gather(
            run.call("restart", name="one", waiting=True),
            *(run.call("set", name="one", options={f"stdout_stream.{key}": None}) for key in ("class", "filename")),
        )
        await comes(lambda: "max_bytes: belongs to no stdout_stream.class" in caplog.text)
        size = path.stat().st_size
        await comes(lambda: path.stat().st_size > size)


async def test_a_stream_that_was_wrong_already_is_not_in_the_way_of_other_changes(
    supervise: Any, tmp_path: Path
) -> None:
    one = streamed("one", python(COUNTING), stdout__filename=str(tmp_path / "one.log"), stdout__max_byte="3")
    async with supervise(one, plugins={"streams": Streams()}) as run:
        await run.call("set", name="one", options={"numprocesses": 2})
        assert run.supervisor.watcher("one").options.numprocesses == 2
        await run.call("set", name="one", options={"stdout_stream.max_byte": None})
        await run.call("start", name="one", waiting=True)
        await comes(lambda: said(tmp_path / "one.log", "line 3\n"))


async def test_a_stream_for_processes_that_had_none_takes_new_processes(supervise: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.log"
    async with supervise(watcher("one", "sh -c 'echo up; exec sleep 1000'"), plugins={"streams": Streams()}) as run:
        pids = run.pids("one")
        options = {"stdout_stream": {"class": "FileStream", "filename": str(out)}}
        await run.call("set", name="one", options=options)
        await run.events.wait_for("watcher_reloaded", watcher="one")
        await comes(lambda: said(out, "up\n"))
        assert run.pids("one") != pids


@pytest.mark.covers("option:stdout_stream.class")
@pytest.mark.parametrize("word", ["os.system", "Other", 3])
async def test_no_command_names_code_that_circusd_would_import(supervise: Any, word: object) -> None:
    async with supervise(watcher("one"), plugins={"streams": Streams()}) as run:
        with pytest.raises(CircusError, match="isn't a bundled stream") as caught:
            await run.call("set", name="one", options={"stdout_stream.class": word})
        assert "circusd imports none on a client's order" in caught.value.hint
        with pytest.raises(CircusError, match="isn't a bundled stream"):
            await run.call("add", name="two", cmd="true", options={"stdout_stream": {"class": word}})


class Circusish:
    """A stream class as one writes it for Circus."""

    made: ClassVar[list[dict[str, str]]] = []
    called: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, **kwargs: str) -> None:
        self.made.append(kwargs)

    def __call__(self, data: dict[str, Any]) -> None:
        self.called.append(data)
        if b"boom" in data["data"]:
            raise RuntimeError("boom")


async def test_a_stream_class_written_for_circus_works_unchanged(supervise: Any) -> None:
    Circusish.made.clear()
    Circusish.called.clear()
    path = f"{__name__}.Circusish"
    one = streamed("one", "sh -c 'echo one; sleep 0.05; echo boom; sleep 0.05; echo two; exit 3'", respawn=False,
                   stdout__class=path, stdout__color="red")  # fmt: skip
    async with supervise(one, plugins={"streams": Streams()}) as run:
        await run.events.wait_for("process_exited", watcher="one")
        lost = await run.events.wait_for("output_lost", watcher="one")
    assert Circusish.made == [{"color": "red"}]
    assert b"".join(each["data"] for each in Circusish.called) == b"one\nboom\ntwo\n"
    assert {each["name"] for each in Circusish.called} == {"stdout"}
    assert lost.error == "RuntimeError: boom"


MISTAKES = [
    ("stdout_stream.class = FileStraem", "stdout_stream.class: FileStraem is no stream (did you mean FileStream?)"),
    ("stdout_stream.max_bytes = 10", "stdout_stream.max_bytes: belongs to no stdout_stream.class"),
    (
        "stderr_stream.class = no.such.Thing",
        "stderr_stream.class: no.such.Thing cannot be imported: ",
    ),
    ("stdout_stream.filename = x\nstdout_stream.max_bytes = lots", "stdout_stream.max_bytes: 'lots' isn't a size"),
    (
        "stdout_stream.filename = x\nstdout_stream.max_byte = 10",
        "stdout_stream.max_byte: is not an option (did you mean",
    ),
    (
        "stdout_stream.class = TimedRotatingFileStream\nstdout_stream.rotate_when = noon",
        "stdout_stream.rotate_when: 'noon' isn't one of the possible words",
    ),
]


@pytest.mark.parametrize(("written", "told"), MISTAKES)
def test_a_mistake_is_told_with_its_line_before_anything_starts(circusd: Any, written: str, told: str) -> None:
    daemon = circusd(f"[watcher:one]\ncmd = sleep 1000\n{written}\n", "--check")
    assert daemon.wait() == 2
    line = 6 + written.count("\n")
    assert f"circus.ini:{line}: [watcher:one] {told}" in daemon.output()


def test_sighup_opens_files_anew_as_logrotate_expects(circusd: Any, tmp_path: Path) -> None:
    logrotate = shutil.which("logrotate") or "/usr/sbin/logrotate"
    if not os.path.exists(logrotate):
        pytest.skip("logrotate is not installed")
    script = tmp_path / "counting.py"
    script.write_text(COUNTING)
    daemon = circusd(f"[watcher:one]\ncmd = {sys.executable} {script}\nstdout_stream.filename = one.log\n")
    daemon.up()
    log = daemon.folder / "one.log"
    until(lambda: said(log, "line 5\n"))
    ctl = f"{sys.executable} -m circus_plugins.ctl.main --endpoint {daemon.endpoint} reopenlogs"
    rules = tmp_path / "rules"
    rules.write_text(f"{log} {{\n rotate 5\n nocompress\n create\n postrotate\n {ctl}\n endscript\n}}\n")
    rules.chmod(0o644)
    for _ in range(3):
        before = log.stat().st_ino
        done = subprocess.run(
            [logrotate, "--force", "--state", str(tmp_path / "state"), str(rules)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        until(lambda before=before: log.exists() and log.stat().st_ino != before and log.stat().st_size)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    files = [*(daemon.folder / f"one.log.{number}" for number in (3, 2, 1)), log]
    lines = "".join(path.read_text() for path in files).splitlines()
    assert lines == [f"line {number}" for number in range(len(lines))]
