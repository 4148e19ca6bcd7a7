"""Whatever a plugin in a process of its own does, circusd answers, its processes run on, and somebody is told."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

import circus_plugins.host
from circus_core.errors import CircusError
from circus_core.events import WatcherUpdated
from circus_core.testing import alive, until
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
    """
    async with hosting(APP + plugin("Blocking"), code) as run:
        run.supervisor.bus.publish(WatcherUpdated(watcher="app", option="x"))
        await run.notes.wait_for("blocking", hook="blocks")
        await flood(run, 1000)
        began = time.monotonic()
        await run.call("restart", name="app", waiting=True)
        await run.call("status")
        assert time.monotonic() - began < 5
        assert (await run.plugin("blocking"))["behind"] > 1000
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
async def test_a_plugin_that_refuses_to_start_says_why(hosting, kind):
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


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_command_from_inside_a_handler_does_not_deadlock(hosting, kind):
    how = "await self.client.call" if kind == "async def" else "self.client.cast"
    code = f"""
        class Commanding(Witness):
            {kind} circus_watcher_updated(self, event):
                if event.option == "x":
                    {how}("incr", name="app", waiting=True)
                    self.note(hook="done")
    """
    async with hosting(APP + plugin("Commanding"), code) as run:
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
        worst = 0.0
        while not run.notes.of("flooding", hook="ends"):
            began = time.monotonic()
            await run.call("status")
            await asyncio.sleep(0)
            worst = max(worst, time.monotonic() - began)
        assert worst < 1
        assert run.pids("app")


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
