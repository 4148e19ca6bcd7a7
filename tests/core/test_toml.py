"""The same sections in TOML: which table is which section, and on which line each key stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.toml import parse


def read(text: str) -> dict[str, dict[str, object]]:
    document = parse(text, "app.toml")
    assert not document.problems
    return {
        section.title: {key: setting.value for key, setting in section.settings.items()}
        for section in document.sections
    }


def messages(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "app.toml").problems]


def test_sections() -> None:
    text = """
        [circus]
        check_delay = 5
        [watcher.web]
        cmd = ["prog", "an argument"]
        copy_env = true
        [watcher."two.parts"]
        cmd = "prog"
        [env]
        A = "1"
        [env."a,b*"]
        B = "2"
        [env.web]
        C = "3"
        [plugin.flap]
        use = "flapping"
        [socket.web]
        port = 80
    """
    assert read(text) == {
        "circus": {"check_delay": 5},
        "watcher:web": {"cmd": ["prog", "an argument"], "copy_env": True},
        "watcher:two.parts": {"cmd": "prog"},
        "env": {"A": "1"},
        "env:a,b*": {"B": "2"},
        "env:web": {"C": "3"},
        "plugin:flap": {"use": "flapping"},
        "socket:web": {"port": 80},
    }


def test_tables_inside_a_section_are_dotted_keys_but_env_is_a_value() -> None:
    text = """
        [watcher.web]
        "flapping.attempts" = 3
        flapping.window = 1
        hooks = { before_start = "m.f" }
        env = { A = "1" }
        [watcher.web.stdout_stream]
        class = "FileStream"
        [watcher.web.deep.er]
        still = 1
        [watcher.api.env]
        B = "2"
    """
    assert read(text) == {
        "watcher:web": {
            "flapping.attempts": 3,
            "flapping.window": 1,
            "hooks.before_start": "m.f",
            "env": {"A": "1"},
            "stdout_stream.class": "FileStream",
            "deep.er.still": 1,
        },
        "watcher:api": {"env": {"B": "2"}},
    }


def test_values_are_typed() -> None:
    settings = parse("[watcher.web]\nnumprocesses = 2\n", "app.toml").sections[0].settings
    assert not settings["numprocesses"].text


def test_lines() -> None:
    text = "\n".join(
        [
            "# comment",
            "circus.check_delay = 5",
            '[ watcher . "web" ]  # comment ]',
            'cmd = """',
            'not = "a key"',
            "[nor.a.section]",
            '""\\""""""',
            "args = [  # ]",
            '  "a]", # "',
            "  'b\"',",
            "]",
            "\"quoted key\" . 'x' = '''",
            "''a = 1''''",
            "[watcher.api]",
            "inline = { x = 1, y = { z = 2 } }",
            "last = 1",
        ]
    )
    found = {
        f"{section.title} {key}".strip(): place.line
        for section in parse(text, "app.toml").sections
        for key, place in [("", section.place), *((key, value.place) for key, value in section.settings.items())]
        if place
    }
    assert found == {
        "circus": 2,
        "circus check_delay": 2,
        "watcher:web": 3,
        "watcher:web cmd": 4,
        "watcher:web args": 8,
        "watcher:web quoted key.x": 12,
        "watcher:api": 14,
        "watcher:api inline.x": 15,
        "watcher:api inline.y.z": 15,
        "watcher:api last": 16,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[circus]\ncheck_delay =\n", "app.toml:2: is not TOML: invalid value at column 14"),
        ("[circus]\nx = 1\nx = 2\n", "app.toml:3: is not TOML: cannot overwrite a value"),
        ("[circus]\nx = [1,", "app.toml:2: is not TOML: "),
        ("x = 1", "app.toml:1: [x]: is not a section (sections are tables, such as [circus] or [watcher.web])"),
        ("[[watcher]]\ncmd = 1", "app.toml:1: [watcher]: is not a section (sections are tables, such as [circus]"),
        ("[circus]\n\nx = 2001-01-01", "app.toml:3: [circus] x: is a date or a time (no option is one; put it in"),
        ("[circus]\nx.y = nan", "app.toml:2: [circus] x.y: is nan (it should be a finite number)"),
        ('[circus]\nx = ["a\\u0000"]', "app.toml:2: [circus] x: has a NUL character (no program can be given one)"),
        ("[watcher.web]\nx = [{}]", "app.toml:2: [watcher:web] x: is a list of tables (a section is one table, such"),
        ("[circus]\nx = " + "1" * 5000, "app.toml: is not TOML: exceeds the limit (4300 digits)"),
        ("x = " + "[" * 100_000, "app.toml: is nested too deeply"),
    ],
)
def test_problems(text: str, message: str) -> None:
    (found,) = messages(text)
    assert found.startswith(message)


scalars = st.integers(-(2**40), 2**40).map(str) | st.sampled_from(
    [
        "true",
        '"a # b = [c]"',
        "'it\"s'",
        '"""\nx = 1\n[y]\n"""',
        "'''\n]\n'''",
        "[\n1, # ]\n2\n]",
        "{a = 1, 'b c' = {}}",
        "0.5",
    ]
)
names = st.sampled_from(["a", "b-c", '"d.e"', "'f g'", '"\\u00e9\\""', "1"])
bodies = st.dictionaries(names, scalars, max_size=4)


@given(st.dictionaries(names, bodies, max_size=4), st.lists(st.sampled_from(["", "# x = 1", "  "]), max_size=3))
def test_every_key_is_found_on_its_line(watchers: dict[str, dict[str, str]], between: list[str]) -> None:
    text, expected = "", []
    for name, body in watchers.items():
        text += "\n".join([*between, f"[watcher.{name}]", ""])
        for key, value in body.items():
            expected.append(text.count("\n") + 1)
            text += f"{key} = {value} # comment\n" + "\n".join([*between, ""])
    settings = [setting for section in parse(text, "app.toml").sections for setting in section.settings.values()]
    lines = [setting.place.line for setting in settings if setting.place]
    assert sorted(set(lines)) == [line for line in expected if line in lines]
    assert len(lines) >= sum(value != "{a = 1, 'b c' = {}}" for body in watchers.values() for value in body.values())


@given(st.text(st.sampled_from("[]{}.=,\"'\\#ab1 \n\r\0"), max_size=40) | st.text())
def test_junk_is_problems_and_never_an_exception(text: str) -> None:
    document = parse(text, "app.toml")
    assert all(problem.place for problem in document.problems)
