"""Circus' sections written in TOML: [circus], [watcher.NAME], [env], [env."a,b*"]; it knows no key by name but `env`.

tomllib reads the values and tells no lines, so a small scanner finds where each key stands. Tables inside a section
become dotted keys (`hooks.before_start`); only `env` stays a table.
"""

from __future__ import annotations

import datetime
import math
import re
import tomllib
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from circus_core.document import Document, RawSection, merge
from circus_core.structure import Place, Problem, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str, ...]

UNNAMED = frozenset({"circus", "DEFAULT"})
"""Tables that are one section; in every other one the tables inside are the sections."""


def parse(text: str, file: str) -> Document:
    """The sections of one file. A syntax error is the only problem of its file, since nothing after it is read."""
    try:
        tables = tomllib.loads(text)
        reader = _Reader(file, dict(reversed(list(_lines(text)))))
        sections, repeated = merge(section for kind in tables for section in reader.sections(kind, tables[kind]))
    except RecursionError:
        return Document((), (file,), (Problem("", "", "is nested too deeply", "", Place(file, 0)),))
    except ValueError as error:
        return Document((), (file,), (_syntax_problem(str(error), text, file),))
    return Document(sections, (file,), (*reader.problems, *repeated))


def _syntax_problem(message: str, text: str, file: str) -> Problem:
    found = re.search(r" \((?:at line (\d+), column (\d+)|at end of document)\)$", message)
    line = int(found[1]) if found and found[1] else len(text.splitlines()) if found else 0
    reason = message[: found.start()] if found else message
    column = f" at column {found[2]}" if found and found[2] else ""
    reason = _NAMES.sub(lambda names: f"[{names[1].replace(chr(39), '').replace(', ', '.').rstrip(',')}]", reason)
    ini = _INI_HEADER.match(text.splitlines()[line - 1]) if found and found[1] else None
    hint = f"in TOML it is [{ini[1]}.{ini[2]}]; in a file of another name than .toml, ini" if ini else ""
    return Problem("", "", f"is not TOML: {reason[:1].lower()}{reason[1:]}{column}", hint, Place(file, line))


@define
class _Reader:
    """Turns tables into sections and settings, each with the line of its key."""

    file: str
    lines: dict[Path, int]
    problems: list[Problem] = field(factory=list)

    def place(self, path: Path) -> Place:
        """The line of the key, or of the nearest table around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return Place(self.file, self.lines.get(path, 0))

    def complain(self, title: str, key: str, path: Path, message: str, hint: str) -> None:
        self.problems.append(Problem(title, key, message, hint, self.place(path)))

    def sections(self, kind: str, table: object) -> Iterator[RawSection]:
        if not isinstance(table, dict):
            hint = "sections are tables, such as [circus] or [watcher.web]"
            self.complain(kind, "", (kind,), "is not a section", hint)
            return
        inside = {} if kind in UNNAMED else {name: value for name, value in table.items() if isinstance(value, dict)}
        direct = {key: value for key, value in table.items() if key not in inside}
        if direct or not inside:
            yield self.section(RawSection(kind, "", {}, self.place((kind,))), (kind,), direct)
        for name, settings in inside.items():
            yield self.section(RawSection(kind, name, {}, self.place((kind, name))), (kind, name), settings)

    def section(self, empty: RawSection, path: Path, table: dict[str, Any]) -> RawSection:
        return evolve(empty, settings=dict(self.settings(empty.title, path, "", table)))

    def settings(self, title: str, path: Path, prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, Setting]]:
        for name, value in table.items():
            key, below = prefix + name, (*path, name)
            if isinstance(value, dict) and key != "env":
                yield from self.settings(title, below, f"{key}.", value)
                continue
            wrong = _unusable(value)
            if wrong:
                self.complain(title, key, below, *wrong)
            else:
                yield key, Setting(value, self.place(below), text=False)


def _unusable(value: object) -> tuple[str, str] | None:
    """Why no option can have such a value, and what to write."""
    if isinstance(value, str) and "\0" in value:
        return "has a NUL character", "no program can be given one"
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}", "it should be a finite number"
    if isinstance(value, datetime.date | datetime.time):
        return "is a date or a time", "no option is one; put it in quotes"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "is a list of tables", "a section is one table, such as [watcher.web]"
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next(filter(None, map(_unusable, inside)), None)


_NAMES = re.compile(r"\(('.*?)\)")
"""How tomllib writes the name of a table: as Python does."""
_INI_HEADER = re.compile(r"\s*\[(\w+):([^\]]+)\]")
_PART = r"(?:[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')"
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_TABLE = re.compile(rf"\[(\[?)[ \t]*({_KEY})[ \t]*\]\]?")
_ENTRY = re.compile(rf"({_KEY})[ \t]*=")
_TOKEN = re.compile(
    r"""(?P<string>\"{3}(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5} | '{3}(?:[^']|'{1,2}(?!'))*'{3,5}
          | "(?:[^"\\\n]|\\.)*" | '[^'\n]*')
      | (?P<comment>\#[^\n]*) | (?P<open>[\[{]) | (?P<close>[\]}]) | (?P<end>\n) | (?P<other>[^"'\#\[\]{}\n]+)""",
    re.VERBOSE | re.DOTALL,
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")


def _lines(text: str) -> Iterator[tuple[Path, int]]:
    """Each key and table of a valid document and its line; keys of inline tables have none."""
    table: Path = ()
    position, counted, line = 0, 0, 1
    while True:
        blank = _BLANK.match(text, position)
        position = blank.end() if blank else position
        line, counted = line + text.count("\n", counted, position), position
        if header := _TABLE.match(text, position):
            table = _path(header[2])
            yield from ((path, line) for path in _prefixes((), table))
            position = header.end()
        elif entry := _ENTRY.match(text, position):
            yield from ((path, line) for path in _prefixes(table, _path(entry[1])))
            position = _end_of_value(text, entry.end())
        else:
            return


def _path(key: str) -> Path:
    """The parts of a dotted key, unquoted by tomllib."""
    found: Any = tomllib.loads(f"{key} = 0")
    parts = []
    while isinstance(found, dict):
        name, found = next(iter(found.items()))
        parts.append(name)
    return tuple(parts)


def _prefixes(table: Path, key: Path) -> Iterator[Path]:
    return ((*table, *key[:length]) for length in range(1, len(key) + 1))


def _end_of_value(text: str, position: int) -> int:
    depth = 0
    while token := _TOKEN.match(text, position):
        position = token.end()
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        if token.lastgroup == "end" and depth == 0:
            break
    return position
