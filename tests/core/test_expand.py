"""Variables: the forms of PROTOCOL.md 4.2, and that nothing put in is looked at again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.expand import environment_variables, expand, expand_environment_value, expand_wid

VARIABLES = {"wid": 3, "env.home": "/home/me", "sockets.web": 7, "env.a-b.c": "odd", "uid": None, "shell": True}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$(circus.wid)", "3"),
        ("((circus.wid))", "3"),
        ("--fd $(circus.sockets.web) -d $(circus.env.HOME)/x", "--fd 7 -d /home/me/x"),
        ("$(CIRCUS.Env.Home)", "/home/me"),
        ("$(circus.env.a-b.c)", "odd"),
        ("<$(circus.uid)>", "<>"),
        ("$(circus.shell)", "True"),
        ("$(circus.unknown) ((circus.env.nope))", "$(circus.unknown) ((circus.env.nope))"),
        ("$(date) ((1+1)) $(circus.) $((circus.wid))", "$(date) ((1+1)) $(circus.) $3"),
        ("$(circus.wid $(circus.wid))", "$(circus.wid 3)"),
        ("$HOME", "$HOME"),
    ],
)
def test_expand(text: str, expanded: str) -> None:
    assert expand(text, VARIABLES) == expanded


@given(st.text(), st.text())
def test_a_value_is_put_in_as_it_is(before: str, value: str) -> None:
    text = before.replace("$", "").replace("(", "") + "$(circus.x)"
    assert expand(text, {"x": value}) == text.removesuffix("$(circus.x)") + value
    assert expand_environment_value(text, {"x": value}, {}) == text.removesuffix("$(circus.x)") + value


@given(st.text(st.sampled_from("$()circus.wdenv A"), max_size=40))
def test_junk_stays_as_it_is(text: str) -> None:
    assert expand(text, {}) == text


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$HOME/x", "/h/x"),
        ("$NOPE/x", "/x"),
        ("$HOMEX", ""),
        ("$home $1 $$ 5$", "$home $1 $$ 5$"),
        ("a:$PATH:$(circus.env.home)", "a:$HOME:/home/me"),
        ("$(circus.wid)", "3"),
    ],
)
def test_environment_value(text: str, expanded: str) -> None:
    assert expand_environment_value(text, VARIABLES, {"HOME": "/h", "PATH": "$HOME"}) == expanded


@pytest.mark.parametrize(
    ("text", "expanded"), [("--n=$WID", "--n=3"), ("$WIDTH $wid", "$WIDTH $wid"), ("$WID$WID", "33")]
)
def test_wid(text: str, expanded: str) -> None:
    assert expand_wid(text, "3") == expanded


def test_environment_variables_are_lower_cased_and_the_last_wins() -> None:
    assert environment_variables({"Path": "1", "PATH": "2", "A": "3"}) == {"env.path": "2", "env.a": "3"}
