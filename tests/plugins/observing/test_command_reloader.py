"""The plugin command_reloader: whatever way a program changes on disk, who runs it is restarted, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
from pathlib import Path

import pytest

from circus_core.testing import until
from circus_plugins.command_reloader import notices
from circus_plugins.command_reloader.files import LINKS, Step, look, programs, steps
from tests.core.proc import descriptors

RATE = 0.1
FIRST, SECOND = "#!/bin/sh\nexec sleep 1000\n", "#!/bin/sh\n# another\nexec sleep 1000\n"


def section(**options):
    settings = {"use": "command_reloader", "loop_rate": RATE, **options}
    return "".join(["[plugin:reloader]\n", *(f"{key} = {value}\n" for key, value in settings.items())])


def watchers(*names, cmd="./app.sh", **options):
    lines = "".join(f"{key} = {value}\n" for key, value in options.items())
    return "".join(f"[watcher:{name}]\ncmd = {cmd}\n{lines}" for name in names)


def write(path, text=FIRST):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def app(tmp_path):
    """A program that watchers run as `./app.sh`."""
    return write(tmp_path / "app.sh")


async def restarted(run, name="a", times=1):
    await run.events.wait_for("watcher_started", watcher=name, count=times + 1)


async def caught_up(run):
    """Wait until the plugin has handled all events so far: it knows the watchers, and their files as they are now."""
    reloader = run.supervisor.bus.loaded.get("reloader")
    async with asyncio.timeout(20):
        while True:
            (row,) = [row for row in (await run.call("plugins"))["plugins"] if row["name"] == "reloader"]
            running = {name for name in run.supervisor.watchers if reloader and reloader.plugin._concerns(name)}
            if row["behind"] == 0 if reloader is None else running <= reloader.plugin.followed.keys():
                return
            await asyncio.sleep(0.01)


# Which files


def test_the_program_and_the_script_that_a_command_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script, other = write(tmp_path / "run"), write(tmp_path / "work" / "job.py")
    (tmp_path / "data.csv").write_text("1,2\n")
    (tmp_path / "hashed").write_text("#!/usr/bin/env python3\n")
    venv = write(tmp_path / "venv" / "bin" / "python")
    sleep = [path for path in ("/bin/sleep", "/usr/bin/sleep") if os.path.exists(path)]

    def of(cmd, **options):
        return list(programs({"cmd": cmd, "env": {"PATH": "/bin:/usr/bin"}, **options}))

    assert of("./run --fast data.csv") == [f"{tmp_path}/./run"]
    assert of("sleep 5")[0] in sleep
    assert of("sleep data.csv hashed")[1:] == [f"{tmp_path}/hashed"]
    assert of(f"{sys.executable} -u job.py run", working_dir="work") == [sys.executable, str(other)]
    assert of(sys.executable, args="-u work/job.py") == [sys.executable, str(other)]
    assert of(f"{sys.executable} gone.py", args=None) == [sys.executable, f"{tmp_path}/gone.py"]
    assert of("no-such-program") == []
    assert of("python", virtualenv=str(tmp_path / "venv")) == [str(venv)]
    assert of("cd /; exec ./run", shell=True) == [f"{tmp_path}/./run"]
    assert of("name-to-show", executable=str(script)) == [str(script)]
    assert of("") == []
    assert of("run", env={"PATH": str(tmp_path)}) == [str(script)]


def test_every_name_on_the_way_to_a_file(tmp_path):
    root = Path(os.path.realpath(tmp_path))
    write(root / "releases" / "1" / "run")
    (root / "current").symlink_to("releases/1")
    way = steps(f"{root}/current/./run")
    assert way[-4:] == [
        Step(str(root), "current"),
        Step(str(root), "releases"),
        Step(f"{root}/releases", "1"),
        Step(f"{root}/releases/1", "run"),
    ]
    assert steps(f"{root}/current/../2/run")[-1] == Step(f"{root}/releases", "2")
    (root / "loop").symlink_to("loop")
    assert len(steps(f"{root}/loop/run")) < 2 * LINKS + len(root.parts)
    assert look(f"{root}/loop/run") is None


# How they change


@pytest.mark.covers("command_reloader-option:loop_rate")
async def test_a_file_that_is_written_to(observe, place, app, tmp_path):
    write(tmp_path / "other.sh")
    async with observe(watchers("a", "b") + watchers("c", cmd="./other.sh") + section(), place) as run:
        await caught_up(run)
        before, others = run.pids("a"), run.pids("c")
        app.write_text(SECOND)
        await restarted(run, "a")
        await restarted(run, "b")
        assert run.pids("a") not in ([], before)
        assert run.pids("c") == others


async def test_a_file_that_another_is_renamed_to(observe, place, app, tmp_path):
    async with observe(watchers("a") + section(), place) as run:
        await caught_up(run)
        for times in (1, 2, 3):
            new = write(tmp_path / "app.new", f"{SECOND}# {times}\n")
            new.rename(app)
            await restarted(run, times=times)


async def test_a_link_that_leads_somewhere_else(observe, place, tmp_path):
    for release in "123":
        write(tmp_path / "releases" / release / "app.sh")
    current = tmp_path / "current"
    current.symlink_to("releases/1")
    async with observe(watchers("a", cmd=f"{current}/app.sh") + section(), place) as run:
        await caught_up(run)
        for times, release in enumerate("23", 1):
            (tmp_path / "next").symlink_to(f"releases/{release}")
            (tmp_path / "next").rename(current)
            await restarted(run, times=times)
        # And there, too.
        write(tmp_path / "releases" / "3" / "app.sh", SECOND)
        await restarted(run, times=3)


async def test_a_file_that_is_deleted_and_made_anew_with_its_folder(observe, place, tmp_path):
    app = write(tmp_path / "v" / "bin" / "app.sh")
    async with observe(watchers("a", cmd="./v/bin/app.sh") + section(), place) as run:
        await caught_up(run)
        before = run.pids("a")
        # The shell reads the file by its name, and then it is done with it.
        until(lambda: Path(f"/proc/{before[0]}/comm").read_text() == "sleep\n")
        app.unlink()
        app.parent.rmdir()
        app.parent.parent.rmdir()
        await asyncio.sleep(4 * RATE)  # nothing is to happen, which no event tells
        assert run.pids("a") == before
        write(app, SECOND)
        await restarted(run)


async def test_a_script_that_another_program_runs(observe, place, tmp_path):
    script = write(tmp_path / "work" / "job.py", "import time\ntime.sleep(1000)\n")
    run_it = watchers("a", cmd=f"{sys.executable} job.py", working_dir=tmp_path / "work")
    async with observe(run_it + section(), place) as run:
        await caught_up(run)
        script.write_text("import time\ntime.sleep(1001)\n")
        await restarted(run)


async def test_a_touch_is_a_change_and_a_mode_is_none(observe, app, caplog):
    caplog.set_level("WARNING")
    async with observe(watchers("a") + section()) as run:
        await caught_up(run)
        app.chmod(0o700)
        await asyncio.sleep(4 * RATE)  # as above
        assert not run.events.named("watcher_stopped", watcher="a")
        os.utime(app)
        await restarted(run)
        assert f"{app.parent}/./app.sh changed; restart" in caplog.text


async def test_a_long_write_is_waited_for(observe, app):
    async with observe(watchers("a") + section(loop_rate=0.5)) as run:
        await caught_up(run)
        with app.open("a") as file:
            for _ in range(12):
                file.write("# more\n")
                file.flush()
                os.utime(app)
                await asyncio.sleep(0.1)
            assert not run.events.named("watcher_stopped", watcher="a")
        await restarted(run)
        assert len(run.events.named("watcher_started", watcher="a")) == 2


async def test_a_file_in_a_busy_folder(observe, app, tmp_path):
    async with observe(watchers("a") + section()) as run:
        await caught_up(run)
        reloader = run.supervisor.bus.loaded["reloader"].plugin
        for number in range(200):
            (tmp_path / f"log{number}").write_text("x")
        await asyncio.sleep(2 * RATE)
        # None of this concerns it.
        assert reloader._timer is None
        assert not run.events.named("watcher_stopped", watcher="a")


# Which watchers


async def test_a_watcher_that_the_operator_stopped_stays_stopped(observe, place, app):
    async with observe(watchers("a", "b") + section(), place) as run:
        await caught_up(run)
        await run.call("stop", name="a", waiting=True)
        app.write_text(SECOND)
        await restarted(run, "b")
        await run.call("status", name="a")
        assert run.pids("a") == []


@pytest.mark.covers("command_reloader-option:action", "command_reloader-option:watchers_regex")
async def test_only_some_and_gracefully(observe, place, app):
    async with observe(watchers("web", "other") + section(action="reload", watchers_regex="w"), place) as run:
        await caught_up(run)
        app.write_text(SECOND)
        await run.events.wait_for("watcher_reloaded", watcher="web")
        assert not run.events.named("watcher_stopped", watcher="web")
        assert not run.events.named("watcher_reloaded", watcher="other")


async def test_watchers_that_come_change_and_go(observe, app, tmp_path):
    other = write(tmp_path / "other.sh")
    async with observe(section()) as run:
        reloader = run.supervisor.bus.loaded["reloader"].plugin
        await run.call("add", name="a", cmd=str(app), start=True, waiting=True)
        await caught_up(run)
        app.write_text(SECOND)
        await restarted(run)
        await run.call("set", name="a", options={"cmd": str(other)}, waiting=True)
        while reloader.followed["a"].paths != (str(other),):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)
        other.write_text(SECOND)
        await restarted(run, times=2)
        await run.call("rm", name="a", waiting=True)
        assert "a" not in reloader.followed


# Where the kernel does not tell


@pytest.mark.covers("command_reloader-option:poll")
async def test_looking_at_regular_times(observe, place, app):
    async with observe(watchers("a") + section(poll=True), place) as run:
        await caught_up(run)
        app.write_text(SECOND)
        await restarted(run)


@pytest.mark.parametrize("at", ["__init__", "add_watch"])
async def test_a_kernel_without_room_for_it(observe, app, monkeypatch, caplog, at):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(notices.INotify, at, full)
    async with observe(watchers("a") + section()) as run:
        await caught_up(run)
        app.write_text(SECOND)
        await restarted(run)
    assert caplog.text.count("the kernel cannot tell when files change: No space left on device") == 1


async def test_its_descriptor_is_closed(observe, app):
    async with observe(watchers("a") + section()):
        assert "anon_inode:inotify" in descriptors().values()
    assert "anon_inode:inotify" not in descriptors().values()


# While it does not run


def overwritten(root):
    (root / "now" / "app.sh").write_text(SECOND)


def replaced_by_an_older_file(root):
    write(root / "app.new", SECOND)
    os.utime(root / "app.new", (1, 1))
    (root / "app.new").rename(root / "now" / "app.sh")


def reached_by_another_link(root):
    (root / "next").symlink_to("old")
    (root / "next").rename(root / "now")


def in_another_folder(root):
    (root / "now").unlink()
    (root / "old").rename(root / "now")


@pytest.fixture
def away(observe, tmp_path):
    """`async with away() as run:` is with two watchers, and the reloader stopped once it has seen their files."""

    @contextlib.asynccontextmanager
    async def begin():
        for name in ("old", "new"):
            write(tmp_path / name / "app.sh")
        (tmp_path / "now").symlink_to("new")
        write(tmp_path / "b.sh")
        both = watchers("a", cmd="./now/app.sh") + watchers("b", cmd="./b.sh")
        async with observe(both + section(), "process") as run:
            await caught_up(run)
            await run.call("stop", name="plugin:reloader", waiting=True)
            yield run

    return begin


async def back(run):
    await run.call("start", name="plugin:reloader", waiting=True)


@pytest.mark.parametrize("change", [overwritten, replaced_by_an_older_file, reached_by_another_link, in_another_folder])
async def test_what_changed_meanwhile_is_found_when_it_is_back(away, tmp_path, change):
    async with away() as run:
        others = run.pids("b")
        change(tmp_path)
        await back(run)
        await restarted(run)
        assert run.pids("b") == others
        assert not run.events.named("watcher_stopped", watcher="b")


async def test_killed_with_a_change_before_the_next_one_runs(observe, app):
    async with observe(watchers("a") + section(), "process") as run:
        await caught_up(run)
        (pid,) = run.pids("plugin:reloader")
        os.kill(pid, signal.SIGSTOP)
        app.write_text(SECOND)
        os.kill(pid, signal.SIGKILL)
        await restarted(run)


SLOW = """
import time
from circus_core.plugin import CircusPlugin

class Slow(CircusPlugin):
    "Keeps whoever asks for details waiting for longer than the change came after the start."

    def circus_describe_watcher(self, watcher):
        time.sleep(0.3)
"""


async def test_a_late_answer_makes_no_process_younger(observe, app, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    slow = "[plugin:slow]\nhost = core\nuse = slow.py:Slow\n"
    async with observe(watchers("a") + section() + slow, "process") as run:
        await caught_up(run)
        (pid,) = run.pids("plugin:reloader")
        app.write_text(SECOND)
        os.kill(pid, signal.SIGKILL)
        await restarted(run)


async def test_neither_another_mode_nor_what_the_operator_restarted_meanwhile_is_a_change(away, tmp_path):
    async with away() as run:
        (tmp_path / "now" / "app.sh").chmod(0o700)
        (tmp_path / "b.sh").write_text(SECOND)
        await run.call("restart", name="b", waiting=True)
        await back(run)
        (tmp_path / "now" / "app.sh").chmod(0o755)
        write(tmp_path / "c.sh")
        await run.call("add", name="c", cmd=str(tmp_path / "c.sh"), start=True, waiting=True)
        await caught_up(run)
        # Its restart comes after those that were found at the start, if any were.
        (tmp_path / "c.sh").write_text(SECOND)
        await restarted(run, "c")
        started = [event.watcher for event in run.events.named("watcher_started")]
        assert (started.count("a"), started.count("b"), started.count("c")) == (1, 2, 2)


async def test_inside_circusd_changed_options_leave_what_it_knew(observe, app):
    async with observe(watchers("a") + section(loop_rate=1000)) as run:
        await caught_up(run)
        app.write_text(SECOND)
        await run.call("plugins_set", name="reloader", options={"loop_rate": RATE}, waiting=True)
        await restarted(run)
