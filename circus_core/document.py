"""What configuration files say, as written: sections of settings with their places. It judges no key and no value."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from circus_core.structure import Place, Problem, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
LARGEST = 64 << 20
"""Bytes of a file: thousands of times what anybody writes, and less than what makes a machine suffer."""


@frozen
class RawSection:
    """One section: `[watcher:web]` has the kind `watcher` and the name `web`, `[circus]` has no name."""

    kind: str
    name: str
    settings: Mapping[str, Setting]
    place: Place

    @property
    def title(self) -> str:
        """How messages name the section."""
        return f"{self.kind}:{self.name}" if self.name else self.kind


@frozen
class Written:
    """Files by their paths, with their texts, and what was wrong while reading them.

    This is kept of a configuration in force, and parsed when it is needed: a Document takes ten times the memory.
    """

    files: tuple[tuple[str, str], ...] = ()
    problems: tuple[Problem, ...] = ()


@frozen
class Document:
    """The sections of one file or of several, each title once, and what is wrong with them as they are `written`."""

    sections: tuple[RawSection, ...] = ()
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    written: Written = field(factory=Written, eq=False, repr=False)

    def find(self, kind: str, name: str = "") -> RawSection | None:
        """The section with this kind and name."""
        return next((found for found in self.sections if (found.kind, found.name) == (kind, name)), None)

    def placed(self, problems: Iterable[Problem]) -> list[Problem]:
        """Problems, each with the place of its key: in its section, or else in [DEFAULT], or that of its section."""
        problems = list(problems)
        # Some sorts of sections have their names in lower case, once they are read.
        titles = {"default", *(problem.section.lower() for problem in problems)}
        named = {title: raw for raw in self.sections if (title := raw.title.lower()) in titles}

        def place(problem: Problem) -> Place | None:
            own = problem.section.lower()
            sections = [named[title] for title in (own, "default") if title in named]
            places = [raw.settings[problem.key].place for raw in sections if problem.key in raw.settings]
            whole = named[own].place if own in named else None
            return problem.place or (places[0] if places else whole)

        return [evolve(problem, place=place(problem)) for problem in problems]

    def completed(self, further: Iterable[RawSection]) -> Document:
        """With further sections. In one that is there already nothing changes; what it lacks is added."""
        sections = {raw.title: raw for raw in self.sections}
        for raw in further:
            known = sections.get(raw.title)
            sections[raw.title] = raw if known is None else evolve(known, settings={**raw.settings, **known.settings})
        return evolve(self, sections=tuple(sections.values()))

    def of(self, kind: str) -> list[RawSection]:
        """Every section of a kind, in the order they were written."""
        return [section for section in self.sections if section.kind == kind]


def merge(sections: Iterable[RawSection]) -> tuple[tuple[RawSection, ...], list[Problem]]:
    """Sections of the same title made one. The first value of a key wins; a later one that differs is a warning."""
    merged: dict[tuple[str, str], RawSection] = {}
    problems = []
    for section in sections:
        title = (section.kind, section.name)
        head = merged.setdefault(title, section)
        if head is not section:
            body = dict(head.settings)
            for key, setting in section.settings.items():
                problems += keep_first(body, section.title, key, setting)
            merged[title] = evolve(head, settings=body)
    return tuple(merged.values()), problems


def keep_first(body: dict[str, Setting], title: str, key: str, setting: Setting) -> list[Problem]:
    """Put a setting into the body of a section if none of its key is there; a warning if another one is."""
    kept = body.setdefault(key, setting)
    if kept.value == setting.value:
        return []
    message, hint = f"is set already at {kept.place}", "the first value is kept"
    return [Problem(title, key, message, hint, setting.place, warning=True)]


def read_text(path: str) -> tuple[str, list[Problem]]:
    """A file's text, without its byte order mark; no text and a problem if it is not readable or not UTF-8."""
    data, problem = _read(path)
    if problem is not None:
        return "", [problem]
    try:
        return data.decode(), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        message = f"byte {column} of the line, 0x{data[error.start]:02x}, is not UTF-8"
        if data.startswith(UTF_16):
            message = "the file is in UTF-16"
        return "", [Problem("", "", message, "save the file in UTF-8", Place(path, line))]


def _read(path: str) -> tuple[bytes, Problem | None]:
    """What is in a file that circusd can read at once, and is not endless."""
    place = Place(path or "''", 0)
    try:
        # Those below /dev/fd and /proc are open already, as is what a shell writes into them.
        if stat.S_ISFIFO(os.stat(path).st_mode) and not path.startswith(("/dev/", "/proc/")):
            message, hint = "is a FIFO", "circusd would have to wait for somebody to write into it; give a file"
            return b"", Problem("", "", message, hint, place)
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return b"", Problem("", "", f"cannot be read: {reason}", _remedy(path, error), place)
    if len(data) > LARGEST:
        return b"", Problem(
            "", "", f"is larger than {LARGEST >> 20} MiB", "this cannot be the file that is meant", place
        )
    return data.removeprefix(BYTE_ORDER_MARK), None


def _remedy(path: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        folder = os.path.dirname(path)
        if os.path.isabs(path):
            return "" if os.path.isdir(folder) else f"there is no folder {folder}"
        return f"the current directory is {_current_directory()}"
    if isinstance(error, IsADirectoryError):
        return "give a file; [circus] include_dir reads the files of a directory"
    if isinstance(error, PermissionError):
        return f"circusd runs as user {os.geteuid()}"
    return ""


def _current_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "gone"
