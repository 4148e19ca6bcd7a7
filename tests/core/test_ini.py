"""The ini dialect: what PROTOCOL.md 4.1 says about comments, continuations, duplicates and case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.ini import parse


def values(text: str, title: str = "watcher:web") -> dict[str, object]:
    document = parse(text, "app.ini")
    assert not document.problems
    section = next(section for section in document.sections if section.title == title)
    return {key: setting.value for key, setting in section.settings.items()}


def messages(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "app.ini").problems]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("key = value", "value"),
        ("key: value", "value"),
        ("key=value", "value"),
        ("key = a = b: c", "a = b: c"),
        ("key = value ; comment", "value"),
        ("key = value\t; comment", "value"),
        ("key = ; comment", ""),
        ("key = a;b ; the first semicolon decides", "a;b ; the first semicolon decides"),
        ("key = value # no comment", "value # no comment"),
        ('key = ""', ""),
        ('key = "a"', '"a"'),
        ("key =", ""),
        ("key = 50%(x)s", "50%(x)s"),
    ],
)
def test_value(line: str, value: str) -> None:
    assert values(f"[watcher:web]\n{line}\n") == {"key": value}


@pytest.mark.parametrize("comment", ["# x = 1", "; x = 1", "rem x = 1", "REM", "Rem\tx = 1", "", "   "])
def test_comment_and_blank_lines_end_no_value(comment: str) -> None:
    assert values(f"[watcher:web]\nenv = A=1\n{comment}\n  B=2\n") == {"env": "A=1\nB=2"}


def test_a_key_may_begin_with_rem() -> None:
    assert values("[watcher:web]\nremote = 1\n") == {"remote": "1"}


def test_indented_lines_continue_a_value() -> None:
    assert values('[watcher:web]\nempty = ""\n  a\n') == {"empty": "a"}
    assert values("[watcher:web]\ncmd = a ; cut\n  b ; kept\n\t# kept\nargs =\n  c\n") == {
        "cmd": "a\nb ; kept\n# kept",
        "args": "c",
    }


def test_keys_and_sections_keep_their_case() -> None:
    document = parse("[watcher:Web]\nCmd = 1\ncmd = 2\n[watcher:web]\ncmd = 3\n", "app.ini")
    assert [section.title for section in document.sections] == ["watcher:Web", "watcher:web"]
    assert list(document.sections[0].settings) == ["Cmd", "cmd"]


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("[circus]", "circus"),
        ("[watcher: web ]", "watcher:web"),
        ("[watcher:a:b]", "watcher:a:b"),
        ("[watcher:web] ; comment", "watcher:web"),
        ("[watcher:web] # see [web]", "watcher:web"),
        ("[env:w[12]*,x]", "env:w[12]*,x"),
    ],
)
def test_header(header: str, title: str) -> None:
    assert values(f"{header}\nkey = value\n", title) == {"key": "value"}


def test_the_first_value_of_a_key_wins_and_the_later_one_is_told() -> None:
    document = parse("[circus]\nx = 1\nx = 2\n  3\n[env]\n[circus]\nx = 4\ny = 5\n", "app.ini")
    assert [section.title for section in document.sections] == ["circus", "env"]
    settings = document.sections[0].settings
    assert {key: setting.value for key, setting in settings.items()} == {"x": "1", "y": "5"}
    assert [str(problem) for problem in document.problems] == [
        "app.ini:7: [circus] x: is set already at app.ini:2 (the first value is kept)",
        "app.ini:3: [circus] x: is set already at app.ini:2 (the first value is kept)",
    ]
    assert all(problem.warning for problem in document.problems)


def test_a_repeated_value_that_is_the_same_is_no_problem() -> None:
    assert messages("[circus]\nx = 1\nx = 1\n") == []


def test_places() -> None:
    document = parse("\n[watcher:web]\r\n# comment\r\ncmd = a\r\n  b\r\n\r\nargs = c", "app.ini")
    section = document.sections[0]
    assert str(section.place) == "app.ini:2"
    assert {key: str(setting.place) for key, setting in section.settings.items()} == {
        "cmd": "app.ini:4",
        "args": "app.ini:7",
    }


def test_lines_that_make_no_sense_are_told_all_at_once_and_the_rest_is_read() -> None:
    text = (
        "x = 1\n[circus]\njunk\n  y = 1\n= 1\n[env\nz = 1\n[]\nz = 1\n"
        "[watcher:web] cmd = a\n[watcher:web]\na = b\0\ncmd = c\n"
    )
    document = parse(text, "app.ini")
    assert [str(problem) for problem in document.problems] == [
        "app.ini:1: there is no section before this line (begin with a line such as [circus])",
        "app.ini:3: [circus]: 'junk' is not understood (it should be key = value)",
        "app.ini:4: [circus]: '  y = 1' is not understood (it should be key = value, in the first column)",
        "app.ini:5: [circus]: '= 1' is not understood (it should be key = value)",
        "app.ini:6: '[env' is no section header (it should be [kind] or [kind:name])",
        "app.ini:8: '[]' is no section header (it should be [kind] or [kind:name])",
        "app.ini:10: '[watcher:web] cmd = a' is no section header (it should be [kind] or [kind:name])",
        "app.ini:12: [watcher:web]: the line has a NUL byte (the file is damaged, or not a text file)",
    ]
    assert [section.title for section in document.sections] == ["circus", "watcher:web"]
    assert document.sections[1].settings["cmd"].value == "c"


def test_an_indented_header_is_suspicious() -> None:
    assert messages("[circus]\nx = 1\n [watcher:web]\n") == [
        "app.ini:3: [circus] x: goes on with '[watcher:web]' (a section header begins in the first column)"
    ]


words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
keys = words.filter(lambda word: word.lower() != "rem")
lines = st.text(st.characters(blacklist_characters="\r\n\0;", codec="utf-8"), max_size=20).map(str.strip)
texts = st.lists(lines, min_size=1, max_size=3).map(lambda parts: "\n".join(filter(None, parts)))
documents = st.dictionaries(words, st.dictionaries(keys, texts, max_size=4), max_size=4)


@given(documents)
def test_what_is_written_is_read(sections: dict[str, dict[str, str]]) -> None:
    text = "".join(
        f"[watcher:{name}]\n"
        + "".join(f"{key} = " + "\n  ".join(value.split("\n")) + "\n" for key, value in body.items())
        for name, body in sections.items()
    )
    read = {
        section.name: {key: setting.value for key, setting in section.settings.items()}
        for section in parse(text, "app.ini").sections
    }
    expected = {
        name: {key: value.removeprefix('""\n') if value != '""' else "" for key, value in body.items()}
        for name, body in sections.items()
    }
    assert read == expected


@given(st.text(st.sampled_from('[]:=; \t\r\n\0"#remab\x0b\u2028'), max_size=60) | st.text())
def test_junk_is_problems_and_never_an_exception(text: str) -> None:
    document = parse(text, "app.ini")
    assert all(problem.place for problem in document.problems)
