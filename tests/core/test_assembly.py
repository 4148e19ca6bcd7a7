"""Plugins, what they declare, and a configuration, put together; and taken apart again."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import pytest
from attrs import field, frozen

from circus_core.assembly import Assembly, assemble
from circus_core.errors import CircusError, ConfigError, PluginError
from circus_core.kinds import INTEGER, NUMBER, TEXT
from circus_core.options import Effect, Section, option
from circus_core.requests import Argument, Command, Role
from circus_core.structure import Problem
from circus_core.supervisor import Supervisor
from circus_core.testing import watcher


@frozen
class LampOptions:
    name: str
    watts: int = option(INTEGER, 40, help="How bright.")
    extra: dict[str, object] = field(factory=dict)


class Lamps:
    """Adds a sort of section, an option to each of the core's, and a command."""

    def circus_register_options(self, registry):
        registry.section(Section("lamp", LampOptions, "A lamp."))
        registry.option("watcher", "glow", NUMBER, 1.0, help="How much.", effect=Effect.RELOAD, minimum=0)
        registry.option("circus", "dark", INTEGER, help="From when on.")

    def circus_register_commands(self, registry):
        argument = Argument("lumen", "integer", "How bright.", required=True)
        registry.command(Command("shine", Role.OPERATE, "Shine.", argument), self._shine)

    def _shine(self, supervisor, request):
        return {"lumen": request["lumen"], "watchers": len(supervisor.watchers)}


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str) -> str:
        path = tmp_path / "app.ini"
        path.write_text(dedent(text))
        return str(path)

    return write


@pytest.mark.covers("hook:circus_register_options")
def test_what_a_plugin_declares_is_read_from_the_configuration(file):
    path = file("""
        [circus]
        dark = 22
        [watcher:w]
        cmd = true
        glow = 2.5
        [lamp:Red]
        watts = 60
    """)
    config = assemble(path, plugins={"lamps": Lamps}).config
    assert config.supervisor.extra == {"dark": 22}
    assert config.watchers["w"].extra == {"glow": 2.5}
    assert config.sections["lamp"]["red"] == LampOptions(name="red", watts=60)


def test_what_a_plugin_declares_is_checked_as_any_option_is(file):
    path = file("""
        [watcher:w]
        cmd = true
        glow = -1
        [lamp:red]
        wats = 3
    """)
    with pytest.raises(ConfigError) as raised:
        assemble(path, plugins={"lamps": Lamps})
    problems = raised.value.problems
    assert [problem.place.line for problem in problems] == [4, 6]
    assert "did you mean watts?" in str(problems[1])


@pytest.mark.covers("hook:circus_register_commands")
async def test_a_command_of_a_plugin_is_one_as_any_other(supervise):
    async with supervise(watcher("w"), plugins={"lamps": Lamps()}) as run:
        assert await run.call("SHINE", lumen="3") == {"lumen": 3, "watchers": 1}
        described = {command["name"]: command for command in (await run.call("commands"))["commands"]}
        assert described["shine"]["role"] == "operate"
        await run.call("set", name="w", options={"glow": 3}, waiting=True)
        assert (await run.call("get", name="w", keys=["glow"]))["options"] == {"glow": 3}
        # Its effect is that of a change that needs new processes.
        assert len(run.events.named("process_spawned")) == 2


def test_an_unloaded_plugin_takes_with_it_what_it_declared():
    made = Assembly()
    made.load("lamps", Lamps)
    made.unload("lamps")
    assert made.sections["watcher"].find("glow") is None
    assert made.sections["circus"].find("dark") is None
    assert "shine" not in made.commands


def test_two_plugins_cannot_declare_the_same():
    class Clash:
        def circus_register_options(self, registry):
            registry.option("circus", "own", INTEGER, help="Its own.")
            registry.option("watcher", "glow", NUMBER, help="Another's.")

    made = Assembly()
    made.load("lamps", Lamps)
    with pytest.raises(
        PluginError, match=r"plugin clash: the option glow of \[watcher\] is already declared by plugin lamps"
    ):
        made.load("clash", Clash)
    assert made.sections["circus"].find("own") is None, "nothing of it stays"
    assert "clash" not in made.bus.loaded


def test_a_command_cannot_take_the_name_of_another():
    class Clash:
        def circus_register_commands(self, registry):
            registry.command(Command("list", Role.VIEW, "List."), lambda *_: {})

    with pytest.raises(PluginError, match="the command list exists already"):
        Assembly().load("clash", Clash)


@pytest.mark.covers("hook:circus_decide_hosts", "hook:circus_describe_plugins")
async def test_a_plugin_may_run_other_plugins_elsewhere(supervise, file):
    class Hosts:
        def circus_decide_hosts(self, document, sections, plugins):
            assert document.find("plugin", "far")
            assert "watcher" in sections
            assert plugins.options["far"].use == f"{os.path.dirname(path)}/plain.py:Plain"
            assert plugins.found["far"].hooks == ("circus_startup",)
            return {"plugin:far": watcher("plugin:far", "sleep 1000")}, []

        def circus_describe_plugins(self):
            return [{"name": "far", "host": "process"}]

    path = file("[plugin:far]\nuse = plain.py:Plain\n")
    Path(path).with_name("plain.py").write_text("class Plain:\n    def circus_startup(self): pass\n")
    async with Supervisor(path, plugins={"hosts": Hosts()}) as supervisor:
        assert (await supervisor.client.call("list"))["watchers"] == ["plugin:far"]
        rows = (await supervisor.client.call("plugins"))["plugins"]
        assert [row["name"] for row in rows] == ["hosts", "far"]


def test_what_a_host_finds_wrong_is_among_the_mistakes_of_the_file(file):
    class Hosts:
        def circus_decide_hosts(self, document, sections):
            return {}, [Problem("plugin:far", "use", "is nowhere", place=document.find("plugin", "far").place)]

    with pytest.raises(ConfigError, match=r"(?s)app.ini:1: \[plugin:far\] use: is nowhere.*app.ini:4.*numprocesses"):
        assemble(
            file("[plugin:far]\nuse = x\n[watcher:w]\nnumprocesses = many\ncmd = true\n").replace("\n\n", "\n"),
            plugins={"hosts": Hosts},
        )


CHECKS = """
class Checks:
    def circus_check_config(self, config):
        from circus_core.structure import Problem

        pause = Problem("circus", "warmup_delay", "is too little", "2 is enough", others=("umask",))
        old = Problem("watcher:w", "cmd", "is old", warning=True)
        return [pause, old] if config.supervisor.warmup_delay == 1 else None
"""


def checked(tmp_path, *lines):
    """What is said of a configuration whose plugin finds one second of warmup_delay too little."""
    (tmp_path / "checks.py").write_text(CHECKS)
    text = "[plugin:checks]\nuse = checks.py:Checks\nhost = core\n[watcher:w]\ncmd = true\n[circus]\n"
    (tmp_path / "app.ini").write_text(text + "\n".join(lines) + "\n")
    try:
        assemble(str(tmp_path / "app.ini"), plugins={})
    except ConfigError as error:
        return str(error).replace(f"{tmp_path}/", "").splitlines()
    return []


@pytest.mark.covers("hook:circus_check_config")
def test_a_plugin_tells_what_is_wrong_with_a_configuration(tmp_path, caplog):
    assert checked(tmp_path, "warmup_delay = 2") == []
    assert checked(tmp_path, "warmup_delay = 1") == ["app.ini:7: [circus] warmup_delay: is too little (2 is enough)"]
    assert "app.ini:5: [watcher:w] cmd: is old" in caplog.text
    (said,) = checked(tmp_path, "warmup_delay = 1", "umask = x")
    assert said.startswith("app.ini:8: [circus] umask"), "which may be all that is wrong"


def test_a_check_that_fails_is_passed_over(file, caplog):
    class Broken:
        def circus_check_config(self, config):
            raise ValueError("broken")

    assert assemble(file("[watcher:w]\ncmd = true\n"), plugins={"broken": Broken()}).config.watchers
    assert "circus_check_config failed" in caplog.text


@pytest.mark.covers("hook:circus_follow_config")
async def test_what_a_plugin_cannot_follow_is_not_in_force(supervise, file):
    class Follows:
        def __init__(self):
            self.asked = []

        def circus_register_options(self, registry):
            registry.option("circus", "lamp", TEXT, help="Of the tests.")

        async def circus_follow_config(self, config):
            self.asked.append(config.supervisor.extra["lamp"])
            if self.asked[-1] == "broken":
                raise CircusError("the lamp is broken")

    plugin = Follows()
    path = file("[circus]\nlamp = on\nwarmup_delay = 0\n")
    async with Supervisor(path, plugins={"follows": plugin}) as supervisor:
        file("[circus]\nlamp = broken\nwarmup_delay = 0.5\n[watcher:w]\ncmd = sleep 1000\n")
        with pytest.raises(CircusError, match="the lamp is broken"):
            await supervisor.client.call("reloadconfig", waiting=True)
        options = supervisor.config.supervisor
        assert (options.extra["lamp"], options.warmup_delay) == ("on", 0.5)
        assert (await supervisor.client.call("list"))["watchers"] == ["w"]
        with pytest.raises(CircusError, match="the lamp is broken"):
            await supervisor.client.call("restart", waiting=True)
        file("[circus]\nlamp = off\nwarmup_delay = 0.5\n[watcher:w]\ncmd = sleep 1000\n")
        await supervisor.client.call("reloadconfig", waiting=True)
        assert plugin.asked == ["broken", "broken", "off"]
        assert supervisor.config.supervisor.extra["lamp"] == "off"
