"""Raw settings made into an instance of a section's class; every mistake is found, and none is raised."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import attrs

from circus_core.errors import OptionError
from circus_core.options import MISSING, declared
from circus_core.values import fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from circus_core.options import Option, Section


LONGEST = 2000
"""Letters of a message about a value, whatever the value is."""


@attrs.frozen
class Place:
    """Where something was written: a file and a line (0 for the whole file), shown in every message about it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@attrs.frozen
class Setting:
    """A raw value and its place. `text` says that it came from a text format and still has to be parsed.

    `common` says that it is of [DEFAULT]: whoever knows all options it can have need not know this one.
    """

    value: object
    place: Place | None = None
    text: bool = True
    common: bool = False


@attrs.frozen
class Problem:
    """One mistake, or (when `warning`) one thing that is probably a mistake.

    `others` are further keys of the section without which it would be none, and `elsewhere` titles of other sections;
    `section` is the title, `watcher:web`.
    """

    section: str
    key: str
    message: str
    hint: str = ""
    place: Place | None = None
    warning: bool = False
    others: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def __str__(self) -> str:
        section = f"[{self.section}]" if self.section else ""
        subject = " ".join(part for part in (section, self.key) if part)
        message = self.message if len(self.message) <= LONGEST else f"{self.message[:LONGEST]}..."
        hint = f" ({self.hint[:LONGEST]})" if self.hint else ""
        return ": ".join(part for part in (str(self.place or ""), subject, message) if part) + hint


def structure(
    section: Section,
    settings: Mapping[str, Setting],
    *,
    title: str = "",
    strict: bool = False,
    place: Place | None = None,
    **given: object,
) -> tuple[Any | None, list[Problem]]:
    """An instance of the section's class from raw settings, and every problem found on the way.

    The instance is None if a problem is an error. `given` are fields that do not come from the settings (the name).
    `place` is where the section begins, for what is missing.
    Options that plugins declare, and unknown keys that are close to nothing, end in the field `extra`. Methods
    `contradictions` and `doubts` of the class tell errors and warnings that only the whole instance shows, each as the
    key, what is wrong, what would be right, and the other keys that it is about, if any.
    """
    made, problems = as_far_as_right(section, settings, title=title, strict=strict, place=place, **given)
    return (None if any(not problem.warning for problem in problems) else made), problems


def as_far_as_right(
    section: Section,
    settings: Mapping[str, Setting],
    *,
    title: str = "",
    strict: bool = False,
    place: Place | None = None,
    **given: object,
) -> tuple[Any | None, list[Problem]]:
    """As `structure`, but what is wrong is left as if it were not set; None only if what must be set cannot be had."""
    title = title or section.name
    values: dict[str, object] = {}
    problems: list[Problem] = []
    for key, setting in settings.items():
        entry = section.find(key)
        if entry is None:
            problems.append(_unknown(section, title, key, setting.place, strict))
            values[key] = setting.value
            continue
        try:
            values[key] = _value(entry, key, setting)
        except OptionError as error:
            message = error.message.removeprefix(f"{key} = ")
            problems.append(Problem(title, key, message, error.hint, setting.place))
            continue
    for entry in declared(section.cls).values():
        missing = entry.default is MISSING and not entry.prefix and not {entry.key, entry.attribute} & {*values, *given}
        if missing and not any(problem.key == entry.key for problem in problems):
            first = place or next((setting.place for setting in settings.values()), None)
            problems.append(Problem(title, entry.key, "is missing", f"it should be {entry.kind.expects}", first))
    stand_ins = _stand_ins(section, {*values, *given})
    if stand_ins is None:
        return None, problems
    arguments = fields(section, {**stand_ins, **values})
    if "extra" not in attrs.fields_dict(section.cls):
        arguments.pop("extra", None)
    made = section.cls(**{**given, **arguments})
    found = []
    for method, warning in (("contradictions", False), ("doubts", True)):
        for key, message, hint, *others in getattr(made, method, tuple)():
            at = settings.get(key)
            found.append(Problem(title, key, message, hint, at.place if at else place, warning, tuple(others)))
    return made, problems + independent(found, problems)


def _value(entry: Option, key: str, setting: Setting) -> Any:
    value = entry.value(setting.value, text=setting.text, key=key)
    beside = entry.kind.beside
    if beside is None or value is None or setting.place is None:
        return value
    return beside(value, os.path.dirname(setting.place.file))


def independent(problems: Iterable[Problem], mistakes: Iterable[Problem]) -> list[Problem]:
    """Those problems that are about no key with a mistake, nor `elsewhere`: that may be all that is wrong."""
    certain = [each for each in mistakes if not each.warning]
    wrong = {(each.section, key) for each in certain for key in (each.key, *each.others)}
    sections = {each.section.lower() for each in certain}
    return [
        each
        for each in problems
        if wrong.isdisjoint((each.section, key) for key in (each.key, *each.others))
        and sections.isdisjoint(title.lower() for title in each.elsewhere)
    ]


def _stand_ins(section: Section, there: set[str]) -> dict[str, object] | None:
    """A value for each option that must be set and is not; None if one has none that is as good as nothing."""
    made = {}
    for entry in declared(section.cls).values():
        if entry.default is MISSING and not entry.prefix and not {entry.key, entry.attribute} & there:
            try:
                made[entry.key] = entry.kind.parse("")
            except ValueError:
                return None
    return made


def _unknown(section: Section, title: str, key: str, place: Place | None, strict: bool) -> Problem:
    near = section.nearest(key)
    entry = section.find(near) if near else None
    # Another program's word may also be somebody's own: Circus took it.
    foreign = entry is not None and key.lower() in entry.also
    if near and not foreign:
        return Problem(title, key, "is not an option", f"did you mean {near}?", place, others=(near,))
    hint = "strict mode refuses unknown options" if strict else "kept as a free-form option"
    hint += f"; did you mean {near}?" if foreign else ""
    return Problem(title, key, "is not an option of circus or of a loaded plugin", hint, place, warning=not strict)
