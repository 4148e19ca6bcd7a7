"""One declaration per option: structure, diff, describe and json_schema all follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attrs import field, frozen

from circus_core.kinds import BOOLEAN, INTEGER, NUMBER, TEXT
from circus_core.model import sections
from circus_core.options import Effect, Option, Section, option
from circus_core.structure import Place, Setting, structure

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

    def contradictions(self) -> list[tuple[str, ...]]:
        wrong = self.bulb == "led" and self.watts > 20
        return [("watts", "is too much for an led", "set it to 20 or less", "bulb")] if wrong else []

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
    assert read(lamp, texts(watts="x"))[1][-1].startswith("f:1: [lamp] bulb: is missing")
    _, problems = structure(sections()["watcher"], {"copy_path": Setting("yes")}, name="w")
    assert [problem.key for problem in problems] == ["cmd", "copy_path"]
