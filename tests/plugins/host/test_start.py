"""Plugins in processes of their own: they are up before anything else, and are told all they need and no more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from circus_core.supervisor import Supervisor
from circus_plugins.doors import keys

APP = """
[watcher:app]
cmd = sleep 1000
copy_env = True
priority = 10
graceful_timeout = 5
"""


def of_process(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


@pytest.mark.parametrize("where", ["", "host = core\n"], ids=["process", "core"])
async def test_a_plugin_starts_and_then_sees_everything_once_and_in_order(hosting, where):
    async with hosting(APP + f"[plugin:eye]\nuse = plugin.py:Witness\n{where}") as run:
        await run.notes.wait_for("eye", name="supervisor_started")
        seen = [note["seq"] for note in run.notes.of("eye", hook="event")]
        assert seen == list(range(1, len(seen) + 1))
        assert run.notes.of("eye")[0]["hook"] == "startup"


@pytest.mark.covers("hook:circus_before_watchers")
@pytest.mark.parametrize("where", ["", "host = core\n"], ids=["process", "core"])
async def test_a_plugin_that_starts_finds_every_watcher_known_and_none_of_them_started(hosting, where):
    code = """
        class Asks(Witness):
            async def circus_startup(self):
                found = {}
                for command in ("list", "status"):
                    found[command] = await self.client.call(command)
                found["options"] = await self.client.call("options", name="app")
                self.note(hook="asked", **found)
    """
    async with hosting(APP + f"[plugin:asks]\nuse = plugin.py:Asks\n{where}", code) as run:
        found = await run.notes.wait_for("asks", hook="asked")
        assert "app" in found["list"]["watchers"]
        assert found["status"]["statuses"]["app"] == "stopped"
        assert found["options"]["options"]["cmd"] == "sleep 1000"


async def test_the_others_start_only_when_the_plugins_are_at_work(hosting):
    async with hosting(APP + "[plugin:eye]\nuse = plugin.py:Witness") as run:
        started = run.events.named("plugin_started", plugin="eye")[0]
        assert started.seq < run.events.named("process_spawned", watcher="app")[0].seq


async def test_nobody_waits_for_one_that_says_so_and_it_misses_nothing(hosting):
    code = """
        class Late(Witness):
            awaited = False
    """
    async with hosting(APP + "[plugin:late]\nuse = plugin.py:Late", code) as run:
        await run.notes.wait_for("late", name="plugin_started")
        assert run.supervisor.watcher("plugin:late").options.priority < 0
        spawned = {event.watcher: event.seq for event in run.events.named("process_spawned")}
        assert spawned["app"] < spawned["plugin:late"]
        seen = [note["seq"] for note in run.notes.of("late", hook="event")]
        assert seen == list(range(1, len(seen) + 1))


async def test_a_plugin_sees_everything_to_the_end_and_shuts_down(hosting):
    async with hosting(APP + "[plugin:eye]\nuse = plugin.py:Witness") as run:
        notes = run.notes
    last = [note.get("name") or note["hook"] for note in notes.of("eye")][-2:]
    assert last == ["process_signaled", "shutdown"]
    assert notes.of("eye", name="watcher_stopped", watcher="app")


async def test_it_is_a_watcher_with_its_own_defaults_and_typed_options(hosting):
    configuration = """
        [plugin:eye]
        use = plugin.py:Witness
        priority = 7
        rlimit_nofile = 99
        env = COLOUR=blue
    """
    async with hosting(configuration) as run:
        options = run.supervisor.watcher("plugin:eye").options
        assert (options.priority, options.singleton, options.copy_env, options.copy_path) == (7, True, True, True)
        assert options.rlimits == {"nofile": 99}
        row = await run.plugin("eye")
        assert row["host"] == "process"
        assert row["pid"] == run.pids("plugin:eye")[0]
        assert "circus_event" in row["hooks"]
        assert b"COLOUR=blue" in of_process(row["pid"], "environ")


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0"])
async def test_a_host_that_says_not_where_it_runs_is_the_plugins_own_option(hosting, host):
    async with hosting(f"[plugin:eye]\nuse = plugin.py:Witness\nhost = {host}\n") as run:
        started = await run.notes.wait_for("eye", hook="startup")
        assert started["options"]["host"] == host
        assert (await run.plugin("eye"))["host"] == "process"


@pytest.mark.covers("option:plugins")
async def test_options_reach_the_plugin_as_they_are_and_nobody_else(hosting, tmp_path):
    configuration = """
        [plugin:eye]
        use = plugin.py:Witness
        password = it's "odd" ::: a:b $HOME é
    """
    async with hosting(configuration) as run:
        started = await run.notes.wait_for("eye", hook="startup")
        assert started["options"]["password"] == """it's "odd" ::: a:b $HOME é"""
        for name in ("cmdline", "environ"):
            assert b"odd" not in of_process(started["pid"], name)
        shown = await run.call("options", name="plugin:eye")
        assert shown["options"]["plugins"] == [f"eye ({tmp_path}/plugin.py:Witness, password = ********)"]


async def test_declared_options_are_typed(hosting, tmp_path):
    code = """
        from attrs import frozen
        from circus_core.kinds import NUMBER
        from circus_core.paths import PATH
        from circus_core.options import option

        class Typed(Witness):
            @frozen
            class Options:
                ratio: float = option(NUMBER, help="A number.")
                priority: float = option(NUMBER, 1.0, help="Its own, though watchers have one of that name.")
                file: str = option(PATH, "", help="Beside the configuration, wherever the process is.")

            def circus_startup(self):
                options = self.options
                self.note(hook="startup", ratio=options.ratio, priority=options.priority, file=options.file)
    """
    configuration = """
        [plugin:typed]
        use = plugin.py:Typed
        ratio = 2.5
        priority = 40
        file = some.txt
        working_dir = /
    """
    async with hosting(configuration, code) as run:
        started = await run.notes.wait_for("typed", hook="startup")
        assert (started["ratio"], started["priority"]) == (2.5, 40.0)
        assert started["file"] == str(tmp_path / "some.txt")
        assert run.supervisor.watcher("plugin:typed").options.priority == 1


@pytest.mark.covers("plugin-option:group")
async def test_plugins_of_a_group_share_a_process(hosting):
    configuration = """
        [plugin:one]
        use = plugin.py:Witness
        group = both
        [plugin:two]
        use = plugin.py:Witness
        group = both
        [plugin:three]
        use = plugin.py:Witness
    """
    async with hosting(configuration) as run:
        one, two, three = [await run.plugin(name) for name in ("one", "two", "three")]
        assert one["watcher"] == two["watcher"] == "plugin:both"
        assert one["pid"] == two["pid"] != three["pid"]
        await run.notes.wait_for("one", name="supervisor_started")
        await run.notes.wait_for("two", name="supervisor_started")


@pytest.mark.covers("plugin-option:active")
async def test_a_plugin_that_is_not_active_is_not_run(hosting):
    async with hosting("[plugin:eye]\nuse = plugin.py:Witness\nactive = False\n") as run:
        assert "plugin:eye" not in run.supervisor.watchers


async def test_a_plugin_with_autostart_off_waits_for_its_start(hosting):
    async with hosting("[plugin:eye]\nuse = plugin.py:Witness\nautostart = False\n") as run:
        assert (await run.plugin("eye"))["started"] is False
        await run.call("start", name="plugin:eye", waiting=True)
        await run.events.wait_for("plugin_started", plugin="eye")


async def test_a_plugin_may_add_options_to_watchers(hosting):
    code = """
        from circus_core.kinds import INTEGER

        class Adding(Witness):
            def circus_register_options(self, registry):
                registry.option("watcher", "adding.attempts", INTEGER, 2, help="Of the test.")
    """
    configuration = APP + "adding.attempts = 3\n[plugin:adding]\nuse = plugin.py:Adding\n"
    async with hosting(configuration, code) as run:
        assert (await run.call("options", name="app"))["options"]["adding.attempts"] == 3
        run.configure(APP)
        await run.call("reloadconfig", waiting=True)
        assert "adding.attempts" not in run.supervisor.assembly.sections["watcher"].added


async def test_events_that_a_plugin_inside_circusd_declared_arrive_too(hosting):
    code = """
        class Foreign(Witness):
            def circus_event(self, event):
                if event.name == "tide_turned":
                    self.note(hook="event", name=event.name, height=event.height)
    """
    from circus_core.events import EVENTS, Event, event

    @event
    class TideTurned(Event):
        """Of the test."""

        height: float

    try:
        async with hosting("[plugin:foreign]\nuse = plugin.py:Foreign\n", code) as run:
            run.supervisor.bus.publish(TideTurned(height=1.5))
            assert (await run.notes.wait_for("foreign", name="tide_turned"))["height"] == 1.5
    finally:
        del EVENTS["tide_turned"]


def test_no_plugins_means_none_outside_circusd_either(tmp_path):
    path = tmp_path / "circus.ini"
    path.write_text("[plugin:eye]\nuse = circus_plugins.watchdog:WatchDog\n")
    assert Supervisor(str(path), plugins={}).config.watchers == {}
    assert os.listdir(tmp_path) == ["circus.ini"]


@pytest.mark.parametrize("where", ["", "host = core\n"], ids=["process", "core"])
@pytest.mark.parametrize("use", ["plain.py", "plainly.hooks", "plainly.hooks:circus", "plain.py:circus"])
async def test_any_module_or_object_with_hooks_is_a_plugin(hosting, tmp_path, monkeypatch, use, where):
    code = f"""
from circus_core.plugin import hookimpl

@hookimpl
def circus_watcher_started(event):
    with open({str(tmp_path / "seen")!r}, "a") as file:
        print(event.watcher, file=file)

class Circus:
    circus_watcher_started = staticmethod(circus_watcher_started)

circus = Circus()
"""
    (tmp_path / "plainly").mkdir()
    for path in ("plain.py", "plainly/__init__.py", "plainly/hooks.py"):
        (tmp_path / path).write_text(code if path != "plainly/__init__.py" else "")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    try:
        async with hosting(f"{APP}[plugin:plain]\nuse = {use}\n{where}"):
            pass
    finally:
        for name in ("plainly", "plainly.hooks"):
            sys.modules.pop(name, None)
    assert "app" in (tmp_path / "seen").read_text().split()


@pytest.mark.parametrize("where", ["", "host = core\n"], ids=["process", "core"])
async def test_callbacks_at_regular_times(hosting, where):
    code = """
        class Clock(Witness):
            def circus_startup(self):
                self.turns = 0
                self.ticking = self.every(0.01, self.tick)

            async def tick(self):
                self.turns += 1
                self.note(hook="tick", turn=self.turns)
                if self.turns == 3:
                    self.ticking.cancel()
                    self.note(hook="enough")
    """
    async with hosting(f"[plugin:clock]\nuse = plugin.py:Clock\n{where}", code) as run:
        await run.notes.wait_for("clock", hook="enough")
        assert [note["turn"] for note in run.notes.of("clock", hook="tick")] == [1, 2, 3]


async def test_where_clients_need_keys_its_processes_have_their_own(hosting, tmp_path):
    keys.new(str(tmp_path / "keys"), "ann", "view")
    configuration = """
        [circus]
        endpoint = tcp://127.0.0.1:*
        pubsub_endpoint = tcp://127.0.0.1:*
        keys_dir = keys
        [plugin:eye]
        use = plugin.py:Witness
    """
    async with hosting(configuration) as run:
        assert run.supervisor.config.supervisor.extra["keys_dir"] == str(tmp_path / "keys")
        await run.notes.wait_for("eye", name="supervisor_started")
        assert [key.name for key in keys.list_keys(str(tmp_path / "keys"))] == ["ann"]
