"""What an installed distribution of somebody else adds: options, commands, events, hooks and sections."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from circus_core.errors import ConfigError
from circus_core.events import EVENTS

if TYPE_CHECKING:
    from pathlib import Path

LAMPS = """
from attrs import field, frozen
from circus_core.events import Event, event
from circus_core.kinds import INTEGER, TEXT
from circus_core.options import Section, option
from circus_core.plugin import CircusPlugin, hookspec
from circus_core.requests import Argument, Command, Role

@event
class LampLit(Event):
    "A lamp was lit."
    lamp: str
    watts: int

@frozen
class Lamp:
    name: str
    watts: int = option(INTEGER, 40, minimum=1, help="How bright.")

class Plugin(CircusPlugin):
    host = "core"

    class Hooks:
        @hookspec
        def circus_choose_lamp(self, lamps):
            "When one is to be lit and nobody said which; the first answer counts."

    def circus_add_hookspecs(self):
        return self.Hooks

    def circus_register_options(self, registry):
        registry.option("watcher", "lamp", TEXT, help="Which lamp is for it.")
        registry.section(Section("lamp", Lamp, "A lamp."))

    def circus_register_commands(self, registry):
        name = Argument("name", "text", "Which.", positional=True)
        registry.command(Command("light", Role.OPERATE, "Light a lamp.", name), self.light)

    def circus_startup(self, supervisor):
        self.supervisor = supervisor

    def light(self, supervisor, request):
        lamps = supervisor.config.sections.get("lamp", {})
        answer = supervisor.bus.first("circus_choose_lamp", lamps=list(lamps))
        name = request["name"] or (answer[1] if answer else "none")
        self.publish(LampLit(lamp=name, watts=lamps[name].watts))
        return {"lit": name}
"""

CHOOSER = """
class Chooser:
    def circus_choose_lamp(self, lamps):
        return lamps[-1]

    def circus_lamp_lit(self, event):
        pass
"""

FILE = """\
[plugin:lamps]
use = lamps
[plugin:chooser]
use = plugin.py:Chooser
host = core
[lamp:desk]
watts = 60
[lamp:hall]
watts = 40
[watcher:app]
cmd = sleep 1000
copy_env = True
lamp = desk
"""


@pytest.fixture(autouse=True)
def _own_events():
    yield
    EVENTS.pop("lamp_lit", None)


async def test_it_adds_options_commands_events_hooks_and_sections(hosting, installed):
    installed("lamps", LAMPS)
    async with hosting(FILE, CHOOSER) as run:
        assert (await run.call("get", name="app", keys=["lamp"]))["options"] == {"lamp": "desk"}
        assert await run.call("light", name="desk") == {"lit": "desk"}
        assert await run.call("light") == {"lit": "hall"}
        assert [(event.lamp, event.watts) for event in run.events.named("lamp_lit")] == [("desk", 60), ("hall", 40)]
        shown = (await run.call("plugins_show", name="lamps"))["plugin"]
        assert (shown["adds_commands"], shown["adds_options"]) == (["light"], ["[watcher] lamp"])
        assert shown["adds_sections"] == ["[lamp]"]
        assert "lamp" in (await run.call("schema"))["sections"]


async def test_its_sections_are_part_of_reloadconfig(hosting, installed):
    installed("lamps", LAMPS)
    async with hosting(FILE, CHOOSER) as run:
        pids = run.pids("app")
        run.configure(FILE.replace("watts = 60", "watts = 0"))
        with pytest.raises(ConfigError, match=r"circus.ini:7: \[lamp:desk\] watts: 'watts' is 0"):
            await run.call("reloadconfig", waiting=True)
        run.configure(FILE.replace("watts = 60", "watts = 75").replace("[lamp:hall]", "[lamp:roof]"))
        plan = (await run.call("reloadconfig", waiting=True))["plan"]
        assert [(step["action"], step["target"], step["why"]) for step in plan] == [
            ("update", "lamp:desk", "its section changed"),
            ("update", "lamp:hall", "its section is gone"),
            ("update", "lamp:roof", "its section is new"),
        ]
        await run.call("light", name="desk")
        assert run.events.named("lamp_lit")[-1].watts == 75
        assert run.pids("app") == pids
        run.configure(FILE.replace("[plugin:lamps]\nuse = lamps\n", "").replace("[plugin:chooser]", "[off:chooser]"))
        await run.call("reloadconfig", waiting=True)
        assert "lamp" not in run.supervisor.assembly.sections
        assert "light" not in run.supervisor.assembly.commands


async def test_one_that_comes_with_reloadconfig_brings_its_sections(hosting, installed):
    installed("lamps", LAMPS)
    plain = "[watcher:app]\ncmd = sleep 1000\ncopy_env = True\n"
    async with hosting(plain, CHOOSER) as run:
        run.configure(FILE)
        await run.call("reloadconfig", waiting=True)
        assert await run.call("light", name="desk") == {"lit": "desk"}
        assert run.supervisor.config.sections["lamp"]["hall"].watts == 40


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "circus_add_hookspecs is for hooks that are called inside circusd"),
        ("unspecified", "circus_register_commands is answered inside circusd"),
    ],
)
async def test_what_only_works_inside_is_refused_outside(hosting, installed, line, why):
    installed("lamps", LAMPS.replace("circus_add_hookspecs", "unspecified") if line else LAMPS)
    with pytest.raises(ConfigError) as refused:
        async with hosting("[plugin:lamps]\nuse = lamps\nhost = process\n"):
            pass
    assert f"[plugin:lamps] use: {why}" in str(refused.value)
    assert "set `host = core` in [plugin:lamps]" in str(refused.value)


async def test_options_and_sections_of_one_in_a_process_of_its_own(hosting, installed):
    code = LAMPS.replace("circus_add_hookspecs", "unspecified").replace("circus_register_commands", "uncommanded")
    code = code.replace('    host = "core"\n', "").replace("circus_startup", "unstarted")
    installed("lamps", code)
    async with hosting("[plugin:lamps]\nuse = lamps\n" + FILE[FILE.index("[lamp:desk]") :]) as run:
        assert (await run.plugin("lamps"))["host"] == "process"
        assert run.supervisor.config.sections["lamp"]["desk"].watts == 60
        assert (await run.call("get", name="app", keys=["lamp"]))["options"] == {"lamp": "desk"}
        run.configure("[watcher:app]\ncmd = sleep 1000\ncopy_env = True\n")
        await run.call("reloadconfig", waiting=True)
        assert "lamp" not in run.supervisor.assembly.sections


def test_its_commands_are_in_circusctl_with_help(installed, circusd, tmp_path: Path):
    installed("lamps", LAMPS)
    site = {"PYTHONPATH": f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}"}
    daemon = circusd("[plugin:lamps]\nuse = lamps\n[lamp:desk]\nwatts = 5\n", env=site).up()

    def ctl(*words: str) -> str:
        words = (sys.executable, "-m", "circus_plugins.ctl.main", "--endpoint", daemon.endpoint, *words)
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    assert json.loads(ctl("light", "desk", "--json"))["lit"] == "desk"
    assert "Light a lamp." in ctl("light", "--help")
    assert "Light a lamp." in ctl("--help")
