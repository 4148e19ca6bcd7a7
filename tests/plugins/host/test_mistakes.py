"""What is wrong with a hosted plugin is said before anything starts, all of it at once, with the file and the line."""

from __future__ import annotations

import textwrap

import pytest

from circus_core.assembly import DEFAULT_PLUGINS, assemble
from circus_core.errors import CircusError, ConfigError, PluginError

CODE = """
from attrs import frozen
from circus_core.kinds import INTEGER
from circus_core.options import option
from circus_core.plugin import CircusPlugin

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

class Clashing(CircusPlugin):
    def circus_register_options(self, registry):
        registry.option("watcher", "numprocesses", None, help="Taken.")
"""


@pytest.fixture
def read(tmp_path):
    """`read(configuration)` puts everything together that a circusd would run."""
    (tmp_path / "plugin.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    (tmp_path / "leaving.py").write_text("raise SystemExit(0)\n")
    path = tmp_path / "circus.ini"

    def run(configuration: str) -> None:
        path.write_text(textwrap.dedent(configuration))
        assemble(str(path), plugins=DEFAULT_PLUGINS)

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
    assert "[plugin:two] prot: is not an option of this plugin (it has port)" in str(refused.value)
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
        ("broken.py:Plugin", "broken.py failed: ModuleNotFoundError: No module named 'no_such_module'"),
        ("leaving.py:Plugin", "leaving.py failed: SystemExit"),
        ("plugin.py:Absent", "has no Absent"),
        ("absent.py:Plugin", "there is no file"),
        ("absent", "no plugin absent is installed"),
        ("plugin.py:Unmakeable", "plugin.py:Unmakeable cannot be made: TypeError"),
        ("plugin.py:Misspelt", "there is no hook circus_proces_exited (did you mean circus_process_exited?)"),
        ("plugin.py:Intervening", "plugin p: circus_veto_start is an intervention"),
        ("plugin.py:Intervening", "set `host = core` in [plugin:p]"),
        ("plugin.py:Commanding", "plugin p: circus_register_commands is answered inside circusd"),
        ("plugin.py:Inside", "plugin p: circus_startup takes `supervisor`"),
        ("plugin.py:Clashing", "numprocesses of plugin p is already declared by the core"),
    ],
)
def test_plugins_that_cannot_be_hosted(read, use, message):
    with pytest.raises(PluginError) as refused:
        read(f"[plugin:p]\nuse = {use}\n")
    assert message in str(refused.value)


async def test_nothing_is_touched_when_a_new_configuration_has_a_plugin_that_cannot_be(hosting):
    configuration = "[plugin:eye]\nuse = plugin.py:Witness\n[watcher:app]\ncmd = sleep 1000\ncopy_env = True\n"
    async with hosting(configuration) as run:
        before = run.pids("plugin:eye") + run.pids("app")
        for line in ("use = no.such.Plugin", "use = plugin.py:Witness\npriority = high", "host = core\nuse = a.b"):
            run.configure(f"[plugin:new]\n{line}\n")
            with pytest.raises(CircusError):
                await run.call("reloadconfig", waiting=True)
        assert run.pids("plugin:eye") + run.pids("app") == before
