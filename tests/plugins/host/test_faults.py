"""Whatever a plugin in a process of its own does, circusd answers, its processes run on, and somebody is told."""

from __future__ import annotations

import os
import signal
import time

import pytest

import circus_plugins.host
from circus_core.errors import CircusError, ConfigError
from circus_core.events import WatcherUpdated
from circus_core.testing import alive, until
from circus_plugins.client import AsyncClient
from tests.plugins.host.conftest import APP, flood, plugin


@pytest.mark.covers("command:plugin_report")
async def test_a_plugin_that_raises_is_disabled_and_named(hosting):
    code = """
        class Raising(Witness):
            def circus_event(self, event):
                raise ValueError("of the test")

            async def circus_watcher_updated(self, event):
                raise ValueError("of the test")

            def circus_shutdown(self):
                raise ValueError("of the test")
    """
    async with hosting(APP + plugin("Raising"), code) as run:
        before = run.pids("app"), run.pids("plugin:raising")
        for _ in range(10):
            run.supervisor.bus.publish(WatcherUpdated(watcher="app", option="x"))
        failed = await run.events.wait_for("plugin_failed", plugin="raising", disabled=True)
        assert failed.error == "ValueError: of the test"
        row = await run.plugin("raising")
        assert row["disabled"]
        assert row["failures"] == 5
        assert "ValueError: of the test" in row["last_error"]
        assert (run.pids("app"), run.pids("plugin:raising")) == before


async def test_a_plugin_that_blocks_holds_nobody_up(hosting):
    code = """
        import time

        class Blocking(Witness):
            def circus_watcher_updated(self, event):
                self.note(hook="blocks")
                time.sleep(60)
                self.note(hook="is free")
    """
    async with hosting(APP + plugin("Blocking"), code) as run:
        run.supervisor.bus.publish(WatcherUpdated(watcher="app", option="x"))
        await run.notes.wait_for("blocking", hook="blocks")
        await flood(run, 1000)
        await run.call("restart", name="app", waiting=True)
        assert (await run.call("status"))["statuses"]["app"] == "active"
        row = await run.plugin("blocking")
        assert row["behind"] > 1000
        assert row["handling"] == run.events.named("watcher_updated")[0].seq
        assert not run.notes.of("blocking", hook="is free"), "circusd answered while the plugin was stuck"
        pid = run.pids("plugin:blocking")[0]
    assert not alive(pid)


async def test_a_plugin_that_exits_at_once_is_started_again_ever_later(hosting):
    code = """
        class Exiting(Witness):
            def circus_startup(self):
                os._exit(3)
    """
    began = time.monotonic()
    async with hosting(APP + plugin("Exiting", "restart_delay = 0.01", "restart_burst = 1"), code) as run:
        # Nobody waits for one that has ended.
        assert time.monotonic() - began < circus_plugins.host.PATIENCE
        await run.events.wait_for("restart_delayed", watcher="plugin:exiting", failures=3)
        assert (await run.plugin("exiting"))["last_error"] == "its process exited with status 3"
        assert run.pids("app")


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_plugin_that_refuses_to_start_says_why(hosting, kind, caplog):
    code = f"""
        class Refusing(Witness):
            {kind} circus_startup(self):
                raise LookupError("no such database")
    """
    async with hosting(APP + plugin("Refusing"), code) as run:
        await run.events.wait_for("process_exited", watcher="plugin:refusing", exit_code=1)
        row = await run.plugin("refusing")
        assert row["last_error"] == "plugin refusing: circus_startup failed: LookupError: no such database"
        assert not row["started"]
        assert run.pids("app")


async def test_a_plugin_that_never_comes_up_is_waited_for_only_so_long(hosting, monkeypatch, caplog):
    monkeypatch.setattr(circus_plugins.host, "PATIENCE", 0.2)
    code = """
        import asyncio

        class Endless(Witness):
            async def circus_startup(self):
                await asyncio.Event().wait()
    """
    async with hosting(APP + plugin("Endless"), code) as run:
        assert run.pids("app")
        assert "plugin:endless is not at work after 0.2 s" in caplog.text
        assert not (await run.plugin("endless"))["started"]


@pytest.mark.parametrize("where", ["", "host = core"], ids=["process", "core"])
@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_command_from_inside_a_handler_does_not_deadlock(hosting, kind, where):
    how = "await self.client.call" if kind == "async def" else "self.client.cast"
    code = f"""
        class Commanding(Witness):
            {kind} circus_watcher_updated(self, event):
                if event.option == "x":
                    {how}("incr", name="app", waiting=True)
                    self.note(hook="done")
    """
    async with hosting(APP + f"[plugin:commanding]\nuse = plugin.py:Commanding\n{where}\n", code) as run:
        run.supervisor.bus.publish(WatcherUpdated(watcher="app", option="x"))
        await run.notes.wait_for("commanding", hook="done")
        await run.events.wait_for("process_spawned", watcher="app", count=2)


async def test_a_refused_command_raises_what_it_raises_inside_circusd(hosting):
    code = """
        from circus_core.errors import UnknownWatcherError

        class Refused(Witness):
            async def circus_startup(self):
                try:
                    await self.client.call("status", name="nobody")
                except UnknownWatcherError as error:
                    self.note(hook="refused", text=str(error))
    """
    async with hosting(APP + plugin("Refused"), code) as run:
        assert "nobody" in (await run.notes.wait_for("refused", hook="refused"))["text"]


async def test_a_flood_of_commands_leaves_others_their_turn(hosting):
    code = """
        class Flooding(Witness):
            async def circus_watcher_updated(self, event):
                self.note(hook="begins")
                for number in range(20_000):
                    self.client.cast("status")
                await self.client.call("status")
                self.note(hook="ends")
    """
    async with hosting(APP + plugin("Flooding"), code) as run:
        run.supervisor.bus.publish(WatcherUpdated(watcher="app", option="x"))
        await run.notes.wait_for("flooding", hook="begins")
        async with AsyncClient((await run.call("globaloptions"))["options"]["endpoint"]) as client:
            answered = 0
            while not run.notes.of("flooding", hook="ends"):
                await client.call("status")
                answered += 1
        assert answered > 10, "another client got its answers amid the flood"
        assert run.pids("app")


async def test_a_plugin_that_leaks_memory_runs_out_of_it_alone(hosting):
    code = """
        class Leaking(CircusPlugin):
            kept = []

            def circus_watcher_updated(self, event):
                self.kept.append(bytearray(64 << 20))
    """
    # Its watcher's limit counts for its process, as for any.
    async with hosting(APP + plugin("Leaking", f"rlimit_as = {1 << 30}"), code) as run:
        before = run.pids("app")
        for _ in range(40):
            run.supervisor.bus.publish(WatcherUpdated(watcher="app", option="x"))
        failed = await run.events.wait_for("plugin_failed", plugin="leaking", disabled=True)
        assert failed.error == "MemoryError"
        row = await run.plugin("leaking")
        assert (row["disabled"], row["last_error"]) == (True, "circus_watcher_updated: MemoryError")
        assert (await run.call("status"))["statuses"]["app"] == "active"
        assert run.pids("app") == before


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("use = broken.py:Plugin", "broken.py:Plugin failed: ZeroDivisionError: division by zero"),
        ("use = plugin.py:Vetoing", "circus_veto_start is an intervention, asked inside circusd"),
        ("use = plugin.py:Choosy\nnumber = many", "number"),
        ("use = plugin.py:Owner", "the option mine of [watcher] is already declared by plugin first"),
        ("use = plugin.py:Claimer\nhost = core", "the command claimed exists already, as one of plugin claimer"),
    ],
)
async def test_one_that_cannot_be_is_refused_and_all_runs_on(hosting, tmp_path, section, why):
    code = """
        from attrs import frozen
        from circus_core.kinds import INTEGER, TEXT
        from circus_core.options import option
        from circus_core.requests import Command, Role

        class Vetoing(Witness):
            def circus_veto_start(self, watcher):
                pass

        class Choosy(Witness):
            @frozen
            class Options:
                number: int = option(INTEGER, 1, help="A number.")

        class Owner(CircusPlugin):
            def circus_register_options(self, registry):
                registry.option("watcher", "mine", TEXT, help="Its own.")

        class Claimer(CircusPlugin):
            def circus_register_commands(self, registry):
                registry.command(Command("claimed", Role.VIEW, "Its own."), lambda *_: {})
    """
    (tmp_path / "broken.py").write_text("1 / 0\n")
    first = plugin("Owner").replace("[plugin:owner]", "[plugin:first]")
    text = APP + first + "[plugin:claimer]\nuse = plugin.py:Claimer\nhost = core\n"
    async with hosting(text, code) as run:
        rows = (await run.call("plugins"))["plugins"]
        before = run.pids("app"), run.pids("plugin:first"), [row["name"] for row in rows]
        run.configure(f"{text}[plugin:bad]\n{section}\n")
        with pytest.raises(ConfigError) as refused:
            await run.call("reloadconfig", waiting=True)
        assert "[plugin:bad]" in str(refused.value)
        assert why in str(refused.value)
        rows = (await run.call("plugins"))["plugins"]
        assert (run.pids("app"), run.pids("plugin:first"), [row["name"] for row in rows]) == before
        assert (await run.call("status"))["statuses"]["app"] == "active"


@pytest.mark.covers("command:plugin_report")
async def test_only_its_own_processes_report(hosting):
    async with hosting(APP + plugin("Witness")) as run:
        with pytest.raises(CircusError, match="of no process of plugins"):
            await run.call("plugin_report", token="guessed", plugins={"witness": {"last_error": "a lie"}})


def test_when_circusd_is_killed_its_plugins_end_too(circusd, tmp_path):
    path = tmp_path / "ended"
    code = "from circus_core.plugin import CircusPlugin\n\n\nclass Orphan(CircusPlugin):\n"
    code += f"    def circus_shutdown(self):\n        open({str(path)!r}, 'w').close()\n"
    (tmp_path / "plugin.py").write_text(code)
    run = circusd(f"[plugin:orphan]\nuse = {tmp_path}/plugin.py:Orphan\n")
    pid = until(lambda: next((row["pid"] for row in run.call("plugins")["plugins"] if row["name"] == "orphan"), None))
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: not alive(pid), "the plugin's process ends")
    assert path.exists()


def test_a_stop_does_not_wait_for_a_plugin_that_never_comes_up(circusd, tmp_path):
    path = tmp_path / "here"
    code = "import asyncio\nfrom circus_core.plugin import CircusPlugin\n\n\nclass Endless(CircusPlugin):\n"
    code += f"    async def circus_startup(self):\n        open({str(path)!r}, 'w').close()\n"
    code += "        await asyncio.Event().wait()\n"
    (tmp_path / "plugin.py").write_text(code)
    run = circusd(f"[plugin:endless]\nuse = {tmp_path}/plugin.py:Endless\n")
    until(path.exists)
    began = time.monotonic()
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert time.monotonic() - began < circus_plugins.host.PATIENCE / 2
