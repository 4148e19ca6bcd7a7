"""Plugins are added, removed, changed and restarted while circusd runs, and nothing else is touched for it."""

from __future__ import annotations

APP = "[watcher:app]\ncmd = sleep 1000\ncopy_env = True\ngraceful_timeout = 5\n"
EYE = "[plugin:eye]\nuse = plugin.py:Witness\n"


async def test_a_plugin_is_added(hosting):
    async with hosting(APP) as run:
        app = run.pids("app")
        run.configure(APP + EYE)
        answer = await run.call("reloadconfig", waiting=True)
        assert answer["plan"] == [{"action": "start", "target": "plugin:eye", "why": "its section is new"}]
        await run.events.wait_for("plugin_started", plugin="eye")
        first = await run.notes.wait_for("eye", hook="event")
        # It is told of what happens from now on, its own start included.
        assert first["seq"] > run.events.named("watcher_added", watcher="plugin:eye")[0].seq
        assert run.pids("app") == app


async def test_a_plugin_is_removed(hosting):
    async with hosting(APP + EYE) as run:
        run.configure(APP)
        await run.call("reloadconfig", waiting=True)
        await run.notes.wait_for("eye", hook="shutdown")
        assert "plugin:eye" not in run.supervisor.watchers
        assert "eye" not in [row["name"] for row in (await run.call("plugins"))["plugins"]]


async def test_a_changed_option_restarts_just_that_plugin(hosting):
    other = "[plugin:other]\nuse = plugin.py:Witness\n"
    async with hosting(APP + EYE + "colour = red\n" + other) as run:
        before = {name: run.pids(name) for name in ("app", "plugin:eye", "plugin:other")}
        run.configure(APP + EYE + "colour = blue\n" + other)
        plan = (await run.call("reloadconfig", waiting=True))["plan"]
        assert [(action["action"], action["target"]) for action in plan] == [("reload", "plugin:eye")]
        started = await run.notes.wait_for("eye", hook="startup", count=2)
        assert started["options"] == {"colour": "blue"}
        assert {name for name, pids in before.items() if run.pids(name) != pids} == {"plugin:eye"}


async def test_events_of_a_restart_are_not_missed(hosting):
    async with hosting(APP + EYE) as run:
        await run.call("restart", name="plugin:eye", waiting=True)
        await run.events.wait_for("plugin_started", plugin="eye", count=2)
        await run.call("stop", name="app", waiting=True)
        await run.notes.wait_for("eye", name="watcher_stopped", watcher="app")
        seen = [note["seq"] for note in run.notes.of("eye", hook="event")]
        assert seen == list(range(seen[0], seen[0] + len(seen)))


async def test_an_option_of_its_watcher_is_changed_without_a_restart(hosting):
    async with hosting(EYE) as run:
        before = run.pids("plugin:eye")
        run.configure(EYE + "graceful_timeout = 7\n")
        await run.call("reloadconfig", waiting=True)
        assert run.supervisor.watcher("plugin:eye").options.graceful_timeout == 7
        assert run.pids("plugin:eye") == before


async def test_a_plan_does_nothing(hosting):
    async with hosting(EYE) as run:
        run.configure(APP)
        plan = (await run.call("reloadconfig", plan=True))["plan"]
        assert [action["target"] for action in plan] == ["plugin:eye", "app"]
        assert list(run.supervisor.watchers) == ["plugin:eye"]


async def test_a_plugin_moves_into_circusd_and_out_again(hosting):
    async with hosting(EYE) as run:
        run.configure(EYE + "host = core\n")
        await run.call("reloadconfig", waiting=True)
        assert (await run.plugin("eye"))["host"] == "core"
        assert "plugin:eye" not in run.supervisor.watchers
        run.configure(EYE)
        await run.call("reloadconfig", waiting=True)
        await run.events.wait_for("plugin_started", plugin="eye", count=3)
        assert (await run.plugin("eye"))["host"] == "process"


async def test_a_full_restart_starts_the_plugins_again(hosting):
    async with hosting(APP + EYE) as run:
        before = run.pids("plugin:eye")
        await run.call("restart", waiting=True)
        await run.events.wait_for("plugin_started", plugin="eye", count=2)
        assert run.pids("plugin:eye") != before
        await run.notes.wait_for("eye", name="process_spawned", watcher="app", count=2)


async def test_processes_follow_endpoints_that_move(hosting, tmp_path):
    async with hosting(EYE) as run:
        run.configure(EYE + f"[circus]\nendpoint = ipc://{tmp_path}/other.sock\n")
        await run.call("reloadconfig", waiting=True)
        await run.events.wait_for("plugin_started", plugin="eye", count=2)
