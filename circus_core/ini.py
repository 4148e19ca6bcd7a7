"""The ini dialect of Circus (PROTOCOL.md 4.1), read with line numbers; it knows no section and no key by name.

`key = value` or `key: value`; indented lines continue a value; comments begin with `#`, `;` or `rem` in the first
column, or with ` ;` behind a value; the first value of a key wins; keys keep their case; `""` is empty text.
"""

from __future__ import annotations

import re
import sys

from attrs import define, evolve, field

from circus_core.document import Document, RawSection, merge
from circus_core.structure import Place, Problem, Setting

_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_COMMENT = re.compile(r"[#;]|rem(\s|$)", re.IGNORECASE)
_HEADER = re.compile(r"\[(.+?)\]\s*([#;].*)?$")
_OPTION = re.compile(r"([^\s=:][^=:]*)[=:](.*)$")


def parse(text: str, file: str) -> Document:
    """The sections of one file; lines that make no sense are problems, and the lines after them are still read."""
    reader = _Reader()
    for number, found in enumerate(_LINE.finditer(text), 1):
        reader.read(found[1], Place(file, number))
    reader.close_value()
    sections, repeated = merge(reader.sections + reader.repeats)
    return Document(sections, (file,), (*reader.problems, *repeated))


@define
class _Reader:
    """The section and the value that the next line may belong to."""

    sections: list[RawSection] = field(factory=list)
    repeats: list[RawSection] = field(factory=list)
    problems: list[Problem] = field(factory=list)
    section: RawSection | None = None
    settings: dict[str, Setting] = field(factory=dict)
    key: str | None = None
    lines: list[str] = field(factory=list)
    place: Place | None = None

    def read(self, line: str, place: Place) -> None:
        if "\0" in line:
            self.close_value()
            self.complain("the line has a NUL byte", "the file is damaged, or not a text file", place)
        elif not line.strip() or _COMMENT.match(line):
            return
        elif line[0].isspace() and self.key is not None:
            self.continue_value(line.strip(), place)
        else:
            self.close_value()
            if line.startswith("["):
                self.open_section(line, place)
            else:
                self.open_value(line, place)

    def open_section(self, line: str, place: Place) -> None:
        found = _HEADER.match(line)
        kind, _, name = (part.strip() for part in found[1].partition(":")) if found else ("", "", "")
        self.settings = {}
        self.section = RawSection(kind, name, self.settings, place)
        if kind:
            self.sections.append(self.section)
        else:
            self.complain(f"{_shortened(line)!r} is no section header", "it should be [kind] or [kind:name]", place)

    def open_value(self, line: str, place: Place) -> None:
        found = _OPTION.match(line)
        if found is None:
            hint = "it should be key = value" + ", in the first column" * line[0].isspace()
            self.complain(f"{_shortened(line)!r} is not understood", hint, place)
        elif self.section is None:
            self.complain("there is no section before this line", "begin with a line such as [circus]", place)
        else:
            value = _without_comment(found[2])
            # A thousand sections have the same few keys.
            key = sys.intern(found[1].rstrip())
            self.key, self.lines, self.place = key, ["" if value == '""' else value], place

    def continue_value(self, line: str, place: Place) -> None:
        if self.section is not None and self.key is not None and _HEADER.match(line):
            message, hint = f"goes on with {_shortened(line)!r}", "a section header begins in the first column"
            self.problems.append(Problem(self.section.title, self.key, message, hint, place, warning=True))
        self.lines.append(line)

    def close_value(self) -> None:
        if self.section is None or self.key is None:
            return
        setting = Setting("\n".join(self.lines).strip(), self.place)
        if self.key in self.settings:
            self.repeats.append(evolve(self.section, settings={self.key: setting}))
        else:
            self.settings[self.key] = setting
        self.key = None

    def complain(self, message: str, hint: str, place: Place) -> None:
        self.problems.append(Problem(self.section.title if self.section else "", "", message, hint, place))


def _without_comment(value: str) -> str:
    """Only the first `;` may begin a comment, and only behind a blank, as in Circus."""
    semicolon = value.find(";")
    if semicolon > 0 and value[semicolon - 1].isspace():
        value = value[:semicolon]
    return value.strip()


def _shortened(line: str) -> str:
    return line if len(line) <= 60 else f"{line[:57]}..."
