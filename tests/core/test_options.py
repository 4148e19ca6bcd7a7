"""One declaration per option: structure, diff, describe and json_schema all follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from circus_core.errors import OptionError
from circus_core.kinds import BOOLEAN, INTEGER, NUMBER, TEXT
from circus_core.model import sections
from circus_core.options import Effect, Option, Section, declared, describe, json_schema, option
from circus_core.structure import Place, Problem, Setting, structure
from circus_core.values import Change, diff, keys, write
from circus_core.values import read as value_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Lamp:
    name: str
    bulb: str = option(TEXT, effect=Effect.RELOAD, help="Which bulb.")
    watts: int = option(INTEGER, 40, minimum=1, help="How bright.", unit="W")
    glow_time: float = option(NUMBER, 0.0, help="How long it glows.", settable=False)
    limits: Mapping[str, int] = option(
        INTEGER, prefix="limit_", names=frozenset({"heat", "hours"}), effect=Effect.RESTART, help="Limits."
    )
    extra: Mapping[str, object] = field(factory=dict)

    def contradictions(self) -> list[tuple[str, str, str]]:
        wrong = self.bulb == "led" and self.watts > 20
        return [("watts", "is too much for an led", "set it to 20 or less")] if wrong else []

    def doubts(self) -> list[tuple[str, str, str]]:
        return [("glow_time", "does nothing", "")] if self.bulb == "led" and self.glow_time else []


@pytest.fixture
def lamp() -> Section:
    return Section("lamp", Lamp, "A lamp.", {"dim": Option("dim", BOOLEAN, False, "Dimmable.", plugin="dimmer")})


def texts(**values: str) -> dict[str, Setting]:
    return {key: Setting(value, Place("f", line)) for line, (key, value) in enumerate(values.items(), 1)}


def read(section: Section, values: Mapping[str, Setting], **options: Any) -> tuple[Lamp | None, list[str]]:
    made, problems = structure(section, values, name="desk", **options)
    return made, [str(problem) for problem in problems]


def test_structure(lamp: Section) -> None:
    values = texts(bulb="led", watts="7", limit_heat="90", dim="yes")
    assert read(lamp, values) == (Lamp("desk", "led", 7, 0.0, {"heat": 90}, {"dim": True}), [])


def test_typed_values_are_checked_and_not_parsed(lamp: Section) -> None:
    typed = {"bulb": Setting("led", text=False), "watts": Setting(7, text=False)}
    assert read(lamp, typed)[0] == Lamp("desk", "led", 7)
    _, problems = read(lamp, {**typed, "watts": Setting("7", text=False)})
    assert problems == ["[lamp] watts: 'watts' isn't an integer (expected a whole number)"]


def test_every_mistake_is_told_at_once(lamp: Section) -> None:
    values = texts(wats="7", watts="0", limit_hate="1", limit_hours="x", something="1", dim="perhaps", color="x")
    made, problems = read(lamp, values, title="lamp:desk", place=Place("f", 0))
    assert made is None
    assert problems == [
        "f:1: [lamp:desk] wats: is not an option (did you mean watts?)",
        "f:2: [lamp:desk] watts: 'watts' is 0 (the least possible is 1)",
        "f:3: [lamp:desk] limit_hate: 'limit_hate' isn't a valid limit setting (did you mean limit_heat?)",
        "f:4: [lamp:desk] limit_hours: 'x' isn't an integer (expected a whole number, such as 3)",
        "f:5: [lamp:desk] something: is not an option of circus or of a loaded plugin (kept as a free-form option)",
        "f:6: [lamp:desk] dim: 'perhaps' isn't a valid boolean (expected one of yes, true, on, 1, no, false, off, 0)",
        "f:7: [lamp:desk] color: is not an option of circus or of a loaded plugin (kept as a free-form option)",
        "f: [lamp:desk] bulb: is missing (it should be text)",
    ]


def test_a_wrong_value_is_not_missing_too(lamp: Section) -> None:
    assert read(lamp, {"bulb": Setting(3, text=False)})[1] == [
        "[lamp] bulb: 'bulb' isn't a string (expected text in quotes)"
    ]


def test_unknown_names_of_a_family_are_listed_if_none_is_close(lamp: Section) -> None:
    _, problems = read(lamp, texts(bulb="x", limit_zz="1"))
    assert problems == ["f:2: [lamp] limit_zz: 'limit_zz' isn't a valid limit setting (possible are heat, hours)"]


def test_free_form_options_are_kept_unless_strict(lamp: Section) -> None:
    values = texts(bulb="x", something="1")
    made, _ = read(lamp, values)
    assert made is not None
    assert made.extra == {"something": "1"}
    made, problems = read(lamp, values, strict=True)
    assert made is None
    assert "strict mode" in problems[0]


@pytest.mark.parametrize(
    ("key", "meant"),
    [("wats", "watts"), ("Watts", "watts"), ("glow-time", "glow_time"), ("glowtime", "glow_time"), ("dimm", "dim")],
)
def test_nearest(lamp: Section, key: str, meant: str) -> None:
    assert lamp.nearest(key) == meant


@pytest.mark.parametrize("key", ["", "colour", "flapping.watts", "limit"])
def test_nearest_leaves_other_words_alone(lamp: Section, key: str) -> None:
    assert lamp.nearest(key) is None


def test_contradictions_are_problems_at_the_place_of_the_key(lamp: Section) -> None:
    assert read(lamp, texts(bulb="led", watts="30")) == (
        None,
        ["f:2: [lamp] watts: is too much for an led (set it to 20 or less)"],
    )
    assert read(lamp, texts(bulb="led"), place=Place("f", 0))[1][0].startswith("f: [lamp] watts: is too much")


def test_doubts_are_warnings(lamp: Section) -> None:
    made, problems = structure(lamp, texts(bulb="led", watts="7", glow_time="1"), name="desk")
    assert made is not None
    assert [(str(problem), problem.warning) for problem in problems] == [("f:3: [lamp] glow_time: does nothing", True)]


def test_diff(lamp: Section) -> None:
    old = Lamp("desk", "a", limits={"heat": 1, "hours": 2}, extra={"dim": True, "x": 1})
    new = evolve(old, bulb="b", limits={"heat": 2}, extra={"x": 1, "y": 2})
    assert diff(lamp, old, new) == (
        Change("bulb", "a", "b", Effect.RELOAD),
        Change("dim", True, False, Effect.NOW),
        Change("limit_heat", 1, 2, Effect.RESTART),
        Change("limit_hours", 2, None, Effect.RESTART),
        Change("y", None, 2, Effect.NOW),
    )
    assert diff(lamp, old, old) == ()


def test_an_option_is_read_and_written_by_its_key_wherever_it_is_kept(lamp: Section) -> None:
    desk = Lamp("desk", "a", limits={"heat": 1}, extra={"x": 1})
    assert [value_of(lamp, desk, key) for key in keys(lamp, desk)] == ["a", 40, 0.0, False, 1, 1]
    assert [value_of(lamp, desk, key) for key in ("limit_hours", "unheard")] == [None, None]
    other = write(lamp, desk, {"watts": 7, "limit_hours": 9, "limit_heat": None, "dim": True, "x": None})
    assert other == Lamp("desk", "a", 7, limits={"hours": 9}, extra={"dim": True})
    assert list(keys(lamp, desk, other)) == ["bulb", "watts", "glow_time", "dim", "limit_heat", "limit_hours", "x"]


@pytest.mark.parametrize("text", [True, False])
def test_nothing_unsets_what_need_not_be_set(text: bool) -> None:
    section = sections()["watcher"]
    made, problems = structure(section, {"cmd": Setting("a"), "uid": Setting("", text=text)}, name="w")
    assert (made.uid, problems) == (None, [])
    _, problems = structure(section, {"cmd": Setting(""), "numprocesses": Setting("", text=text)}, name="w")
    assert [problem.key for problem in problems] == ["numprocesses"]


def test_describe(lamp: Section) -> None:
    rows = {row["key"]: row for row in describe(lamp)}
    assert list(rows) == ["bulb", "watts", "glow_time", "limit_NAME", "dim"]
    assert rows["watts"] == {
        "key": "watts",
        "type": "integer",
        "default": 40,
        "required": False,
        "unit": "W",
        "effect": "at once",
        "settable": True,
        "help": "How bright.",
        "plugin": "",
    }
    assert rows["bulb"]["required"]
    assert not rows["glow_time"]["settable"]
    assert rows["dim"]["plugin"] == "dimmer"


def test_json_schema(lamp: Section) -> None:
    assert json_schema(lamp) == {
        "type": "object",
        "title": "lamp",
        "properties": {
            "bulb": {"type": "string", "description": "Which bulb."},
            "watts": {"type": "integer", "description": "How bright.", "minimum": 1, "default": 40},
            "glow_time": {"type": "number", "description": "How long it glows.", "default": 0.0},
            "dim": {"type": "boolean", "description": "Dimmable.", "default": False},
        },
        "patternProperties": {"^limit_": {"type": "integer", "description": "Limits."}},
        "required": ["bulb"],
    }


def test_a_plugin_cannot_take_a_key_that_is_declared(lamp: Section) -> None:
    with pytest.raises(OptionError, match="already declared by the core"):
        lamp.add(Option("watts", INTEGER, 0, "Mine.", plugin="mine"))
    with pytest.raises(OptionError, match="already declared by plugin dimmer"):
        lamp.add(Option("dim", INTEGER, 0, "Mine.", plugin="mine"))
    with pytest.raises(OptionError, match="already declared by the core"):
        lamp.add(Option("limit_heat", INTEGER, 0, "Mine.", plugin="mine"))


def test_what_a_plugin_declared_can_be_dropped(lamp: Section) -> None:
    lamp.drop("other")
    assert lamp.find("dim")
    lamp.drop("dimmer")
    assert lamp.find("dim") is None


def test_find(lamp: Section) -> None:
    found = lamp.find("limit_heat")
    assert found is not None
    assert found.attribute == "limits"
    assert [lamp.find(key) for key in ("limit_", "Watts", "name", "extra")] == [None] * 4


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("s", "k", "is wrong", "fix it", Place("f", 3)), "f:3: [s] k: is wrong (fix it)"),
        (Problem("s", "", "is wrong"), "[s]: is wrong"),
        (Problem("", "", "is wrong", place=Place("f", 0)), "f: is wrong"),
        (Problem("", "", "is wrong"), "is wrong"),
    ],
)
def test_problem(problem: Problem, text: str) -> None:
    assert str(problem) == text


@pytest.mark.parametrize("section", sections().values(), ids=lambda section: section.name)
def test_every_option_of_the_core_is_declared_in_full(section: Section) -> None:
    for entry in declared(section.cls).values():
        assert entry.help.endswith("."), entry.key
        assert section.find(entry.key + "x" * entry.prefix) == entry
    assert len(describe(section)) == len(declared(section.cls))


junk = st.text(max_size=8) | st.integers() | st.none() | st.lists(st.text(max_size=2), max_size=2) | st.booleans()


@given(data=st.data(), text=st.booleans())
def test_junk_settings_are_problems_and_never_an_exception(data: st.DataObject, text: bool) -> None:
    section = sections()["watcher"]
    known = [entry.key for entry in section] + ["rlimit_core", "rlimit_x", "free", "numproceses"]
    raw = data.draw(st.dictionaries(st.sampled_from(known) | st.text(max_size=9), junk, max_size=6))
    values = {key: Setting(value, text=text) for key, value in raw.items()}
    made, problems = structure(section, values, name="web")
    assert (made is None) == any(not problem.warning for problem in problems)
