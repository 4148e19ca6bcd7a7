"""One declaration for each option; parsing, checking, `set`, JSON schema, plan and reference all derive from it.

An option is an attrs field made by `option()`, or an `Option` that a plugin adds to a `Section`. This module knows
no option by name and no file format: readers hand it `Setting`s, values with the place they were written.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from circus_core.errors import OptionError
from circus_core.nearest import nearest, typed_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")
MISSING: Any = object()
ALIKE = 0.775
"""How alike two keys must be where slips of the finger do not explain it; a test tries what words that takes in."""
NOTHING_SET: Mapping[str, Any] = MappingProxyType({})
"""The value of a family of options, or of the free-form ones, where none is set; shared, as there are thousands."""


class Effect(enum.Enum):
    """What a running watcher needs for a changed option to take effect."""

    NOW = "at once"
    OUTPUT = "output goes elsewhere at once; processes that had no stream are replaced by a graceful reload"
    SCALE = "the number of processes is adjusted"
    RELOAD = "a graceful reload: new processes first, then the old ones stop"
    RESTART = "circusd must be restarted"


@attrs.frozen
class Kind(Generic[T]):
    """How one sort of value is read from text, checked when it is already typed, and shown.

    `parse` and `check` raise ValueError for a value they do not take; the caller adds the key and the place.
    `complaint` ends the sentence "'KEY' ..." of PROTOCOL.md 1.6. `beside` is there where it matters which file a value
    was written in: it answers what the value means in a file of that folder.
    """

    name: str
    expects: str
    complaint: str
    parse: Callable[[str], T]
    check: Callable[[object], T]
    show: Callable[[T], object] = lambda value: value
    schema: Mapping[str, object] = attrs.field(factory=dict)
    beside: Callable[[T, str], T] | None = None


@attrs.frozen
class Option:
    """The declaration of one option. A `prefix` option is a family: `rlimit_` stands for every `rlimit_NAME`.

    `fixed` says why one that is not settable is not; `by_command` is the sort of values that commands may set, if that
    is not `kind`; `also` are other programs' words for it, which is told to who writes one. It is `locating` if its
    plugin may find the program elsewhere than on the PATH.
    """

    key: str
    kind: Kind[Any]
    default: object
    help: str
    effect: Effect = Effect.NOW
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    settable: bool = True
    prefix: bool = False
    names: frozenset[str] | None = None
    attribute: str = ""
    plugin: str = ""
    fixed: str = ""
    by_command: Kind[Any] | None = None
    also: tuple[str, ...] = ()
    locating: bool = False

    def value(self, raw: object, *, text: bool, key: str | None = None) -> Any:
        """The typed value of `raw`, from a file or a shell (`text`) or from JSON or TOML; raises OptionError.

        None and, except in a family, empty text unset an option that need not be set; its value is then None.
        """
        key = key or self.key
        self.check_name(key)
        if (self.prefix and raw is None) or (self.default is None and raw in (None, "")):
            return None
        try:
            value = self.kind.parse(raw) if text and isinstance(raw, str) else self.kind.check(raw)
        except ValueError as error:
            subject = f"{key} = {raw!r}" if text else repr(key)
            hint = str(error) or f"expected {self.kind.expects}"
            raise OptionError(f"{subject} {self.kind.complaint}", hint=hint) from None
        if self.maximum is not None and value is not None and value > self.maximum:
            raise OptionError(f"{key!r} is {value}", hint=f"the most possible is {self.maximum:g}")
        if self.minimum is not None and value is not None and value < self.minimum:
            raise OptionError(f"{key!r} is {value}", hint=f"the least possible is {self.minimum:g}")
        return value

    def check_name(self, key: str) -> None:
        """Raise OptionError for a member that this family does not have."""
        name = key.removeprefix(self.key)
        if self.names is not None and name not in self.names:
            near = nearest(name, self.names, close=0.6)
            meant = f"did you mean {self.key}{near}?" if near else f"possible are {', '.join(sorted(self.names))}"
            raise OptionError(f"{key!r} isn't a valid {self.key.rstrip('_.')} setting", hint=meant)

    def shown(self, value: Any) -> object:
        """A value as JSON has it, such that `value` takes it back; None stays None."""
        return None if value is None else self.kind.show(value)


def option(
    kind: Kind[Any],
    default: object = MISSING,
    *,
    help: str,
    effect: Effect = Effect.NOW,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    settable: bool = True,
    prefix: str = "",
    names: frozenset[str] | None = None,
    key: str = "",
    also: tuple[str, ...] = (),
) -> Any:
    """An attrs field that is an option. Without `default` it must be given."""
    metadata = {
        "option": lambda name: Option(
            key=prefix or key or name,
            kind=kind,
            default=default,
            help=help,
            effect=effect,
            unit=unit,
            minimum=minimum,
            maximum=maximum,
            settable=settable,
            prefix=bool(prefix),
            names=names,
            attribute=name,
            also=also,
        )
    }
    if prefix:
        return attrs.field(default=NOTHING_SET, metadata=metadata)
    return attrs.field(default=attrs.NOTHING if default is MISSING else default, metadata=metadata)


_declared: dict[type, dict[str, Option]] = {}


def declared(cls: type) -> dict[str, Option]:
    """The options that the fields of `cls` declare, by key, in the order they were written."""
    if cls not in _declared:
        fields = (field for field in attrs.fields(cls) if "option" in field.metadata)
        made = (field.metadata["option"](field.name) for field in fields)
        _declared[cls] = {entry.key: entry for entry in made}
    return _declared[cls]


@attrs.define
class Section:
    """One sort of configuration section, such as `watcher`: a class that declares its options, and what plugins add."""

    name: str
    cls: type
    help: str = ""
    added: dict[str, Option] = attrs.field(factory=dict)
    named: bool = True
    plugin: str = ""

    def add(self, entry: Option) -> None:
        """Let a plugin declare a further option; raises OptionError if the key is taken."""
        taken = self.find(entry.key)
        if taken is not None:
            owner = f"plugin {taken.plugin}" if taken.plugin else "the core"
            raise OptionError(
                f"the option {entry.key} of [{self.name}] is already declared by {owner}",
                hint="two plugins cannot own one option; rename it in one of them",
            )
        self.added[entry.key] = entry

    def drop(self, plugin: str) -> None:
        """Forget what `plugin` declared."""
        self.added = {key: entry for key, entry in self.added.items() if entry.plugin != plugin}

    def find(self, key: str) -> Option | None:
        """The declaration behind `key`, which may be a member of a family."""
        core = declared(self.cls)
        found = core.get(key) or self.added.get(key)
        if found is not None and not found.prefix:
            return found
        for entry in self:
            if entry.prefix and key.startswith(entry.key) and len(key) > len(entry.key):
                return entry
        return None

    def check(self, key: str, value: object) -> None:
        """Raise OptionError for a value that a declared option cannot have."""
        entry = self.find(key)
        if entry is not None:
            entry.value(value, text=False, key=key)

    def nearest(self, key: str) -> str | None:
        """The declared key that somebody who wrote `key` most likely meant, if any is close."""
        for entry in self:
            if key.lower() in entry.also:
                return entry.key
        keys = tuple(entry.key for entry in self if not entry.prefix)
        members = tuple(entry.key + name for entry in self if entry.prefix for name in entry.names or ())
        return _nearest(key, keys) or self._nearest_family(key) or _nearest(key, members)

    def _nearest_family(self, key: str) -> str | None:
        """The member that is meant where the name of its family is misspelt."""
        families = {entry.key[:-1]: entry for entry in self if entry.prefix}
        for at, sign in enumerate(key):
            head, member = key[:at], key[at + 1 :]
            near = _nearest(head, tuple(families)) if sign in "._" and member and len(head) > 2 else None
            if near and (families[near].names is None or member in (families[near].names or ())):
                return families[near].key + member
        return None

    def __iter__(self) -> Iterator[Option]:
        yield from declared(self.cls).values()
        yield from self.added.values()


@lru_cache(maxsize=128)
def _nearest(key: str, known: tuple[str, ...]) -> str | None:
    """Of some keys the one that is meant by another, but for case, `_` and `-`.

    It takes a millisecond, and a thousand watchers have the same key.
    """
    folded = {entry.lower().replace("_", ""): entry for entry in known}
    written = key.lower().replace("_", "").replace("-", "")
    near = typed_as(written, folded) or nearest(written, folded, close=ALIKE)
    return folded[near] if near else None


def describe(section: Section) -> list[dict[str, object]]:
    """The section's options as plain rows: key, type, default, unit, effect, settable, help, plugin."""
    return [
        {
            "key": entry.key + ("NAME" if entry.prefix else ""),
            "type": entry.kind.name,
            "default": shown_default(entry),
            "required": entry.default is MISSING and not entry.prefix,
            "unit": entry.unit,
            "effect": entry.effect.value,
            "settable": entry.settable,
            "help": entry.help,
            "plugin": entry.plugin,
        }
        for entry in section
    ]


def shown_default(entry: Option) -> object:
    """The default as JSON shows it; None where there is none."""
    return None if entry.default is MISSING or entry.prefix else entry.shown(entry.default)


def json_schema(section: Section) -> dict[str, object]:
    """A JSON schema (draft 2020-12) of one section, plugin options included."""
    properties: dict[str, object] = {}
    patterns: dict[str, object] = {}
    for entry in section:
        described = {**entry.kind.schema, "description": entry.help}
        if entry.minimum is not None:
            described["minimum"] = entry.minimum
        if entry.maximum is not None:
            described["maximum"] = entry.maximum
        if shown_default(entry) is not None:
            described["default"] = shown_default(entry)
        if entry.prefix:
            patterns[f"^{entry.key}"] = described
        else:
            properties[entry.key] = described
    required = [entry.key for entry in section if entry.default is MISSING and not entry.prefix]
    return {
        "type": "object",
        "title": section.name,
        "properties": properties,
        "patternProperties": patterns,
        "required": required,
    }
