"""Where hooks are written, what may be written, and when their modules are imported."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from circus_core.assembly import assemble
from circus_core.errors import CircusError, ConfigError
from circus_core.supervisor import Supervisor
from circus_core.testing import Events, watcher
from tests.plugins.hooks.conftest import NOTED, last_error


def configured(tmp_path, text, name="circus.ini"):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    return assemble(str(path))


def extra(assembly):
    return {key: value for key, value in assembly.config.watchers["w"].extra.items() if key.startswith("hooks.")}


# What may be written


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("my.mod.fn", "my.mod.fn"), ("my.mod.fn,true", "my.mod.fn,true"), ("my.mod.fn , Yes", "my.mod.fn,true"),
        ("my.mod.fn, false", "my.mod.fn"), ("my.mod:fn", "my.mod:fn"),
    ],
)  # fmt: skip
def test_in_an_ini_file(tmp_path, written, kept):
    text = f"[watcher:w]\ncmd = true\nhooks.before_start = {written}\n"
    assert extra(configured(tmp_path, text)) == {"hooks.before_start": kept}


@pytest.mark.parametrize(
    "text",
    [
        'hooks.before_start = "m.f, true"\nhooks.after_stop = "m.g"',
        'hooks.before_start = ["m.f", true]\nhooks.after_stop = ["m.g", false]',
        '[watcher.w.hooks]\nbefore_start = "m.f,true"\nafter_stop = "m.g"',
    ],
)
def test_in_toml(tmp_path, text):
    made = configured(tmp_path, f'[watcher.w]\ncmd = "true"\n{text}\n', "circus.toml")
    assert extra(made) == {"hooks.before_start": "m.f,true", "hooks.after_stop": "m.g"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("hooks.before_strat = m.f", "did you mean hooks.before_start?"),
        ("hooks.lunch = m.f", "possible are after_reap, after_signal"),
        ("hooks.before_start = f", "isn't the dotted path of a function"),
        ("hooks.before_start = m.f()", "isn't the dotted path of a function"),
        ("hooks.before_start =", "isn't the dotted path of a function"),
        ("hooks.before_start = m.f, perhaps", "true or false: whether an exception counts as success"),
        ("hooks.before_start = m.f, m.g", "true or false: whether an exception counts as success"),
    ],
)
def test_what_is_no_hook_is_told_with_its_line(tmp_path, line, says):
    with pytest.raises(ConfigError) as raised:
        configured(tmp_path, f"[watcher:w]\ncmd = true\n{line}\n")
    assert f"{tmp_path}/circus.ini:3: [watcher:w]" in str(raised.value)
    assert says in str(raised.value)


def test_what_is_no_hook_in_toml(tmp_path):
    with pytest.raises(ConfigError, match=r"circus.toml:3: .*expected \"package.module.function\" or"):
        configured(tmp_path, '[watcher.w]\ncmd = "true"\nhooks.before_start = ["m.f", "g"]\n', "circus.toml")


# What commands may do with them


async def test_they_are_shown_as_they_are_written(supervise, module, hooks):
    mine = module.watcher("before_start=note,true", "after_stop")
    async with supervise(mine, plugins=hooks) as run:
        path = module.path()
        shown = (await run.call("options", name="w"))["options"]
        assert (shown["hooks.before_start"], shown["hooks.after_stop"]) == (f"{path},true", path)
        assert (await run.call("get", name="w", keys=["hooks.after_stop"]))["options"] == {"hooks.after_stop": path}


@pytest.mark.parametrize("options", [{"hooks.before_start": "os.getcwd"}, {"hooks": {"before_start": "os.getcwd"}}])
async def test_no_command_sets_one(supervise, module, hooks, options):
    """PEERS.md 3, nr 11: in Circus, `set` imports what a client names."""
    async with supervise(module.watcher("before_start"), plugins=hooks) as run:
        refused = "'hooks.before_start' cannot be set by a command .it names code, and circusd imports none on a client"
        with pytest.raises(CircusError, match=refused):
            await run.call("set", name="w", options=options)
        with pytest.raises(CircusError, match=refused):
            await run.call("add", name="x", cmd="true", options=options)
        assert run.supervisor.watcher("w").options.extra == {"hooks.before_start": module.path()}


# When they are imported


async def test_one_that_cannot_be_imported_keeps_its_watcher_from_starting_and_no_other(supervise, module, hooks):
    """O-34."""
    named = {"hooks.after_stop": f"{module.name}_missing.note"}
    async with supervise(watcher("w", extra=named), watcher("other"), plugins=hooks) as run:
        assert run.pids("other")
        assert (await run.call("status", name="w"))["status"] == "stopped"
        assert await last_error(run) == (
            f"hooks.after_stop = {module.name}_missing.note: ModuleNotFoundError: No module named"
            f" '{module.name}_missing'; it is looked for beside the configuration and in the PYTHONPATH of the"
            " watcher's env"
        )


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_module_at_all", r"ModuleNotFoundError: No module named 'no_such_module_at_all' \(.*py:1\)"),
        ("x = 1\n1 / 0", r"ZeroDivisionError: division by zero \(.*py:2\)"),
        ("raise SystemExit(3)", r"SystemExit: 3 \(.*py:1\)"),
        ("def note(:", r"SyntaxError: .* line 1\)"),
        ("x = 1", "has no note"),
        ("note = 1", "note is no function"),
    ],
)
async def test_and_a_later_start_tries_again(supervise, module, hooks, code, says):
    module.write(code)
    async with supervise(module.watcher("before_start"), plugins=hooks) as run:
        with pytest.raises(CircusError, match=f"hooks.before_start = {module.path()}: .*{says}"):
            await run.call("start", name="w", waiting=True)
        module.write(NOTED)
        await run.call("start", name="w", waiting=True)
        assert module.names == ["before_start"]


class Written:
    """A supervisor with a configuration of its own. Its modules are found beside that."""

    def __init__(self, tmp_path, hooks):
        self.path = tmp_path / "circus.ini"
        self._hooks = hooks

    def write(self, *lines):
        self.path.write_text("\n".join(["[watcher:w]", "cmd = sleep 1000", "copy_env = True", *lines, ""]))

    def run(self):
        self.events = Events()
        supervisor = Supervisor(assemble(str(self.path), plugins={"events": self.events, **self._hooks}))
        self.call = supervisor.client.call
        return supervisor


@pytest.fixture
def written(tmp_path, hooks):
    return Written(tmp_path, hooks)


# The fixture `supervise` has these run on a loop.


async def test_reloadconfig_takes_other_hooks_at_once(supervise, module, written):
    written.write(f"hooks.before_stop = {module.path()}")
    async with written.run() as run:
        pids = [process.pid for process in run.watcher("w").slots.processes()]
        written.write(f"hooks.after_signal = {module.path()}", f"hooks.before_stop = {module.path()},true")
        reply = await written.call("reloadconfig", waiting=True)
        assert [each["action"] for each in reply["plan"]] == ["update"]
        assert f"hooks.after_signal unset -> '{module.path()}'" in reply["plan"][0]["why"]
        await written.call("signal", name="w", signum="CONT")
        assert module.names == ["after_signal"]
        assert [process.pid for process in run.watcher("w").slots.processes()] == pids
        written.write()
        await written.call("reloadconfig", waiting=True)
        await written.call("stop", name="w", waiting=True)
        assert module.names == ["after_signal"]


async def test_a_running_watcher_gets_its_first_hook(supervise, module, written):
    written.write()
    async with written.run():
        written.write(f"hooks.before_stop = {module.path()}")
        await written.call("reloadconfig", waiting=True)
        await written.call("stop", name="w", waiting=True)
        assert module.names == ["before_stop"]


async def test_reloadconfig_imports_changed_modules_again(supervise, module, written):
    written.write(f"hooks.after_signal = {module.path()}")
    async with written.run() as run:
        first = module.imported.note
        await written.call("reloadconfig", waiting=True)
        assert module.imported.note is first
        module.write(NOTED + "\nCHANGED = True\n")
        await written.call("reloadconfig", waiting=True)
        assert module.imported.CHANGED
        await written.call("signal", name="w", signum="CONT")
        assert module.names == ["after_signal"]

        module.write(NOTED + "\n1 / 0\n")
        await written.call("reloadconfig", waiting=True)
        assert "ZeroDivisionError" in run.watcher("w").slots.last_error
        await written.call("signal", name="w", signum="CONT")
        assert len(written.events.named("hook_succeeded")) == 2
        with pytest.raises(CircusError, match="ZeroDivisionError"):
            await written.call("restart", name="w", waiting=True)


async def test_changed_hooks_that_cannot_be_imported_leave_those_that_are(supervise, module, written, caplog):
    written.write(f"hooks.after_signal = {module.path()}")
    async with written.run() as run:
        written.write("hooks.after_signal = no_such_module.f")
        await written.call("reloadconfig", waiting=True)
        assert run.watcher("w").slots.last_error.startswith("hooks.after_signal = no_such_module.f: ModuleNotFound")
        assert any("w: its hooks stay as they were: hooks.after_signal" in each.message for each in caplog.records)
        await written.call("signal", name="w", signum="CONT")
        assert module.names == ["after_signal"]


async def test_a_watcher_that_is_removed_is_stopped_with_its_hooks_and_forgotten(supervise, module, written, hooks):
    written.write(f"hooks.after_stop = {module.path()}")
    async with written.run():
        await written.call("rm", name="w", waiting=True)
        assert module.names == ["after_stop"]
        await written.call("add", name="w", cmd="sleep 1000", start=True, waiting=True)
        await written.call("rm", name="w", waiting=True)
        assert module.names == ["after_stop"]
        assert hooks["hooks"]._work._hooked == {}


async def test_one_that_is_removed_when_it_has_stopped_is_forgotten_too(supervise, module, written, hooks):
    written.write(f"hooks.after_stop = {module.path()}")
    async with written.run():
        await written.call("stop", name="w", waiting=True)
        await written.call("rm", name="w", waiting=True)
        assert hooks["hooks"]._work._hooked == {}


def test_no_hooks_no_import():
    """Who has no hooks does not pay for them."""
    code = """
import asyncio, sys
from circus_core.model import Config, WatcherOptions
from circus_core.supervisor import Supervisor
from circus_plugins.hooks import Hooks
async def main():
    options = WatcherOptions(name="w", cmd="sleep 1000", copy_env=True)
    async with Supervisor(Config(watchers={"w": options}), plugins={"hooks": Hooks()}):
        print(sorted(name for name in sys.modules if name.startswith("circus_plugins.")))
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['circus_plugins.hooks']\n"


def test_circusd_has_the_plugin_without_being_asked(circusd, module):
    daemon = circusd(f"""
        [watcher:w]
        cmd = sleep 1000
        hooks.before_start = {module.path("missing")}
        [watcher:other]
        cmd = sleep 1000
        [env:w]
        PYTHONPATH = {module.folder}
    """).up()
    assert daemon.call("status")["statuses"] == {"other": "active", "w": "stopped"}
    told = daemon.call("status", name="w", extended=True)["details"]["w"]["last_error"]
    assert told == f"hooks.before_start = {module.path('missing')}: the module {module.name} has no missing"
