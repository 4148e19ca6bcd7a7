"""The sorts of values: what each takes as text, what it takes when typed, and that nothing else gets through."""

from __future__ import annotations

import json
import re
import resource
import shlex
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core import kinds
from circus_core.kinds import (
    ACCOUNT,
    BOOLEAN,
    COMMAND,
    ENVIRONMENT,
    INTEGER,
    LIMIT,
    NUMBER,
    OCTAL,
    PATTERNS,
    REGEX,
    SIGNAL,
    TEXT,
    choice,
)
from circus_core.options import Kind

KINDS = [kind for kind in vars(kinds).values() if isinstance(kind, Kind)] + [choice("a", "b")]
UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (INTEGER, "-3", -3),
        (NUMBER, "0.5", 0.5),
        (NUMBER, "1e3", 1000),
        (BOOLEAN, "Yes", True),
        (BOOLEAN, "on", True),
        (BOOLEAN, "1", True),
        (BOOLEAN, "FALSE", False),
        (BOOLEAN, "0", False),
        (TEXT, "", ""),
        (COMMAND, "a 'b c'", "a 'b c'"),
        (SIGNAL, "15", 15),
        (SIGNAL, "term", 15),
        (SIGNAL, " SigTerm ", 15),
        (SIGNAL, "SIGRTMIN+1", int(signal.SIGRTMIN) + 1),
        (ACCOUNT, "www-data", "www-data"),
        (ACCOUNT, "33", 33),
        (ENVIRONMENT, "", {}),
        (ENVIRONMENT, "A=1,B=two words, C = 'a,b' ,D=", {"A": "1", "B": "two words", "C": "a,b", "D": ""}),
        (ENVIRONMENT, "A=1\nB=x=y", {"A": "1", "B": "x=y"}),
        (REGEX, "^web-(?P<n>[0-9]+)$", re.compile("^web-(?P<n>[0-9]+)$")),
        (OCTAL, "022", 0o22),
        (OCTAL, "0o777", 0o777),
        (LIMIT, "100", 100),
        (LIMIT, "", UNLIMITED),
        (LIMIT, "Unlimited", UNLIMITED),
        (PATTERNS, "a/*.ini b", "a/*.ini b"),
        (choice("one", "two"), "ONE", "one"),
        (choice("W0", "H"), "w0", "W0"),
    ],
)
def test_text(kind: Kind[object], text: str, value: object) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (INTEGER, "1.5"),
        (INTEGER, ""),
        (INTEGER, "9" * 5000),
        (NUMBER, "inf"),
        (NUMBER, "nan"),
        (NUMBER, "one"),
        (BOOLEAN, "maybe"),
        (BOOLEAN, ""),
        (TEXT, "a\0b"),
        (COMMAND, "a 'b"),
        (SIGNAL, "SIGNOPE"),
        (SIGNAL, "0"),
        (SIGNAL, "SIG_DFL"),
        (SIGNAL, "TERM+x"),
        (SIGNAL, "999"),
        (SIGNAL, "\u00b2"),
        (ACCOUNT, ""),
        (ACCOUNT, "4294967295"),
        (ACCOUNT, "a\0"),
        (ENVIRONMENT, "A"),
        (ENVIRONMENT, "=1"),
        (ENVIRONMENT, "A='1"),
        (OCTAL, "9"),
        (OCTAL, "1000"),
        (OCTAL, "-1"),
        (LIMIT, "-1"),
        (LIMIT, "many"),
        (LIMIT, str(2**63)),
        (choice("one"), "three"),
    ],
)
def test_text_that_is_refused(kind: Kind[object], text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        kind.parse(text)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (NUMBER, 3, 3),
        (COMMAND, ["a", "b c"], "a 'b c'"),
        (COMMAND, None, ""),
        (SIGNAL, 9, 9),
        (SIGNAL, "KILL", 9),
        (ACCOUNT, 0, 0),
        (ENVIRONMENT, {"A": "1"}, {"A": "1"}),
        (OCTAL, 0o22, 0o22),
        (OCTAL, "022", 0o22),
        (LIMIT, "Default", None),
        (LIMIT, "unlimited", UNLIMITED),
        (PATTERNS, ["a", "b"], "a b"),
    ],
)
def test_typed(kind: Kind[object], raw: object, value: object) -> None:
    assert kind.check(raw) == value


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (INTEGER, True),
        (INTEGER, 1.0),
        (INTEGER, "1"),
        (NUMBER, False),
        (NUMBER, 10**400),
        (BOOLEAN, 1),
        (BOOLEAN, "yes"),
        (TEXT, None),
        (COMMAND, ["a", 1]),
        (COMMAND, ["a\0"]),
        (TEXT, "\ud800"),
        (SIGNAL, True),
        (SIGNAL, 1.0),
        (ACCOUNT, -1),
        (ENVIRONMENT, {"A": 1}),
        (ENVIRONMENT, {"A=B": "1"}),
        (ENVIRONMENT, {"": "1"}),
        (ENVIRONMENT, {"A": "\0"}),
        (OCTAL, 0o1000),
        (LIMIT, -1),
        (LIMIT, True),
        (PATTERNS, [1]),
        (PATTERNS, ["\0"]),
    ],
)
def test_typed_that_is_refused(kind: Kind[object], raw: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        kind.check(raw)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(text=st.text() | st.from_regex(r"[A-Za-z0-9+=,'\"\\ ]{0,9}"), raw=json_values)
def test_junk_is_a_value_error_and_nothing_else(kind: Kind[object], text: str, raw: object) -> None:
    for read, given_value in ((kind.parse, text), (kind.check, raw)):
        try:
            value = read(given_value)  # type: ignore[arg-type]
        except ValueError:
            continue
        json.dumps(kind.show(value), allow_nan=False)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(text=st.sampled_from(["1", "22", "yes", "a", "A=1,B='x,y'", "TERM", "unlimited", "", "0.25"]))
def test_what_is_shown_can_be_set_again(kind: Kind[object], text: str) -> None:
    try:
        value = kind.parse(text)
    except ValueError:
        return
    assert kind.check(kind.show(value)) == value


def test_every_kind_tells_what_it_expects() -> None:
    assert all(kind.name and kind.expects and kind.complaint and kind.schema for kind in KINDS)


@given(st.text(st.sampled_from("ab \t\n'\"\\#$;é\xa0\x0b\x1c~!&(")))
def test_shell_words_are_those_of_shlex(text):
    try:
        words = shlex.split(text)
    except ValueError:
        with pytest.raises(ValueError, match="No"):
            kinds.shell_words(text)
    else:
        assert kinds.shell_words(text) == words
