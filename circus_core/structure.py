"""Raw settings made into an instance of a section's class; every mistake is found, and none is raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from circus_core.errors import OptionError
from circus_core.options import MISSING, declared
from circus_core.values import fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.options import Section


@attrs.frozen
class Place:
    """Where something was written: a file and a line (0 for the whole file), shown in every message about it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@attrs.frozen
class Setting:
    """A raw value and its place. `text` says that it came from a text format and still has to be parsed."""

    value: object
    place: Place | None = None
    text: bool = True


@attrs.frozen
class Problem:
    """One mistake, or (when `warning`) one thing that is probably a mistake."""

    section: str
    key: str
    message: str
    hint: str = ""
    place: Place | None = None
    warning: bool = False

    def __str__(self) -> str:
        section = f"[{self.section}]" if self.section else ""
        subject = " ".join(part for part in (section, self.key) if part)
        hint = f" ({self.hint})" if self.hint else ""
        return ": ".join(part for part in (str(self.place or ""), subject, self.message) if part) + hint


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
    `contradictions` and `doubts` of the class tell errors and warnings that only the whole instance shows.
    """
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
            values[key] = entry.value(setting.value, text=setting.text, key=key)
        except OptionError as error:
            message = error.message.removeprefix(f"{key} = ")
            problems.append(Problem(title, key, message, error.hint, setting.place))
            continue
    for entry in declared(section.cls).values():
        missing = entry.default is MISSING and not entry.prefix and not {entry.key, entry.attribute} & {*values, *given}
        if missing and not any(problem.key == entry.key for problem in problems):
            first = place or next((setting.place for setting in settings.values()), None)
            problems.append(Problem(title, entry.key, "is missing", f"it should be {entry.kind.expects}", first))
    if any(not problem.warning for problem in problems):
        return None, problems
    arguments = fields(section, values)
    if "extra" not in attrs.fields_dict(section.cls):
        arguments.pop("extra", None)
    made = section.cls(**{**given, **arguments})
    for method, warning in (("contradictions", False), ("doubts", True)):
        for key, message, hint in getattr(made, method, tuple)():
            at = settings.get(key)
            problems.append(Problem(title, key, message, hint, at.place if at else place, warning))
    return (None if any(not problem.warning for problem in problems) else made), problems


def _unknown(section: Section, title: str, key: str, place: Place | None, strict: bool) -> Problem:
    near = section.nearest(key)
    if near:
        return Problem(title, key, "is not an option", f"did you mean {near}?", place)
    hint = "strict mode refuses unknown options" if strict else "kept as a free-form option"
    return Problem(title, key, "is not an option of circus or of a loaded plugin", hint, place, warning=not strict)
