"""What every command that looks answers, who may ask for which, and what is refused before anything happens."""

from __future__ import annotations

import inspect
import os
import signal

import pytest

from circus_core import __version__
from circus_core.errors import CircusError, ForbiddenError, RequestError, UnknownCommandError
from circus_core.model import SupervisorOptions, WatcherOptions
from circus_core.options import declared
from circus_core.requests import COMMANDS, Role
from circus_core.testing import watcher
from tests.core.proc import settled, stubborn

NAMED = [
    name
    for name, command in COMMANDS.items()
    if any(argument.name == "name" for argument in command.arguments) and name != "add"
]
FURTHER = {"get": {"keys": []}, "set": {"options": {}}, "signal": {"signum": "term"}}
WRONG = {
    "boolean": ("perhaps", "isn't a valid boolean"),
    "integer": ("many", "isn't an integer"),
    "number": ("long", "isn't a number"),
    "object": ([], "property should be an object"),
    "list": ("numprocesses", "property should be a list of names"),
    "text": (7, "isn't a string"),
    "signal": ("bogus", "signal invalid"),
}


async def refused(run, command, **properties):
    """The error that a command answers; what was said about the watchers before is still true."""
    before = await run.call("status", extended=True)
    with pytest.raises(CircusError) as raised:
        await run.call(command, **properties)
    after = await run.call("status", extended=True)
    assert (after["statuses"], sorted(after["details"])) == (before["statuses"], sorted(before["details"]))
    return raised.value


# Every command


@pytest.mark.covers("error:forbidden")
@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_is_refused_to_every_smaller_role(supervise, name):
    async with supervise(watcher("w")) as run:
        needed = COMMANDS[name].role
        for role in Role:
            if role >= needed:
                continue
            with pytest.raises(ForbiddenError, match=f"{name} needs the role {needed.name.lower()}") as raised:
                run.supervisor.dispatch(name, {"name": "w"}, role=role)
            assert (raised.value.errno, raised.value.code) == (7, "forbidden")
        assert run.events.names("w") == ["watcher_added", "process_spawned", "watcher_started"]


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.role is Role.VIEW])
async def test_whoever_only_looks_changes_nothing(supervise, name):
    async with supervise(watcher("w")) as run:
        since, asked = len(run.events.seen), {"name": "w", **FURTHER.get(name, {})}
        if name == "listen":
            with pytest.raises(RequestError):
                run.supervisor.dispatch(name, asked, role=Role.VIEW)
        else:
            answer = run.supervisor.dispatch(name, asked, role=Role.VIEW)
            assert not inspect.isawaitable(answer), "it answers at once"
            assert set(answer) <= set(COMMANDS[name].replies)
        assert len(run.events.seen) == since


@pytest.mark.covers("error:unknown-command")
async def test_an_unknown_command(supervise):
    async with supervise() as run:
        with pytest.raises(UnknownCommandError, match="unknown command: 'Statsu'") as raised:
            await run.call("Statsu")
        assert raised.value.errno == 2
        assert "status" in raised.value.hint
        assert await run.call("NumWatchers") == {"numwatchers": 0}


@pytest.mark.covers("error:unknown-watcher")
@pytest.mark.parametrize("waiting", [False, True])
@pytest.mark.parametrize("name", NAMED)
async def test_an_unknown_watcher(supervise, name, waiting):
    """O-11: kill says so too; and with or without waiting it is said at once, in the client's own spelling."""
    async with supervise(watcher("web")) as run:
        error = await refused(run, name, name="Webb", waiting=waiting, **FURTHER.get(name, {}))
        assert (error.message, error.errno, error.code) == ("program Webb not found", 3, "unknown-watcher")
        assert "web" in error.hint


@pytest.mark.covers("error:bad-request")
@pytest.mark.parametrize(
    ("name", "missing"),
    [(name, entry.name) for name, command in COMMANDS.items() for entry in command.arguments if entry.required],
)
async def test_a_required_argument_that_is_missing(supervise, name, missing):
    full = {"name": "w", "cmd": "sleep 1000", **FURTHER.get(name, {})}
    async with supervise(watcher("w")) as run:
        for absent in ({}, {missing: None}):
            properties = {**{key: value for key, value in full.items() if key != missing}, **absent}
            error = await refused(run, name, **properties)
            assert (error.message, error.errno) == (f"message invalid {missing!r} is missing", 3)
            assert error.hint


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        pytest.param(name, argument, id=f"{name}-{argument.name}")
        for name, command in COMMANDS.items()
        for argument in command.arguments
        if argument.kind != "any"
    ],
)
async def test_an_argument_of_a_wrong_type(supervise, name, argument):
    value, complaint = WRONG[argument.kind]
    full = {"cmd": "sleep 1000", **FURTHER.get(name, {}), "name": "new" if name == "add" else "w"}
    async with supervise(watcher("w")) as run:
        error = await refused(run, name, **{**full, argument.name: value})
        expected = complaint if argument.kind == "signal" else f"{argument.name!r} {complaint}"
        assert (error.message, error.errno) == (expected, 3)


async def test_what_no_argument_is_called_is_passed_over(supervise):
    async with supervise(watcher("w")) as run:
        assert await run.call("numwatchers", nonsense=[1], waiting=True) == {"numwatchers": 1}


# Looking


@pytest.mark.covers("command:list", "command:numprocesses", "command:numwatchers")
async def test_list_and_numbers(supervise):
    async with supervise(watcher("Web", numprocesses=2), watcher("api"), watcher("off", autostart=False)) as run:
        assert await run.call("list") == {"watchers": ["api", "off", "web"]}
        assert await run.call("list", name="WEB") == {"pids": run.pids("web")}
        assert len(run.pids("web")) == 2
        assert await run.call("list", name="off") == {"pids": []}
        assert await run.call("numwatchers") == {"numwatchers": 3}
        assert await run.call("numprocesses") == {"numprocesses": 3}
        assert await run.call("numprocesses", name="wEB") == {"numprocesses": 2, "watcher_name": "wEB"}
        assert await run.call("numprocesses", name="off") == {"numprocesses": 0, "watcher_name": "off"}


@pytest.mark.covers("command:status")
async def test_status(supervise):
    async with supervise(watcher("Web"), watcher("off", autostart=False)) as run:
        assert await run.call("status") == {"statuses": {"Web": "active", "off": "stopped"}}
        assert await run.call("status", name="WEB") == {"status": "active"}
        assert await run.call("status", name="off") == {"status": "stopped"}


async def test_status_extended(supervise):
    async with supervise(watcher("Web", numprocesses=2), watcher("off", autostart=False)) as run:
        reply = await run.call("status", name="web", extended=True)
        assert (reply["status"], list(reply["details"])) == ("active", ["Web"])
        details = reply["details"]["Web"]
        assert [entry["wid"] for entry in details["processes"]] == [1, 2]
        assert [entry["pid"] for entry in details["processes"]] == run.pids("web")
        assert {entry["state"] for entry in details["processes"]} == {"ready"}
        assert all(entry["age"] >= 0 for entry in details["processes"])
        spawned = [event.at for event in run.events.named("process_spawned")]
        assert all(0 <= at - entry["spawned_at"] < 20 for entry, at in zip(details["processes"], spawned, strict=True))
        assert (details["state"], details["numprocesses"], details["restarts"]) == ("active", 2, 0)
        assert (details["waiting"], details["gave_up"], details["leaving"]) == ([], [], [])
        assert (details["last_error"], details["last_exit"], details["operation"]) == ("", None, None)
        assert details["uptime"] >= 0
        pid = run.pids("web")[1]
        os.kill(pid, signal.SIGKILL)
        await run.events.wait_for("process_spawned", count=3)
        reply = await run.call("status", extended="yes")
        details = reply["details"]["Web"]
        assert (details["last_exit"]["pid"], details["last_exit"]["exit_code"]) == (pid, -signal.SIGKILL)
        assert (details["restarts"], [entry["restarts"] for entry in details["processes"]]) == (1, [0, 1])
        assert reply["details"]["off"]["uptime"] is None
        assert reply["details"]["off"]["processes"] == []


async def test_status_answers_while_a_stop_waits_for_who_does_not_stop(supervise, tmp_path):
    async with supervise(watcher("w", stubborn(tmp_path), graceful_timeout=1000), watcher("other")) as run:
        (pid,) = run.pids("w")
        settled(tmp_path, pid)
        assert await run.call("stop", name="w") == {}
        await run.events.wait_for("process_signaled")
        assert await run.call("status") == {"statuses": {"w": "stopping", "other": "active"}}
        details = (await run.call("status", name="w", extended=True))["details"]["w"]
        assert (details["operation"], [entry["state"] for entry in details["processes"]]) == ("stop", ["stopping"])
        assert await run.call("list", name="w") == {"pids": [pid]}
        assert await run.call("numwatchers") == {"numwatchers": 2}
        # Other watchers do not wait for it, and kill does not wait for its queue.
        assert (await run.call("restart", name="other", waiting=True))["info"]["started"] == run.pids("other")
        await run.call("kill", name="w", signum="kill", waiting=True)
        await run.events.wait_for("watcher_stopped", watcher="w")
        assert await run.call("status", name="w") == {"status": "stopped"}


@pytest.mark.covers("command:options")
async def test_options(supervise):
    env = {"A": "1", "API_TOKEN": "s3cret", "DB_PASSWORD": "s3cret"}
    extra = {"flapping.window": "3"}
    async with supervise(watcher("w", env=env, rlimits={"nofile": 77}, umask=0o027, extra=extra)) as run:
        options = (await run.call("options", name="W"))["options"]
        known = {key for key, entry in declared(WatcherOptions).items() if not entry.prefix}
        assert options.keys() == known | {"rlimit_nofile", "flapping.window"}
        assert options["env"] == {"A": "1", "API_TOKEN": "********", "DB_PASSWORD": "********"}
        assert (options["stop_signal"], options["graceful_timeout"], options["max_retry"]) == (15, 5.0, None)
        assert (options["rlimit_nofile"], options["umask"], options["uid"], options["args"]) == (77, "027", None, "")
        assert (options["cmd"], options["flapping.window"]) == ("sleep 1000", "3")


@pytest.mark.covers("command:get")
async def test_get(supervise):
    async with supervise(watcher("w", env={"A": "1", "API_KEY": "s3cret"}, extra={"mine": "yes"})) as run:
        assert await run.call("get", name="w", keys=["numprocesses", "cmd"]) == {
            "options": {"numprocesses": 1, "cmd": "sleep 1000"}
        }
        # A free-form option is one like any other: O-10.
        assert await run.call("get", name="w", keys=["mine", "env"]) == {
            "options": {"mine": "yes", "env": {"A": "1", "API_KEY": "********"}}
        }
        assert await run.call("get", name="w", keys=[]) == {"options": {}}
        assert await run.call("get", name="w", keys=["rlimit_core", "uid"]) == {
            "options": {"rlimit_core": None, "uid": None}
        }
        error = await refused(run, "get", name="w", keys=["cmd", "numproceses"])
        assert (error.message, error.errno) == ("'numproceses' option not found", 3)
        assert error.hint == "did you mean numprocesses?"
        error = await refused(run, "get", name="w", keys=["rlimit_cor"])
        assert (error.errno, error.hint) == (3, "did you mean rlimit_core?")


@pytest.mark.covers("command:commands")
async def test_commands(supervise):
    async with supervise() as run:
        reply = await run.call("commands")
        assert [row["name"] for row in reply["commands"]] == sorted(run.supervisor.assembly.commands)
        assert (reply["version"], reply["pid"]) == (__version__, os.getpid())
        row = next(row for row in reply["commands"] if row["name"] == "incr")
        assert (row["role"], row["waits"]) == ("operate", True)
        assert [argument["name"] for argument in row["arguments"]] == ["name", "nb", "waiting"]
        assert all(row["summary"].endswith(".") for row in reply["commands"])


@pytest.mark.covers("command:schema")
async def test_schema(supervise):
    async with supervise() as run:
        sections = (await run.call("schema"))["sections"]
        assert {"circus", "watcher", "plugin"} <= sections.keys()
        assert sections["watcher"]["properties"]["numprocesses"]["default"] == 1
        assert sections["watcher"]["required"] == ["cmd"]
        assert sections["circus"]["properties"].keys() >= declared(SupervisorOptions).keys()


@pytest.mark.covers("command:plugins")
async def test_plugins(supervise):
    class Lamp:
        def circus_process_exited(self, event):
            raise RuntimeError("dark")

    async with supervise(watcher("w"), plugins={"lamp": Lamp()}) as run:
        rows = {row["name"]: row for row in (await run.call("plugins"))["plugins"]}
        assert rows.keys() == {"events", "lamp"}
        assert (rows["lamp"]["host"], rows["lamp"]["hooks"]) == ("core", ["circus_process_exited"])
        assert (rows["lamp"]["failures"], rows["lamp"]["last_error"], rows["lamp"]["disabled"]) == (0, "", False)
        os.kill(run.pids("w")[0], signal.SIGKILL)
        await run.events.wait_for("plugin_failed", plugin="lamp")
        row = next(row for row in (await run.call("plugins"))["plugins"] if row["name"] == "lamp")
        assert row["failures"] == 1
        assert "dark" in row["last_error"]
        assert "installed" not in await run.call("plugins")
        found = {row["name"]: row for row in (await run.call("plugins", installed=True))["installed"]}
        assert found["watchdog"]["distribution"] == "circus-bus"
        assert found["watchdog"]["loaded"] == []


@pytest.mark.covers("command:listen", "command:ipython")
async def test_what_is_refused_for_good(supervise):
    async with supervise() as run:
        error = await refused(run, "listen")
        assert (error.message, error.errno) == ("invalid message. use a pub/sub socket", 3)
        reply = await run.call("ipython")
        assert reply["shell"] is False
        assert reply["msg"]
