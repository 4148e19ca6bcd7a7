"""Environment files: quotes, comments, and every mistake told with its line."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.envfile import parse, read_env_file
from circus_core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=1", "1"),
        ("export A=1", "1"),
        ("  export\tA = 1  ", "1"),
        ("A=", ""),
        ("A=two words # comment", "two words"),
        ("A= # comment", ""),
        ("A=#kept", "#kept"),
        ("A=x#kept", "x#kept"),
        ("A=$HOME=b", "$HOME=b"),
        ("A='a # \"b\" \\n'", 'a # "b" \\n'),
        ("A=\"a # 'b'\" # comment", "a # 'b'"),
        (r'A="\n \" \\ \$ \` \x"', '\n " \\ $ ` \\x'),
        ("A='two\nlines'", "two\nlines"),
        ('A="two\nli\\\nnes"', "two\nlines"),
        ('A=""', ""),
        ("A=it's", "it's"),
        ("A=1\nA=2", "2"),
        ("\n# comment\n\r\nA=1\r\n", "1"),
    ],
)
def test_value(text: str, value: str) -> None:
    assert parse(text, "env") == ({"A": value}, [])


def test_mistakes_are_told_all_at_once() -> None:
    text = "A=1\njunk\n1B=2\nC=\"open\nD='a' b\nE='two\nlines'\n=x\nF=\0\nexport G\n"
    variables, problems = parse(text, "env")
    assert variables == {"A": "1", "E": "two\nlines"}
    assert [str(problem) for problem in problems] == [
        "env:2: the line is not NAME=VALUE",
        "env:3: '1B' cannot be the name of a variable: it should have letters, digits and _ only",
        'env:4: the value of C begins with " and no " ends it',
        "env:5: the value of D goes on behind its closing quote; quote all of it",
        "env:8: '' cannot be the name of a variable: it should have letters, digits and _ only",
        "env:9: the value of F has a NUL byte, which no program can be given",
        "env:10: the line is not NAME=VALUE",
    ]


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_bytes(b"\xef\xbb\xbfA=\xc3\xa9\n")
    assert read_env_file(str(path)) == {"A": "é"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"A=1\nB=\xff\n", ":2: byte 3 of the line, 0xff, is not UTF-8"),
        (b"A=1\njunk\n", ":2: the line is not NAME=VALUE"),
    ],
)
def test_a_bad_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "env"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_env_file(str(path))
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name != "export")


@given(st.dictionaries(names, st.text(st.characters(blacklist_characters="\0\r'", codec="utf-8"))))
def test_what_a_shell_would_quote_is_read(variables: dict[str, str]) -> None:
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    assert parse(text, "env") == (variables, [])


@given(st.text(st.sampled_from("A1=#'\"\\ \t\n\0"), max_size=40) | st.text())
def test_junk_is_problems_and_never_an_exception(text: str) -> None:
    variables, problems = parse(text, "env")
    assert variables or problems or not text.strip() or "#" in text
