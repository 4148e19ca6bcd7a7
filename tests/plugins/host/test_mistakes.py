"""What is wrong with a hosted plugin is said before anything starts, all of it at once, with the file and the line."""

from __future__ import annotations

import textwrap

import pytest

from circus_core.assembly import Assembly, assemble
from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.errors import ConfigError

CODE = """
from attrs import frozen
from circus_core.kinds import INTEGER
from circus_core.options import option
from circus_core.plugin import CircusPlugin
from circus_core.requests import Command, Role

class Plain(CircusPlugin):
    pass

class Picky(CircusPlugin):
    @frozen
    class Options:
        port: int = option(INTEGER, help="A number.")

class Intervening(CircusPlugin):
    def circus_veto_start(self, watcher):
        pass

class Commanding(CircusPlugin):
    def circus_register_commands(self, registry):
        pass

class Inside(CircusPlugin):
    def circus_startup(self, supervisor):
        pass

class Misspelt(CircusPlugin):
    def circus_proces_exited(self, event):
        pass

class Unmakeable(CircusPlugin):
    def __init__(self, endpoint):
        pass

class Owner(CircusPlugin):
    def circus_register_options(self, registry):
        registry.option("watcher", "mine", INTEGER, help="Its own.")

class Claiming(CircusPlugin):
    host = "core"
    def circus_register_commands(self, registry):
        registry.command(Command("claimed", Role.VIEW, "Its own."), None)

class Rooted(CircusPlugin):
    host = "core"

class Lost(CircusPlugin):
    host = "moon"

class Clashing(CircusPlugin):
    def circus_register_options(self, registry):
        registry.option("watcher", "numprocesses", None, help="Taken.")
"""


@pytest.fixture
def read(tmp_path):
    """`read(configuration)` puts everything together that a circusd would run."""
    (tmp_path / "plugin.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    (tmp_path / "failing.py").write_text("import os\n\n1 / 0\n")
    (tmp_path / "leaving.py").write_text("raise SystemExit(0)\n")
    path = tmp_path / "circus.ini"

    def run(configuration: str) -> Assembly:
        path.write_text(textwrap.dedent(configuration))
        return assemble(str(path), plugins=DEFAULT_PLUGINS)

    return run


@pytest.mark.covers("error:bad-config")
def test_all_mistakes_are_told_at_once_with_their_places(read):
    with pytest.raises(ConfigError) as refused:
        read(
            """\
            [watcher:a]
            cmd = sleep 1
            numprocesses = many
            [plugin:one]
            use = plugin.py:Picky
            port = high
            priority = first
            [plugin:two]
            use = plugin.py:Picky
            host = core
            prot = 7
            [plugin:three]
            use = plugin.py:Picky
            [plugin:four]
            use = plugin.py:Picky
            port = 1
            host = thread
            """
        )
    found = [problem.split("circus.ini:")[-1] for problem in str(refused.value).splitlines()]
    assert [line.partition(":")[0] for line in found] == ["3", "6", "7", "8", "11", "12", "17"]
    assert "[plugin:one] port: 'high'" in str(refused.value)
    assert "[plugin:one] priority: 'first'" in str(refused.value)
    assert "[plugin:two] prot: is not an option of this plugin (did you mean port?)" in str(refused.value)
    assert "[plugin:three] port: is missing" in str(refused.value)
    assert "[plugin:four] host: is none of process, core, nor an option of this plugin" in str(refused.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("singleton = False", "singleton: is False (a plugin never has more than one process)"),
        ("numprocesses = 2", "numprocesses: is 2 for a singleton"),
        ("[watcher:w]\ncmd = x\nplugins = all", "plugins: 'all' is not for a configuration"),
        ("group = web\n[watcher:plugin:web]\ncmd = x", "its watcher has the name of [watcher:plugin:web]"),
        ("group = g\n[plugin:q]\nuse = plugin.py:Plain\ngroup = g\npriority = 3", None),
        (
            "group = g\npriority = 2\n[plugin:q]\nuse = plugin.py:Plain\ngroup = g\npriority = 3",
            "[plugin:q] priority: is '3' (plugins of one group share a process; it is '2' in [plugin:p])",
        ),
    ],
)
def test_options_of_the_watcher(read, lines, message):
    configuration = f"[plugin:p]\nuse = plugin.py:Plain\n{lines}\n"
    if message is None:
        read(configuration)
    else:
        with pytest.raises(ConfigError) as refused:
            read(configuration)
        assert message in str(refused.value)


@pytest.mark.covers("error:plugin")
@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("no.such.Plugin", "no.such.Plugin cannot be imported: ModuleNotFoundError: No module named 'no'"),
        ("broken.py:Plugin", "broken.py:Plugin failed: ModuleNotFoundError: No module named 'no_such_module'"),
        ("leaving.py:Plugin", "leaving.py:Plugin failed: SystemExit"),
        ("plugin.py:Absent", "plugin.py:Absent: plugin.py has no Absent (it has Plain, Picky, "),
        ("plugin.py:Roted", "plugin.py has no Roted (did you mean Rooted?)"),
        ("plugin.py", "plugin.py is no plugin (name one of its classes, as in plugin.py:Plain)"),
        ("plugin.py:", "plugin.py: has no name after the colon (it has Plain, "),
        ("./plugin", "use: ./plugin is not the path of a class (such as package.module:Class, FILE.py:Class or"),
        ("", "use: is empty (such as package.module:Class, FILE.py:Class or the name of an installed plugin)"),
        ("failing.py:Plugin", "failing.py:Plugin failed: ZeroDivisionError: division by zero (line 3 of "),
        ("os.path.Absent", "path has no Absent"),
        ("json.Absent", "json has no Absent"),
        ("absent.py:Plugin", "absent.py:Plugin: there is no such file"),
        ("absent", "no plugin absent is installed"),
        ("plugin.py:Unmakeable", "plugin.py:Unmakeable cannot be made: TypeError"),
        ("plugin.py:Unmakeable", "it is made without arguments, and finds its options in `self.options`"),
        ("plugin.py:Misspelt", "there is no hook circus_proces_exited (did you mean circus_process_exited?)"),
        ("plugin.py:Intervening", "use: circus_veto_start is an intervention"),
        ("plugin.py:Intervening", "set `host = core` in [plugin:p]"),
        ("plugin.py:Commanding", "use: circus_register_commands is answered inside circusd"),
        ("plugin.py:Inside", "use: circus_startup takes `supervisor`"),
        ("plugin.py:Clashing", "use: the option numprocesses of [watcher] is already declared by the core"),
    ],
)
def test_plugins_that_cannot_be_hosted(read, use, message):
    with pytest.raises(ConfigError) as refused:
        read(f"[plugin:p]\npriority = 3\nuse = {use}\n[watcher:w]\nnumprocesses = many\n")
    assert message in str(refused.value)
    assert "circus.ini:3: [plugin:p] use: " in str(refused.value)
    assert "circus.ini:5: [watcher:w] numprocesses" in str(refused.value), "it hides no other mistake"


@pytest.mark.parametrize(("first", "second"), [("core", "core"), ("core", "process"), ("process", "process")])
def test_two_plugins_that_claim_one_option(read, first, second):
    with pytest.raises(ConfigError) as refused:
        read(f"""\
            [plugin:one]
            use = plugin.py:Owner
            host = {first}
            [plugin:two]
            use = plugin.py:Owner
            host = {second}
            """)
    assert "circus.ini:5: [plugin:two] use: the option mine of [watcher] is already declared by plugin one" in str(
        refused.value
    )


def test_two_plugins_that_claim_one_command_or_section(read):
    with pytest.raises(ConfigError) as refused:
        read("""\
            [plugin:one]
            use = plugin.py:Claiming
            [plugin:two]
            use = plugin.py:Claiming
            """)
    assert "circus.ini:4: [plugin:two] use: the command claimed exists already, as one of plugin one" in str(
        refused.value
    )


@pytest.mark.parametrize(
    ("cls", "host", "place"),
    [("Plain", "", "process"), ("Claiming", "", "core"), ("Rooted", "process", "process"), ("Rooted", "", "core")],
)
def test_a_class_says_where_it_lives_unless_its_section_does(read, cls, host, place):
    assembly = read(f"[plugin:p]\nuse = plugin.py:{cls}\n" + (f"host = {host}\n" if host else ""))
    assert assembly.config.plugins["p"].host == place
    assert ("p" in assembly.bus.loaded) == (place == "core")
    assert ("plugin:p" in assembly.config.watchers) == (place == "process")


def test_a_class_that_says_nonsense(read):
    with pytest.raises(ConfigError, match=r"its class has host = 'moon' \(possible are process, core\)"):
        read("[plugin:p]\nuse = plugin.py:Lost\n")


async def test_nothing_is_touched_when_a_new_configuration_has_a_plugin_that_cannot_be(hosting):
    configuration = "[plugin:eye]\nuse = plugin.py:Witness\n[watcher:app]\ncmd = sleep 1000\ncopy_env = True\n"
    async with hosting(configuration) as run:
        before = run.pids("plugin:eye") + run.pids("app")
        for line in ("use = no.such.Plugin", "use = plugin.py:Witness\npriority = high", "host = core\nuse = a.b"):
            run.configure(f"[plugin:new]\n{line}\n")
            with pytest.raises(ConfigError):
                await run.call("reloadconfig", waiting=True)
        assert run.pids("plugin:eye") + run.pids("app") == before
