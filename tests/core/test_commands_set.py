"""Every option by `set`: the words of a refusal, and what it takes for the change to be in force."""

from __future__ import annotations

import json
import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core import status
from circus_core.changing import changed
from circus_core.errors import CircusError, ForbiddenError, OptionError
from circus_core.kinds import INTEGER, NUMBER, OCTAL, TEXT
from circus_core.model import WatcherOptions, sections
from circus_core.options import Effect, declared
from circus_core.testing import watcher
from circus_core.values import write

OPTIONS = {key: entry for key, entry in declared(WatcherOptions).items() if not entry.prefix}
WRONG = {
    "integer": ["1", 1.5, True, None, [], "many"],
    "number": ["long", True, None, []],
    "boolean": ["perhaps", 0, 1, None],
    "text": [7, None, []],
    "path": [7, []],
    "command line": [7, {}, "it's"],
    "user or group": [1.5, True, None, "", -1],
    "environment": ["A", [], None, {"A": 1}],
    "octal mode": ["9", -1, 512, []],
    "signal": ["bogus", 0, 12345, None, True],
}
COMPLAINTS = {
    "integer": "isn't an integer",
    "number": "isn't a number",
    "boolean": "isn't a valid boolean",
    "text": "isn't a string",
    "path": "isn't a string",
    "command line": "isn't a command line",
    "user or group": "isn't an integer or string",
    "environment": "isn't a valid object",
    "octal mode": "isn't an octal mode",
    "signal": "isn't a signal",
}
OTHER = {
    "cmd": "sleep 2000",
    "args": "3000",
    "shell_args": "a b",
    "executable": "/bin/sleep",
    "working_dir": "/",
    "uid": os.geteuid(),
    "gid": os.getegid(),
    "umask": "077",
    "env": {"A": "1"},
    "stop_signal": "INT",
}
"""Values that differ from the defaults; a number or boolean is easily made."""


def another(key):
    """A value that the option of a test's watcher does not have."""
    if key in OTHER:
        return OTHER[key]
    value = getattr(watcher("w"), OPTIONS[key].attribute)
    return not value if isinstance(value, bool) else (value or 0) + 1


@pytest.mark.covers("error:bad-option")
@pytest.mark.parametrize("key", OPTIONS)
async def test_values_of_a_wrong_type(supervise, key):
    """Each kind in the words of PROTOCOL.md 1.6; a good value beside it is not taken either."""
    kind = OPTIONS[key].kind.name
    async with supervise(watcher("w")) as run:
        before = run.supervisor.watcher("w").options
        unset = (None, "") if OPTIONS[key].default is None else ()
        for value in WRONG[kind]:
            if value in unset:
                continue
            with pytest.raises(OptionError) as raised:
                await run.call("set", name="w", options={"warmup_delay": 3, key: value})
            error = raised.value
            assert (error.message, error.errno, error.code) == (f"{key!r} {COMPLAINTS[kind]}", 3, "bad-option")
            assert error.hint
        assert run.supervisor.watcher("w").options is before
        assert run.events.named("watcher_updated") == []


@pytest.mark.covers("command:set")
@pytest.mark.parametrize("key", [key for key in OPTIONS if key not in ("env_file", "copy_env", "copy_path")])
async def test_a_change_takes_what_the_option_says(supervise, key):
    """Nothing, another number of processes, or a graceful reload; and it is shown, and published once."""
    async with supervise(watcher("w")) as run:
        pids = run.pids("w")
        assert await run.call("set", name="W", options={key: another(key)}, waiting=True) == {}
        assert [event.option for event in run.events.named("watcher_updated")] == [key]
        entry = OPTIONS[key]
        shown = (await run.call("get", name="w", keys=[key]))["options"][key]
        assert shown == entry.kind.show(entry.value(another(key), text=False))
        reloads = run.events.named("watcher_reloaded")
        if entry.effect is Effect.RELOAD:
            assert len(reloads) == 1
            assert run.pids("w") not in ([], pids)
        elif entry.effect is Effect.SCALE:
            assert run.pids("w")[: len(pids)] == pids
            assert len(run.pids("w")) == run.supervisor.watcher("w").options.numprocesses
        else:
            assert (reloads, run.pids("w")) == ([], pids)


@pytest.mark.parametrize("key", [key for key, entry in OPTIONS.items() if entry.default is None and key != "env_file"])
@pytest.mark.parametrize("nothing", [None, ""])
async def test_nothing_puts_an_option_back_to_its_default(supervise, key, nothing):
    value = OPTIONS[key].value(another(key), text=False)
    async with supervise(watcher("w", **{key: value})) as run:
        pids = run.pids("w")
        assert await run.call("set", name="w", options={key: nothing}, waiting=True) == {}
        assert await run.call("get", name="w", keys=[key]) == {"options": {key: None}}
        assert run.supervisor.watcher("w").options == watcher("w")
        assert [event.option for event in run.events.named("watcher_updated")] == [key]
        assert (run.pids("w") != pids) == (OPTIONS[key].effect is Effect.RELOAD)


@pytest.mark.parametrize("nothing", [None, "default"])
async def test_a_limit_that_is_unset_is_circusds_own_again(supervise, nothing):
    async with supervise(watcher("w", rlimits={"core": 0, "nofile": 77})) as run:
        await run.call("set", name="w", options={"rlimit_nofile": nothing}, waiting=True)
        assert run.supervisor.watcher("w").options.rlimits == {"core": 0}
        await run.call("set", name="w", options={"rlimit_core": nothing}, waiting=True)
        assert run.supervisor.watcher("w").options == watcher("w")
        assert len(run.events.named("watcher_reloaded")) == 2


class Paint:
    """A plugin with an option of each sort for watchers."""

    def circus_register_options(self, registry):
        registry.option("watcher", "colour", TEXT, help="Its colour.")
        registry.option("watcher", "layers", INTEGER, 1, help="How many.")
        registry.option("watcher", "mode", OCTAL, 0o700, help="Of its pot.")
        registry.option("watcher", "thin.", NUMBER, help="Thinners.", prefix=True)


@pytest.mark.parametrize("all_set", [False, True])
async def test_whatever_is_shown_can_be_set_and_changes_nothing(supervise, all_set):
    """Every option, set or not, those of plugins and free-form ones too; and a masked secret stays the secret."""
    given = {
        "env": {"A": "1", "API_TOKEN": "s3cret"},
        "rlimits": {"core": -1, "nofile": 77},
        "extra": {"mine": "yes", "table": [1], "colour": "red", "thin.oil": 0.5, "mode": 0o22},
    }
    plain = OPTIONS.keys() - {*given, "env_file"}
    made = {key: OPTIONS[key].value(another(key), text=False) for key in plain}
    made |= {"env_file": "/dev/null", "working_dir": "/tmp", "copy_path": False, "singleton": False}
    options = watcher("w", **{**made, **given, "numprocesses": 1}) if all_set else watcher("w")
    async with supervise(options, plugins={"paint": Paint()}) as run:
        pids = run.pids("w")
        shown = (await run.call("options", name="w"))["options"]
        shown |= (await run.call("get", name="w", keys=["rlimit_as", "rlimit_nofile"]))["options"]
        assert shown.keys() > {*OPTIONS, "colour", "layers", "mode"}
        await run.call("set", name="w", options=json.loads(json.dumps(shown)), waiting=True)
        for key, value in shown.items():
            await run.call("set", name="w", options={key: json.loads(json.dumps(value))})
        assert run.supervisor.watcher("w").options == options
        assert run.pids("w") == pids
        assert run.events.named("watcher_reloaded") == []


@given(data=st.data())
def test_any_value_is_shown_as_it_can_be_set(data):
    """Without processes: every value that an option takes from text comes back from what is shown of it."""
    section = sections()["watcher"]
    entry = data.draw(st.sampled_from([entry for entry in section if entry.settable]))
    key = entry.key + ("core" if entry.prefix else "")
    text = data.draw(st.sampled_from(["", "0", "7", "22", "0.5", "yes", "TERM", "A=1", "unlimited", "default", "/a b"]))
    try:
        value = entry.value(text, text=True, key=key)
        current = write(section, watcher("w"), {key: value})
        changed(section, current, {})
    except CircusError:
        return
    sent = json.loads(json.dumps(status.option(section, current, key)))
    again, (change,) = changed(section, current, {key: sent})
    assert (again, change.old) == (current, change.new)


@pytest.mark.parametrize("key", ["cmd", "numprocesses", "stop_signal"])
async def test_a_stopped_watcher_stays_stopped(supervise, key):
    async with supervise(watcher("w", autostart=False)) as run:
        await run.call("set", name="w", options={key: another(key)}, waiting=True)
        assert await run.call("status", name="w") == {"status": "stopped"}
        assert run.pids("w") == []


async def test_many_options_take_one_reload_and_are_published_in_order(supervise):
    async with supervise(watcher("w")) as run:
        options = {"env": {"A": "1"}, "priority": 3, "umask": "077", "numprocesses": 2, "cmd": "sleep 2000"}
        assert await run.call("set", name="w", options=options, waiting=True) == {}
        assert [event.option for event in run.events.named("watcher_updated")] == list(options)
        assert len(run.events.named("watcher_reloaded")) == 1
        assert len(run.pids("w")) == 2


async def test_without_waiting_it_is_answered_at_once_and_in_force_already(supervise):
    async with supervise(watcher("w")) as run:
        assert run.supervisor.dispatch("set", {"name": "w", "options": {"priority": 3}}) == {}
        assert run.supervisor.dispatch("get", {"name": "w", "keys": ["priority"]}) == {"options": {"priority": 3}}
        assert run.supervisor.dispatch("set", {"name": "w", "options": {}}) == {}


@pytest.mark.parametrize(
    ("options", "message", "errno"),
    [
        ({"copy_env": False, "copy_path": True}, "'copy_path' needs copy_env", 3),
        ({"cmd": " "}, "'cmd' is empty", 3),
        ({"singleton": True, "numprocesses": 2}, "Singleton watcher has a single process", 5),
        ({"priority": 1, "max_age": -1}, "'max_age' is -1", 3),
        ({"max_retry": -2}, "'max_retry' is -2", 3),
        ({"priority": 1, "numproceses": 2}, "unknown key 'numproceses'", 3),
        ({"env": {"A": "1"}, "rlimit_bogus": 1}, "'rlimit_bogus' isn't a valid rlimit setting", 3),
        ({"rlimit_core": "much"}, "'rlimit_core' isn't a valid int", 3),
        ({"rlimit_": 1}, "unknown key 'rlimit_'", 3),
    ],
)
async def test_what_contradicts_itself_changes_nothing(supervise, options, message, errno):
    async with supervise(watcher("w")) as run:
        before, pids = run.supervisor.watcher("w").options, run.pids("w")
        for waiting in (False, True):
            with pytest.raises(CircusError) as raised:
                await run.call("set", name="w", options=options, waiting=waiting)
            assert (raised.value.message, raised.value.errno) == (message, errno)
        assert run.supervisor.watcher("w").options is before
        assert run.pids("w") == pids
        assert run.events.named("watcher_updated") == []


async def test_a_change_that_became_wrong_while_it_waited_fails_when_its_turn_comes(supervise):
    async with supervise(watcher("w")) as run:
        assert await run.call("restart", name="w") == {}
        assert await run.call("set", name="w", options={"singleton": True}) == {}
        with pytest.raises(CircusError, match="Singleton watcher has a single process"):
            await run.call("set", name="w", options={"numprocesses": 2}, waiting=True)
        assert [event.option for event in run.events.named("watcher_updated")] == ["singleton"]


async def test_whose_a_watcher_is_counts_when_the_turn_of_the_change_comes(supervise):
    def guard(options):
        if options.priority == 7:
            raise ForbiddenError("not for you")

    async with supervise(watcher("w")) as run:
        assert await run.call("restart", name="w") == {}
        assert await run.call("set", name="w", options={"priority": 7}) == {}
        asked = {"name": "w", "options": {"max_age": 5}, "waiting": True}
        with pytest.raises(ForbiddenError, match="not for you"):
            await run.supervisor.dispatch("set", asked, guard=guard)
        with pytest.raises(ForbiddenError, match="not for you"):
            run.supervisor.dispatch("set", asked, guard=guard)
        assert run.supervisor.watcher("w").options.max_age == 0


async def test_negative_numbers_of_processes_are_none(supervise):
    async with supervise(watcher("w", numprocesses=2)) as run:
        await run.call("set", name="w", options={"numprocesses": -5}, waiting=True)
        assert await run.call("get", name="w", keys=["numprocesses"]) == {"options": {"numprocesses": 0}}
        assert run.pids("w") == []


@pytest.mark.parametrize("options", [{"working_dir": "/no/such/folder"}, {"cmd": "/no/such/program"}])
async def test_what_no_process_comes_up_with_is_not_in_force(supervise, options):
    async with supervise(watcher("w", numprocesses=2)) as run:
        before, pids = run.supervisor.watcher("w").options, run.pids("w")
        with pytest.raises(CircusError, match="the old processes go on"):
            await run.call("set", name="w", options=options, waiting=True)
        assert run.supervisor.watcher("w").options == before
        assert run.pids("w") == pids
        assert len(run.events.named("watcher_updated")) == 2
        os.kill(pids[0], signal.SIGKILL)
        await run.events.wait_for("process_spawned", count=3)
        assert await run.call("reload", name="w", waiting=True)


@pytest.mark.parametrize("options", [{"uid": "nobody-of-that-name"}, {"gid": "nobody-of-that-name"}])
async def test_users_and_groups_that_are_not_there_are_refused_at_once(supervise, options):
    async with supervise(watcher("w")) as run:
        with pytest.raises(CircusError, match=r"there is no (user|group) nobody-of-that-name"):
            await run.call("set", name="w", options=options)
        assert run.events.named("watcher_updated") == []


async def test_respawn_switched_on_fills_what_has_become_empty_meanwhile(supervise):
    async with supervise(watcher("w", numprocesses=2, respawn=False)) as run:
        first, second = run.pids("w")
        os.kill(first, signal.SIGKILL)
        await run.events.wait_for("process_exited")
        assert run.pids("w") == [second]
        await run.call("set", name="w", options={"respawn": True}, waiting=True)
        assert len(run.pids("w")) == 2
