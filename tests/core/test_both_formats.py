"""The same configuration in ini and in TOML is the same configuration: sections, families, defaults, types, order."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from circus_core.assembly import assemble
from circus_core.bundled import DEFAULT_PLUGINS
from circus_core.kinds import RLIMITS
from circus_core.options import declared
from tests.core.configurations import ENVIRON, made, warnings

if TYPE_CHECKING:
    from circus_core.model import Config
    from tests.core.configurations import Write

from circus_core.config import build, read
from circus_core.finding import plugin_options
from circus_core.model import SupervisorOptions, WatcherOptions, sections
from circus_plugins.flapping import Flapping
from circus_plugins.watchdog import WatchDog

BOTH = {
    "sections and wildcards": (
        "[circus]\ncheck_delay = 2\n[env]\nA = 1\nB = x y\n[env:w*,other]\nA = 2\n[env:web]\nC = $(circus.env.A)\n"
        "[watcher:web]\ncmd = w\n[watcher:Other.One]\ncmd = o\n[plugin:p]\nuse = p\n",
        '[circus]\ncheck_delay = 2\n[env]\nA = "1"\nB = "x y"\n[env."w*,other"]\nA = "2"\n[env.web]\n'
        'C = "$(circus.env.A)"\n[watcher.web]\ncmd = "w"\n[watcher."Other.One"]\ncmd = "o"\n[plugin.p]\nuse = "p"\n',
    ),
    "the order of wildcards": (
        "[env:web]\nA = 1\n[env:w*]\nA = 2\n[watcher:web]\ncmd = w\nenv = B=$(circus.env.A)\n",
        '[env.web]\nA = "1"\n[env."w*"]\nA = "2"\n[watcher.web]\ncmd = "w"\nenv.B = "$(circus.env.A)"\n',
    ),
    "[DEFAULT] and environments": (
        "[DEFAULT]\nnumprocesses = 2\ngraceful_timeout = 0.5\ncopy_env = true\nrlimit_core = 0\nstop_signal = INT\n"
        "[env]\nA = 1\n[env:w*]\nnumprocesses = 9\n"
        "[watcher:web]\ncmd = w\nnumprocesses = 3\n[watcher:api]\ncmd = a\n",
        "[DEFAULT]\nnumprocesses = 2\ngraceful_timeout = 0.5\ncopy_env = true\nrlimit.core = 0\nstop_signal = 'INT'\n"
        "[env]\nA = '1'\n[env.'w*']\nnumprocesses = '9'\n"
        "[watcher.web]\ncmd = 'w'\nnumprocesses = 3\n[watcher.api]\ncmd = 'a'\n",
    ),
    "families": (
        "[watcher:web]\ncmd = w\nhooks.before_start = m.f, true\nhooks.after_stop = m.g\nrlimit_nofile = 5\n"
        "rlimit_core =\nstdout_stream.class = FileStream\n",
        "[watcher.web]\ncmd = 'w'\nrlimit = { nofile = 5, core = '' }\nstdout_stream.class = 'FileStream'\n"
        "[watcher.web.hooks]\nbefore_start = 'm.f, true'\nafter_stop = 'm.g'\n",
    ),
    "a family that is set in [DEFAULT] and in the section": (
        "[DEFAULT]\nrlimit_core = 1\nrlimit_nofile = 1\n[watcher:web]\ncmd = w\nrlimit_core = 2\n",
        "[DEFAULT.rlimit]\ncore = 1\nnofile = 1\n[watcher.web]\ncmd = 'w'\nrlimit_core = 2\n",
    ),
    "words": (
        "[watcher:web]\ncmd = 'a b' c\nargs = --x \"$(circus.env.home)\"\n",
        "[watcher.web]\ncmd = ['a b', 'c']\nargs = ['--x', '$(circus.env.home)']\n",
    ),
    "values that are variables": (
        "[env]\nN = 3\n[watcher:web]\ncmd = w\nnumprocesses = $(circus.env.N)\nstop_signal = $(circus.env.sig)\n",
        "[env]\nN = '3'\n[watcher.web]\ncmd = 'w'\nnumprocesses = '$(circus.env.N)'\n"
        "stop_signal = '$(circus.env.sig)'\n",
    ),
}


def shown(config: Config) -> dict[str, Any]:
    """What a configuration says, but for its files and for how words of a command are quoted."""
    watchers = {
        name: {entry.attribute: getattr(options, entry.attribute) for entry in declared(WatcherOptions).values()}
        | {"words": options.words, "cmd": "", "args": "", "extra": options.extra}
        for name, options in config.watchers.items()
    }
    return {"watchers": watchers, "circus": config.supervisor, "plugins": config.plugins}


@pytest.mark.parametrize("name", BOTH)
def test_one_configuration_in_both_formats(write: Write, name: str) -> None:
    ini, toml = BOTH[name]
    config = made(write(ini))
    assert config.watchers
    assert shown(made(write(toml, "app.toml"))) == shown(config)


@pytest.mark.parametrize("form", ["ini", "toml"])
def test_plugin_sections(write: Write, form: str) -> None:
    """What is for all is for those who know it; the options of watchers are for the plugin's process."""
    write(
        "[DEFAULT]\ngraceful_timeout = 4\nmax_count = 2\nrlimit_core = 0\n"
        "[plugin:dog]\nuse = watchdog\nloop_rate = 7\nrlimit_nofile = 100\nenv = A=1,B=2\n"
        "[plugin:flap]\nuse = flapping\nwindow = 0.5\n",
        "app.ini",
    )
    write(
        "[DEFAULT]\ngraceful_timeout = 4\nmax_count = 2\nrlimit.core = 0\n"
        "[plugin.dog]\nuse = 'watchdog'\nloop_rate = 7\n[plugin.dog.rlimit]\nnofile = 100\n"
        "[plugin.dog.env]\nA = '1'\nB = '2'\n"
        "[plugin.flap]\nuse = 'flapping'\nwindow = 0.5\n",
        "app.toml",
    )
    config = assemble(f"app.{form}", plugins=DEFAULT_PLUGINS).config
    dog = config.watchers["plugin:dog"]
    assert (dog.graceful_timeout, dog.rlimits, dog.env) == (4, {"nofile": 100, "core": 0}, {"A": "1", "B": "2"})
    options, problems = plugin_options("dog", WatchDog(), dog.extra["plugins"][0].settings)  # type: ignore[index]
    assert not problems
    assert (options.loop_rate, options.max_count) == (7, 2)
    flapping, problems = plugin_options("flap", Flapping(), config.raw_plugins["flap"])
    assert not problems
    assert flapping.window == 0.5


@pytest.mark.parametrize("first", ["ini", "toml"])
def test_the_first_value_wins_however_a_family_is_written(write: Write, first: str) -> None:
    ini = write("[watcher:w]\ncmd = w\nrlimit_core = 1\n[circus]\ninclude = b.toml\n", "a.ini")
    write("[watcher.w]\nrlimit.core = 2\n", "b.toml")
    toml = write("[watcher.w]\ncmd = 'w'\nrlimit.core = 1\n[circus]\ninclude = 'b.ini'\n", "a.toml")
    write("[watcher:w]\nrlimit_core = 2\n", "b.ini")
    path = ini if first == "ini" else toml
    assert made(path).watchers["w"].rlimits == {"core": 1}
    (said,) = warnings(path)
    assert f"is set already at {path}:3 (the first value is kept)" in said
    assert said.startswith(f"b.{'toml' if first == 'ini' else 'ini'}:2: [watcher:w] rlimit")


# Whatever options are set


def typed(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, str]]:
    return values.map(lambda value: (str(value), json.dumps(value)))


def quoted(value: str) -> str:
    return "'" + value.replace("'", "'\"'\"'") + "'"


words = st.lists(st.text(st.sampled_from("abc \"'$*\\é%"), min_size=1, max_size=4), min_size=1, max_size=3)
texts = st.text(st.sampled_from("abc=:#'\"é%$[]"), min_size=1, max_size=6).filter(lambda text: text not in ('""',))
names = st.sampled_from(["A", "B", "PATH"])
environments = st.dictionaries(names, st.text(st.sampled_from("ab c,'\"="), max_size=5).map(str.strip), min_size=1)
KINDS: dict[str, st.SearchStrategy[tuple[str, str]]] = {
    "integer": typed(st.integers(0, 1)),
    "number": typed(st.integers(0, 9) | st.sampled_from([0.5, 1e3])),
    "boolean": st.sampled_from([("yes", "true"), ("TRUE", "true"), ("off", "false"), ("0", "false")]),
    "text": texts.map(lambda text: (text, json.dumps(text))),
    "path": texts.map(lambda text: (text, json.dumps(text))),
    "command line": words.map(lambda found: (shlex.join(found), json.dumps(found))),
    "signal": st.sampled_from([("INT", '"int"'), ("15", "15"), ("RTMIN+1", '"SIGRTMIN+1"')]),
    "user or group": st.sampled_from([("www-data", '"www-data"'), ("33", "33"), ("33", '"33"')]),
    "octal mode": st.sampled_from([("022", "0o022"), ("22", '"022"'), ("7", "7")]),
    "resource limit": st.sampled_from([("", '"unlimited"'), ("1024", "1024"), ("default", '"default"')]),
    "log level": st.sampled_from([("INFO", '"info"'), ("debug", '"debug"')]),
    "patterns": st.sampled_from([("none.d", '"none.d"'), ("none.d no.*", '["none.d", "no.*"]')]),
    "environment": environments.map(
        lambda found: (
            ",".join(f"{key}={quoted(value)}" for key, value in found.items()),
            "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in found.items()) + " }",
        )
    ),
}


def settings_of(cls: type, **fixed: tuple[str, str]) -> st.SearchStrategy[dict[str, tuple[str, str]]]:
    strategies = {}
    for key, entry in declared(cls).items():
        members = [f"{key}{name}" for name in RLIMITS] if entry.prefix else [key]
        strategies |= dict.fromkeys(members, KINDS[entry.kind.name])
    chosen = st.lists(st.sampled_from(sorted(strategies)), unique=True, max_size=6)
    always = {key: st.just(value) for key, value in fixed.items()}
    return chosen.flatmap(lambda keys: st.fixed_dictionaries({key: strategies[key] for key in keys} | always))


watchers = st.dictionaries(
    st.sampled_from(["web", "Api", "two words"]), settings_of(WatcherOptions, cmd=("w", '"w"')), min_size=1
)
patterns = st.dictionaries(st.sampled_from(["", "web", "w*,Api", "*"]), environments, max_size=3)


@given(settings_of(SupervisorOptions), settings_of(WatcherOptions), patterns, watchers)
def test_any_options_in_both_formats(
    circus: dict[str, tuple[str, str]],
    default: dict[str, tuple[str, str]],
    env: dict[str, dict[str, str]],
    watchers: dict[str, dict[str, tuple[str, str]]],
) -> None:
    ini, toml = [], []
    for kind, name, settings in [
        ("circus", "", circus),
        ("DEFAULT", "", default),
        *(("watcher", name, settings) for name, settings in watchers.items()),
    ]:
        ini += [f"[{kind}:{name}]" if name else f"[{kind}]"]
        ini += [f"{key} = {text}" for key, (text, _) in settings.items()]
        toml += [f"[{kind}.{json.dumps(name)}]" if name else f"[{kind}]"]
        toml += [f"{key.replace('rlimit_', 'rlimit.')} = {value}" for key, (_, value) in settings.items()]
    for name, values in env.items():
        ini += [f"[env:{name}]" if name else "[env]", *(f"{key} = {value}" for key, value in values.items())]
        toml += [f"[env.{json.dumps(name)}]" if name else "[env]"]
        toml += [f"{key} = {json.dumps('' if value == chr(34) * 2 else value)}" for key, value in values.items()]
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for form, lines in (("ini", ini), ("toml", toml)):
            path = Path(folder) / f"app.{form}"
            path.write_text("\n".join([*lines, ""]))
            config, problems = build(read(str(path), environ=ENVIRON), sections(), environ=ENVIRON)
            told = sorted((problem.section, problem.key, problem.warning) for problem in problems)
            # What [DEFAULT] says is also a variable, with the text that it has in the file.
            alike = {name: evolve(each, env={k: v for k, v in each.env.items() if k not in default})
                     for name, each in config.watchers.items()}  # fmt: skip
            found.append((shown(evolve(config, watchers=alike)), told))
    assert found[0] == found[1]
