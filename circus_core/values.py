"""The options of an instance by key, whoever declared them: read, written, compared; it checks and shows none.

The value of a key is a field of the instance, or a member of a field that is a mapping: one for each family, and
`extra` for what plugins declare and for what is free-form. Only `_home` knows which. None is the value of what is not
set and has no default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from circus_core.options import MISSING, NOTHING_SET, Effect, declared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from circus_core.options import Option, Section

T = TypeVar("T")


@attrs.frozen
class Change:
    """One option whose value differs between an old and a new instance."""

    key: str
    old: object
    new: object
    effect: Effect


def keys(section: Section, *instances: Any) -> Iterator[str]:
    """Every option of a section, with those members of families and free-form ones that some instance has."""
    yield from (entry.key for entry in section if not entry.prefix)
    seen = {entry.key for entry in section}
    for attribute, prefix in _mappings(section):
        members = {prefix + member for instance in instances for member in getattr(instance, attribute)}
        yield from sorted(members - seen)


def read(section: Section, instance: Any, key: str) -> Any:
    """The value of an option of an instance, set or not."""
    entry = section.find(key)
    attribute, member = _home(entry, key)
    held = getattr(instance, attribute)
    if member is None:
        return held
    default = None if entry is None or entry.prefix or entry.default is MISSING else entry.default
    return held.get(member, default)


def write(section: Section, instance: T, values: Mapping[str, object]) -> T:
    """The instance with other values of some options."""
    return attrs.evolve(instance, **fields(section, values, instance))  # type: ignore[misc]


def fields(section: Section, values: Mapping[str, object], instance: Any = None) -> dict[str, Any]:
    """What the class of a section is to be called with for these values; their members are added to those there are."""
    made: dict[str, Any] = {}
    for key, value in values.items():
        attribute, member = _home(section.find(key), key)
        if member is None:
            made[attribute] = value
            continue
        members = dict(made.get(attribute, getattr(instance, attribute, NOTHING_SET)))
        members[member] = value
        if value is None:
            del members[member]
        made[attribute] = members or NOTHING_SET
    return made


def diff(section: Section, old: Any, new: Any) -> tuple[Change, ...]:
    """Every option that differs, added and removed free-form keys included."""
    changes = []
    for key in keys(section, old, new):
        before, after = read(section, old, key), read(section, new, key)
        if before != after:
            entry = section.find(key)
            changes.append(Change(key, before, after, entry.effect if entry else Effect.NOW))
    return tuple(changes)


def _home(entry: Option | None, key: str) -> tuple[str, str | None]:
    """Where the value of a key is: the field, and the member if that is a mapping."""
    if entry is None or entry.plugin:
        return "extra", key
    return entry.attribute, key.removeprefix(entry.key) if entry.prefix else None


def _mappings(section: Section) -> Iterator[tuple[str, str]]:
    """Each field that is a mapping of options, and what their keys begin with."""
    yield from ((entry.attribute, entry.key) for entry in declared(section.cls).values() if entry.prefix)
    if "extra" in attrs.fields_dict(section.cls):
        yield "extra", ""
