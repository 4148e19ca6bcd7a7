"""A configuration file that is read again: a plan first, then only what changed is touched (PROTOCOL.md 6.9)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import textwrap

import pytest

from circus_core.errors import CircusError, ConfigError, PluginError, RequestError
from circus_core.supervisor import Supervisor
from circus_core.testing import Events, Supervised, alive, until
from tests.core.proc import environ

TWO = """
[watcher:a]
cmd = sleep 1000
numprocesses = 2
[watcher:b]
cmd = sleep 1000
"""


class File:
    """A configuration file, and a supervisor that runs by it."""

    def __init__(self, path):
        self.path = path

    def write(self, text):
        self.path.write_text(textwrap.dedent(text))

    @contextlib.asynccontextmanager
    async def supervised(self, text, **plugins):
        self.write(text)
        events = Events()
        supervisor = Supervisor(str(self.path), plugins={"events": events, **plugins})
        async with supervisor:
            yield Supervised(supervisor, events)

    async def reload(self, run, text, **properties):
        """Write the file anew and have it read; answers the plan as (action, target)."""
        self.write(text)
        reply = await run.call("reloadconfig", waiting=True, **properties)
        return [(action["action"], action["target"]) for action in reply["plan"]]


@pytest.fixture
def file(tmp_path):
    return File(tmp_path / "app.ini")


async def names(run):
    return (await run.call("list"))["watchers"]


@pytest.mark.covers("event:supervisor_reloaded", "command:reloadconfig")
async def test_only_what_changed_is_touched(supervise, file):
    async with file.supervised(TWO) as run:
        a, b = run.pids("a"), run.pids("b")
        since = len(run.events.seen)
        assert await file.reload(run, TWO) == []
        assert run.events.seen[since:] == run.events.named("supervisor_reloaded")
        done = await file.reload(run, TWO.replace("[watcher:b]\ncmd = sleep 1000", "[watcher:b]\ncmd = sleep 2000"))
        assert done == [("reload", "b")]
        assert run.events.named("supervisor_reloaded")[-1].actions == ("reload b: cmd 'sleep 1000' -> 'sleep 2000'",)
        assert run.pids("a") == a
        assert run.pids("b") != b
        assert not alive(b[0])


async def test_a_changed_number_keeps_the_survivors(supervise, file):
    async with file.supervised(TWO) as run:
        first, second = run.pids("a")
        assert await file.reload(run, TWO.replace("numprocesses = 2", "numprocesses = 4")) == [("adjust", "a")]
        assert run.pids("a")[:2] == [first, second]
        assert len(run.pids("a")) == 4
        assert await file.reload(run, TWO.replace("numprocesses = 2", "numprocesses = 3")) == [("adjust", "a")]
        # The oldest goes (PROTOCOL.md 6.3).
        assert run.pids("a")[0] == second
        assert len(run.pids("a")) == 3


async def test_a_changed_environment_replaces_the_processes(supervise, file):
    """And a variable that is only added or removed is a change (O-50)."""
    async with file.supervised(TWO) as run:
        assert await file.reload(run, TWO + "[env:b]\nCOLOUR = red\n") == [("reload", "b")]
        assert environ(run.pids("b")[0])["COLOUR"] == "red"
        assert await file.reload(run, TWO) == [("reload", "b")]
        assert "COLOUR" not in environ(run.pids("b")[0])


async def test_a_runtime_set_is_kept_unless_the_entry_in_the_file_changed(supervise, file):
    async with file.supervised(TWO) as run:
        await run.call("set", name="a", options={"numprocesses": 1, "max_retry": 7}, waiting=True)
        pids = run.pids("a")
        await file.reload(run, TWO.replace("numprocesses = 2", "numprocesses = 2\nmin_uptime = 3"))
        options = run.supervisor.watcher("a").options
        assert (options.numprocesses, options.max_retry, options.min_uptime) == (1, 7, 3)
        assert run.pids("a") == pids
        await file.reload(run, TWO.replace("numprocesses = 2", "numprocesses = 3\nmin_uptime = 3"))
        options = run.supervisor.watcher("a").options
        assert (options.numprocesses, options.max_retry) == (3, 7)
        assert len(run.pids("a")) == 3


async def test_free_form_options_come_and_go(supervise, file):
    async with file.supervised(TWO) as run:
        assert await file.reload(run, TWO + "mine = 1\n") == [("update", "b")]
        assert run.supervisor.watcher("b").options.extra == {"mine": "1"}
        assert await file.reload(run, TWO) == [("update", "b")]
        assert run.supervisor.watcher("b").options.extra == {}


async def test_a_watcher_added_by_a_command_stays(supervise, file):
    async with file.supervised(TWO) as run:
        await run.call("add", name="c", cmd="sleep 1000", options={"copy_env": True}, start=True, waiting=True)
        (pid,) = run.pids("c")
        assert await file.reload(run, TWO.replace("numprocesses = 2", "numprocesses = 1")) == [("adjust", "a")]
        assert run.pids("c") == [pid]


async def test_a_new_section_for_a_watcher_added_by_a_command_is_in_force(supervise, file):
    async with file.supervised(TWO) as run:
        await run.call("add", name="c", cmd="sleep 1000", options={"copy_env": True}, start=True, waiting=True)
        (pid,) = run.pids("c")
        await file.reload(run, TWO + "[watcher:c]\ncmd = sleep 1000\nnumprocesses = 3\ncopy_env = True\n")
        assert run.pids("c")[0] == pid
        assert len(run.pids("c")) == 3
        assert run.events.named("watcher_added", watcher="c")[1:] == []


@pytest.mark.parametrize("changed", [False, True])
async def test_a_watcher_that_a_command_removed_is_there_again(supervise, file, changed):
    """The file is what is wanted (PROTOCOL.md 6.9)."""
    async with file.supervised(TWO) as run:
        a = run.pids("a")
        await run.call("rm", name="b", waiting=True)
        text = TWO + "numprocesses = 2\n" * changed
        assert await file.reload(run, text, plan=True) == [("start", "b")]
        assert await file.reload(run, text) == [("start", "b")]
        assert len(run.pids("b")) == 1 + changed
        assert run.pids("a") == a
        assert await file.reload(run, text) == []


async def test_the_last_of_several_files_counts_however_long_an_earlier_order_waits(supervise, file):
    async with file.supervised(TWO) as run:
        run.client.cast("restart", name="a")
        for number in (4, 2):
            file.write(TWO.replace("numprocesses = 2", f"numprocesses = {number}"))
            run.client.cast("reloadconfig")
        await run.events.wait_for("supervisor_reloaded", count=2)
        assert len(run.pids("a")) == 2


async def test_a_plugin_that_cannot_be_loaded_keeps_nothing_else_from_being_done(supervise, file):
    (file.path.parent / "mine.py").write_text(
        textwrap.dedent("""
            from pathlib import Path

            class Mine:
                def circus_startup(self):
                    if not Path(__file__ + ".ok").exists():
                        raise OSError("not yet")
            """)
    )
    text = TWO + "[watcher:c]\ncmd = sleep 1000\n[plugin:mine]\nuse = mine.py:Mine\nhost = core\n"
    async with file.supervised(TWO) as run:
        with pytest.raises(PluginError, match="not yet"):
            await file.reload(run, text)
        assert len(run.pids("c")) == 1
        (file.path.parent / "mine.py.ok").touch()
        assert await file.reload(run, text) == [("plugin-load", "mine")]
        assert await file.reload(run, text) == []


async def test_a_removed_section_stops_its_tree(supervise, file, tmp_path):
    text = TWO + f"[watcher:tree]\ncmd = sh -c 'sleep 1000 & echo $! > {tmp_path}/child; wait'\ncopy_env = True\n"
    async with file.supervised(text) as run:
        path = tmp_path / "child"
        child = int(until(lambda: path.exists() and path.read_text().strip()))
        (pid,), a = run.pids("tree"), run.pids("a")
        assert await file.reload(run, TWO) == [("remove", "tree")]
        assert not alive(pid)
        assert not alive(child)
        assert await names(run) == ["a", "b"]
        assert run.pids("a") == a
        assert run.events.names("tree")[-1] == "watcher_stopped"


async def test_a_new_section_is_started_unless_autostart_is_off(supervise, file):
    more = "[watcher:c]\ncmd = sleep 1000\n[watcher:idle]\ncmd = sleep 1000\nautostart = False\n"
    async with file.supervised(TWO) as run:
        assert await file.reload(run, TWO + more) == [("start", "c"), ("add", "idle")]
        assert len(run.pids("c")) == 1
        assert run.pids("idle") == []


async def test_a_stopped_watcher_stays_stopped(supervise, file):
    async with file.supervised(TWO) as run:
        await run.call("stop", name="b", waiting=True)
        await file.reload(run, TWO.replace("[watcher:b]\n", "[watcher:b]\nnumprocesses = 2\nargs = 5\n"))
        assert run.pids("b") == []
        await run.call("start", name="b", waiting=True)
        assert len(run.pids("b")) == 2


@pytest.mark.covers("error:bad-config")
@pytest.mark.parametrize("mistake", ["[watcher:c]\nnumprocesses = 2\n", "numprocesses = many\n", "nonsense\n"])
async def test_a_bad_file_is_an_error_and_touches_nothing(supervise, file, mistake):
    async with file.supervised(TWO) as run:
        a, b, since = run.pids("a"), run.pids("b"), len(run.events.seen)
        bad = TWO.replace("numprocesses = 2", "numprocesses = 5") + mistake
        for command in ("reloadconfig", "restart"):
            with pytest.raises(ConfigError, match=r"app\.ini"):
                await file.reload(run, bad) if command == "reloadconfig" else await run.call("restart", waiting=True)
        assert (run.pids("a"), run.pids("b")) == (a, b)
        assert run.events.seen[since:] == []
        assert await file.reload(run, TWO) == []


async def test_a_file_that_is_gone_touches_nothing(supervise, file):
    async with file.supervised(TWO) as run:
        a = run.pids("a")
        os.unlink(file.path)
        with pytest.raises(ConfigError, match=r"app\.ini"):
            await run.call("reloadconfig", waiting=True)
        assert run.pids("a") == a


async def test_plan_shows_and_does_nothing(supervise, file):
    changed = TWO.replace("numprocesses = 2", "numprocesses = 5") + "[watcher:c]\ncmd = sleep 1\n"
    async with file.supervised(TWO) as run:
        since = len(run.events.seen)
        for _ in range(2):
            assert await file.reload(run, changed, plan=True) == [("adjust", "a"), ("start", "c")]
        assert run.events.seen[since:] == []
        assert await file.reload(run, changed) == [("adjust", "a"), ("start", "c")]


async def test_a_supervisor_without_a_file_cannot_read_it_again(supervise):
    async with supervise() as run:
        with pytest.raises(RequestError, match="no configuration file"):
            await run.call("reloadconfig")


async def test_a_changed_circus_section_is_in_force_and_touches_no_watcher(supervise, file):
    """PROTOCOL.md O-48: Circus restarts everything with the old settings, and again at each further reloadconfig."""
    new = f"[circus]\nwarmup_delay = 0.25\ndebug = True\n{TWO}[watcher:c]\ncmd = sleep 1000\n"
    async with file.supervised("[circus]\n" + TWO) as run:
        a, b = run.pids("a"), run.pids("b")
        done = await file.reload(run, new)
        assert done == [("update", "circus"), ("restart-circusd", "circus"), ("start", "c")]
        assert run.supervisor.config.supervisor.warmup_delay == 0.25
        assert (run.pids("a"), run.pids("b")) == (a, b)
        assert await file.reload(run, new) == [("restart-circusd", "circus")]


async def test_restart_of_everything_reads_the_file_again(supervise, file):
    async with file.supervised(TWO) as run:
        await run.call("add", name="mine", cmd="sleep 1000", options={"copy_env": True}, start=True, waiting=True)
        await run.call("set", name="a", options={"numprocesses": 5}, waiting=True)
        before = [*run.pids("a"), *run.pids("b"), *run.pids("mine")]
        file.write("[watcher:a]\ncmd = sleep 1000\n[watcher:new]\ncmd = sleep 1000\nnumprocesses = 2\n")
        await run.call("restart", waiting=True)
        assert await names(run) == ["a", "new"]
        assert (len(run.pids("a")), len(run.pids("new"))) == (1, 2)
        assert not any(map(alive, before))


async def test_restart_of_everything_without_a_file_keeps_what_there_is(supervise):
    async with supervise() as run:
        await run.call("add", name="mine", cmd="sleep 1000", options={"copy_env": True}, start=True, waiting=True)
        await run.call("set", name="mine", options={"numprocesses": 2}, waiting=True)
        before = run.pids("mine")
        await run.call("restart", waiting=True)
        assert len(run.pids("mine")) == 2
        assert not any(map(alive, before))


async def test_the_changed_priority_is_the_order_of_the_next_start(supervise, file):
    async with file.supervised(TWO) as run:
        a, b = run.pids("a"), run.pids("b")
        assert await file.reload(run, TWO + "priority = 9\n") == [("update", "b")]
        assert (run.pids("a"), run.pids("b")) == (a, b)
        since = len(run.events.seen)
        await run.call("restart", waiting=True)
        started = [event.watcher for event in run.events.seen[since:] if event.name == "watcher_started"]
        assert started == ["b", "a"]


async def test_many_at_once_end_as_the_last_file(supervise, file):
    async with file.supervised(TWO) as run:
        for number in (4, 1, 3):
            file.write(TWO.replace("numprocesses = 2", f"numprocesses = {number}"))
            run.client.cast("reloadconfig")
            await asyncio.sleep(0)
        await run.events.wait_for("supervisor_reloaded", count=3)
        assert len(run.pids("a")) == 3


async def test_a_plugin_inside_is_loaded_reloaded_and_unloaded(supervise, file):
    (file.path.parent / "mine.py").write_text(
        textwrap.dedent("""
            from pathlib import Path
            from circus_core.plugin import CircusPlugin, hookimpl

            LOG = Path(__file__ + ".log")

            class Mine(CircusPlugin):
                @hookimpl
                async def circus_startup(self):
                    LOG.write_text("started")

                @hookimpl
                async def circus_shutdown(self):
                    LOG.write_text(LOG.read_text() + " ended")
            """)
    )
    log = file.path.parent / "mine.py.log"
    section = "[plugin:mine]\nuse = mine.py:Mine\nhost = core\n"
    async with file.supervised(TWO) as run:
        assert await file.reload(run, TWO + section) == [("plugin-load", "mine")]
        assert log.read_text().split() == ["started"]
        assert await file.reload(run, TWO) == [("plugin-unload", "mine")]
        assert log.read_text().split() == ["started", "ended"]
        assert [each["name"] for each in (await run.call("plugins"))["plugins"]] == ["events"]


async def test_what_could_not_be_followed_is_answered_and_tried_again(supervise, file, tmp_path):
    program = tmp_path / "later"
    broken = TWO.replace("[watcher:a]\ncmd = sleep 1000", f"[watcher:a]\ncmd = {program} 1000")
    assert broken != TWO
    async with file.supervised(TWO) as run:
        a, b = run.pids("a"), run.pids("b")
        file.write(broken)
        for _ in range(2):
            with pytest.raises(CircusError, match=r"a was not reloaded: .*there is no file .*the old processes go on"):
                await run.call("reloadconfig", waiting=True)
            assert (run.pids("a"), run.pids("b")) == (a, b)
            assert [action["target"] for action in (await run.call("reloadconfig", plan=True))["plan"]] == ["a"]
        program.symlink_to("/bin/sleep")
        await run.call("reloadconfig", waiting=True)
        assert run.pids("a") not in ([], a)
        assert (await run.call("reloadconfig", plan=True))["plan"] == []


async def test_a_new_watcher_that_does_not_start_is_answered(supervise, file):
    async with file.supervised(TWO) as run:
        file.write(TWO + "[watcher:new]\ncmd = /no/such/program\nmax_retry = 1\n")
        with pytest.raises(CircusError, match="new did not start"):
            await run.call("reloadconfig", waiting=True)
        assert (await run.call("status"))["statuses"]["a"] == "active"


@pytest.mark.parametrize("command", ["reloadconfig", "restart"])
@pytest.mark.parametrize("waiting", [True, False])
async def test_mistakes_are_for_who_asked_and_for_the_log(supervise, file, caplog, command, waiting):
    async with file.supervised(TWO) as run:
        before = run.pids("a")
        file.write("[watcher:a]\ncmd = sleep 1000\nnumprocesses = many\n")
        with pytest.raises(ConfigError, match=r"app\.ini:3"):
            await run.call(command, waiting=waiting)
        assert run.pids("a") == before
        (said,) = [record for record in caplog.records if "is refused" in record.getMessage()]
        assert said.levelname == "WARNING"
        assert said.getMessage().startswith(f"{command} is refused, and nothing was touched: ")
        assert "[watcher:a] numprocesses" in said.getMessage()


async def test_a_plan_with_mistakes_is_no_affair_of_the_log(supervise, file, caplog):
    async with file.supervised(TWO) as run:
        file.write("[watcher:a]\nnumprocesses = 2\n")
        with pytest.raises(ConfigError):
            await run.call("reloadconfig", plan=True)
        assert "is refused" not in caplog.text


@pytest.mark.covers("circus-option:include", "circus-option:include_dir")
async def test_other_includes_are_followed_at_once(supervise, file):
    more = file.path.with_name("more.ini")
    more.write_text("[watcher:more]\ncmd = sleep 1000\n")
    async with file.supervised(TWO) as run:
        done = await file.reload(run, f"[circus]\ninclude = {more.name}\n{TWO}")
        assert done == [("update", "circus"), ("start", "more")]
        assert await names(run) == ["a", "b", "more"]


async def test_a_plan_shows_values_as_get_does(supervise, file):
    async with file.supervised(TWO) as run:
        file.write(TWO.replace("numprocesses = 2", "numprocesses = 2\numask = 027"))
        (step,) = (await run.call("reloadconfig", plan=True))["plan"]
        assert step["why"] == "umask unset -> 027"


async def test_what_needs_a_restart_is_compared_with_what_circusd_started_with(supervise, file):
    def circus(umask):
        return f"[circus]\numask = {umask}\n" + TWO

    async def why(run):
        reply = await run.call("reloadconfig", waiting=True)
        return [action["why"] for action in reply["plan"] if action["action"] == "restart-circusd"]

    later = "in force after a restart of circusd"
    async with file.supervised(circus("022")) as run:
        for umask, said in (
            ("027", [f"umask 022 -> 027: {later}"]),
            ("027", [f"umask 022 -> 027: {later}"]),
            ("077", [f"umask 022 -> 077: {later}"]),
            ("022", []),
            ("", [f"umask 022 -> unset: {later}"]),
        ):
            file.write(circus(umask))
            assert await why(run) == said
        await run.call("restart", waiting=True)
        assert await why(run) == [f"umask 022 -> unset: {later}"]
