"""Plugins of a running circusd: added, changed, restarted, shown and removed by commands, wherever they run."""

from __future__ import annotations

import asyncio

import pytest

from circus_core.errors import ConfigError, ConflictError, ForbiddenError, PluginError, RequestError
from circus_core.model import Config
from circus_core.requests import Role
from circus_core.supervisor import Supervisor
from circus_core.testing import watcher
from tests.plugins.host.conftest import APP

PLUGIN = """
import os
from collections.abc import Mapping
from attrs import frozen
from circus_core.kinds import INTEGER, TEXT
from circus_core.options import option
from circus_core.plugin import CircusPlugin

class Plugin(CircusPlugin):
    @frozen
    class Options:
        number: int = option(INTEGER, 1, help="A number.")
        api_token: str = option(TEXT, "", help="A secret.")
        lamps: Mapping[str, str] = option(TEXT, prefix="lamps.", help="Each lamp.")

    def circus_register_options(self, registry):
        registry.option("watcher", "acme.colour", TEXT, help="A colour.")

    def note(self, **said):
        self.client.cast("note", plugin=self.name, said={"pid": os.getpid(), **said})

    def circus_startup(self):
        self.note(hook="startup", number=self.options.number)

    def circus_shutdown(self):
        self.note(hook="shutdown")
"""

BOTH = pytest.mark.parametrize("host", ["process", "core"])


@BOTH
@pytest.mark.covers("command:plugins_add", "command:plugins_show", "command:plugins_rm")
async def test_from_add_to_rm(hosting, installed, host):
    installed("acme", PLUGIN)
    async with hosting(APP + "acme.colour = red\n") as run:
        app = run.pids("app")
        options = {"number": "7", "api_token": "hidden", "lamps.hall": "on", "host": host}
        await run.call("plugins_add", name="eye", use="acme", options=options, waiting=True)
        assert run.events.named("plugin_started", plugin="eye"), "whoever waits is told when it is at work"
        assert (await run.notes.wait_for("eye", hook="startup"))["number"] == 7
        shown = (await run.call("plugins_show", name="eye"))["plugin"]
        assert (shown["host"], shown["use"], shown["started"]) == (host, "acme", True)
        assert shown["options"] == {"number": 7, "api_token": "********", "lamps.hall": "on"}
        assert shown["adds_options"] == ["[watcher] acme.colour"]
        assert shown["hooks"] == ["circus_register_options", "circus_shutdown", "circus_startup"]
        # reloadconfig leaves alone what only a command added.
        assert (await run.call("reloadconfig", waiting=True))["plan"] == []
        await run.call("plugins_rm", name="eye", waiting=True)
        await run.notes.wait_for("eye", hook="shutdown")
        assert "eye" not in [row["name"] for row in (await run.call("plugins"))["plugins"]]
        assert run.pids("app") == app


@BOTH
async def test_one_that_is_added_starts_and_then_sees_what_happened_meanwhile(hosting, installed, host):
    seeing = """
    async def circus_startup(self):
        for grace in (3, 4, 3):
            await self.client.call("set", name="app", options={"graceful_timeout": grace}, waiting=True)
        self.note(hook="startup")

    def circus_watcher_updated(self, event):
        self.note(hook="updated", seq=event.seq)
"""
    installed(
        "acme",
        PLUGIN.replace(
            """
    def circus_startup(self):
        self.note(hook="startup", number=self.options.number)
""",
            seeing,
        ),
    )
    async with hosting(APP) as run:
        await run.call("plugins_add", name="eye", use="acme", options={"host": host}, waiting=True)
        # For a process, `waiting` ends with its spawn.
        await run.notes.wait_for("eye", hook="startup")
        await run.call("set", name="app", options={"graceful_timeout": 5}, waiting=True)
        updated = [event.seq for event in run.events.named("watcher_updated", watcher="app")]
        await run.notes.wait_for("eye", hook="updated", seq=updated[-1])
        assert [note.get("seq") for note in run.notes.of("eye")] == [None, *updated]


@BOTH
@pytest.mark.covers("command:plugins_set", "command:plugins_restart")
async def test_changed_and_restarted(hosting, installed, host):
    installed("acme", PLUGIN)
    section = f"[plugin:eye]\nuse = acme\nhost = {host}\nnumber = 1\n"
    async with hosting(section + APP) as run:
        await run.notes.wait_for("eye", hook="startup", number=1)
        await run.call("plugins_set", name="eye", options={"number": 2}, waiting=True)
        await run.notes.wait_for("eye", hook="startup", number=2)
        started = len(run.events.named("plugin_started", plugin="eye"))
        await run.call("plugins_restart", name="eye", waiting=True)
        assert len(run.events.named("plugin_started", plugin="eye")) == started + 1
        await run.notes.wait_for("eye", hook="startup", number=2, count=2)
        # What a command changed and the file did not stays; what the file changes counts.
        assert (await run.call("reloadconfig", waiting=True))["plan"] == []
        run.configure(section.replace("number = 1", "number = 3") + APP)
        await run.call("reloadconfig", waiting=True)
        await run.notes.wait_for("eye", hook="startup", number=3)
        await run.call("plugins_set", name="eye", options={"number": None}, waiting=True)
        await run.notes.wait_for("eye", hook="startup", number=1, count=2)


async def test_what_a_command_removed_is_there_again_after_reloadconfig(hosting, installed):
    installed("acme", PLUGIN)
    async with hosting("[plugin:eye]\nuse = acme\n" + APP) as run:
        app = run.pids("app")
        await run.call("rm", name="app", waiting=True)
        await run.call("plugins_rm", name="eye", waiting=True)
        assert (await run.call("list"))["watchers"] == [], "changing plugins brings no watcher back"
        plan = (await run.call("reloadconfig", waiting=True))["plan"]
        assert sorted((step["action"], step["target"]) for step in plan) == [("start", "app"), ("start", "plugin:eye")]
        assert run.pids("app") != app


async def test_several_at_once(hosting, installed):
    installed("acme", PLUGIN.replace("circus_register_options", "unused"))
    async with hosting(APP) as run:
        names = [f"p{number}" for number in range(4)]
        adding = [
            run.call("plugins_add", name=name, use="acme", options={"host": "core"}, waiting=True) for name in names
        ]
        await asyncio.gather(*adding, run.call("reloadconfig", waiting=True))
        assert {name for name in names if name in run.supervisor.bus.loaded} == set(names)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"use": "plugin.py:Witness"}, RequestError, r"a command cannot name code to import: .* write a section"),
        ({"use": "os.path.join"}, RequestError, r"no plugin os.path.join is installed"),
        ({"use": "acme", "options": {"numbr": 1}}, ConfigError, r"\[plugin:eye\] numbr: is not an option .* number"),
        ({"use": "acme", "options": {"number": "many"}}, ConfigError, r"\[plugin:eye\] number"),
        ({"use": "acme", "options": {"host": "core", "priority": 3}}, ConfigError, r"priority: is not an option"),
        ({"use": "flapping", "options": {"host": "process"}}, ConfigError, r"circus_decide_restart is an intervention"),
        ({"use": "acme", "name": "control"}, ConflictError, "there is a plugin control already"),
    ],
)
async def test_what_cannot_be_added_is_refused_before_anything_happens(hosting, installed, arguments, error, message):
    installed("acme", PLUGIN)
    async with hosting(APP) as run:
        before = await run.call("plugins")
        with pytest.raises(error, match=message):
            await run.call("plugins_add", **{"name": "eye", **arguments})
        assert await run.call("plugins") == before
        assert (await run.call("list"))["watchers"] == ["app"]


async def test_who_may(hosting, installed):
    installed("acme", PLUGIN)
    async with hosting("[plugin:eye]\nuse = acme\n" + APP) as run:
        for command, role in {
            "plugins_add": Role.OPERATE, "plugins_rm": Role.OPERATE, "plugins_set": Role.OPERATE,
            "plugins_restart": Role.VIEW,
        }.items():  # fmt: skip
            with pytest.raises(ForbiddenError):
                run.supervisor.dispatch(command, {"name": "eye", "use": "acme", "options": {}}, role=role)
        assert run.supervisor.dispatch("plugins_show", {"name": "eye"}, role=Role.VIEW)["plugin"]["name"] == "eye"


async def test_circusd_s_own_and_absent_ones(hosting):
    async with hosting(APP) as run:
        with pytest.raises(ConflictError, match="the plugin control is circusd's own"):
            await run.call("plugins_rm", name="control")
        with pytest.raises(RequestError, match=r"there is no plugin contrl \(did you mean control\?\)"):
            await run.call("plugins_show", name="contrl")
        assert (await run.call("plugins_show", name="control"))["plugin"]["host"] == "core"


@BOTH
async def test_one_that_does_not_come_up_is_shown_with_the_reason(hosting, installed, host):
    installed(
        "acme",
        PLUGIN.replace("def circus_startup(self):", "def circus_startup(self):\n        raise OSError('no room')"),
    )
    async with hosting(APP) as run:
        with pytest.raises(PluginError, match="plugin eye: circus_startup failed: OSError: no room"):
            await run.call("plugins_add", name="eye", use="acme", options={"host": host}, waiting=True)
        row = await run.plugin("eye")
        assert (row["started"], row["disabled"]) == (False, host == "core")
        assert "no room" in row["last_error"]
        assert (await run.call("plugins_show", name="eye"))["plugin"]["options"]["number"] == 1
        await run.call("plugins_rm", name="eye", waiting=True)
        assert "eye" not in [row["name"] for row in (await run.call("plugins"))["plugins"]]


async def test_without_a_file(supervise, installed):
    installed("acme", PLUGIN.replace("self.note(", "dict("))
    supervisor = Supervisor(Config(watchers={"w": watcher("w")}), plugins={"host": "circus_plugins.host:Host"})
    async with supervisor:
        await supervisor.client.call("plugins_add", name="eye", use="acme", options={"host": "core"}, waiting=True)
        assert supervisor.bus.loaded["eye"].started
        await supervisor.client.call("plugins_rm", name="eye", waiting=True)
        assert (await supervisor.client.call("list"))["watchers"] == ["w"]
