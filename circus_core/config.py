"""Configuration files read, with what they include, and made into a Config; it has no opinion on any option.

`load` does it all. `read` and `build` are its halves, for who must load plugins in between: they declare options.
"""

from __future__ import annotations

import glob
import logging
import os
from typing import TYPE_CHECKING

from attrs import evolve

from circus_core import ini
from circus_core.build import PluginSections, build, plugins
from circus_core.document import Document, RawSection, Written, merge, read_text
from circus_core.errors import ConfigError
from circus_core.expand import environment_variables, expand
from circus_core.model import sections as core_sections
from circus_core.structure import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from circus_core.model import Config
    from circus_core.options import Section
    from circus_core.structure import Setting

__all__ = ["Document", "PluginSections", "RawSection", "accept", "build", "load", "parse", "plugins", "read"]

log = logging.getLogger("circus.config")

INCLUDES = {"include": ("",), "include_dir": ("*.ini", "*.toml")}


def load(path: str, sections: Mapping[str, Section] | None = None, *, strict: bool = False) -> Config:
    """The configuration in a file and its includes; raises ConfigError with all mistakes, and logs the warnings."""
    return accept(*build(read(path), core_sections() if sections is None else sections, strict=strict))


def accept(config: Config, problems: list[Problem]) -> Config:
    """What `build` answered, if it can be used: raises ConfigError with all mistakes, and logs the warnings."""
    mistakes = [problem for problem in problems if not problem.warning]
    for problem in problems:
        if problem.warning:
            log.warning("%s", problem)
    if mistakes:
        raise ConfigError(mistakes)
    return config


def read(path: str, *, environ: Mapping[str, str] | None = None) -> Document:
    """What a file and the files it includes say: TOML if the name ends so, else ini. Problems are collected.

    The main file comes first, so that an included one can add to it and change nothing. Globs are relative to the
    folder of the main file; includes of included files are not followed.
    """
    text, problems = read_text(path)
    files, documents = [(path, text)], [_parse(path, text)]
    seen = {_identity(path)}
    for found in _included(documents[0], os.path.dirname(path), os.environ if environ is None else environ, problems):
        if _identity(found) not in seen:
            seen.add(_identity(found))
            text, unreadable = read_text(found)
            problems += unreadable
            files.append((found, text))
            documents.append(_parse(found, text))
    return _whole(Written(tuple(files), tuple(problems)), documents)


def parse(written: Written) -> Document:
    """What `read` answered, from the texts that it found."""
    return _whole(written, [_parse(path, text) for path, text in written.files])


def _whole(written: Written, documents: list[Document]) -> Document:
    ignored: list[Problem] = []
    alone = [*documents[:1], *(_without_includes(each, ignored) for each in documents[1:])]
    sections, repeated = merge(section for document in alone for section in document.sections)
    found = [problem for document in alone for problem in document.problems]
    files = tuple(path for path, _ in written.files)
    return Document(sections, files, (*written.problems, *found, *ignored, *repeated), written)


def _parse(path: str, text: str) -> Document:
    if path.lower().endswith(".toml"):
        # Imported by those who use it: its parser costs every circusd 0.4 MB.
        from circus_core import toml

        return toml.parse(text, path)
    return ini.parse(text, path)


def _included(main: Document, folder: str, environ: Mapping[str, str], problems: list[Problem]) -> Iterator[str]:
    """The files that the main one includes, in order, and a warning for each pattern that matches none."""
    circus = main.find("circus")
    variables = environment_variables(environ)
    for key, names in INCLUDES.items():
        setting = circus.settings.get(key) if circus else None
        for pattern in _patterns(setting, variables):
            globs = [os.path.join(pattern, name) if name else pattern for name in names]
            matches = sorted({match for each in globs for match in glob.glob(each, root_dir=folder)})
            paths = [os.path.join(folder, match) for match in matches]
            if any(sign in globs[0] for sign in "*?["):
                paths = [path for path in paths if not os.path.isdir(path)]
            if not paths and setting is not None:
                message, hint = f"{pattern!r} matches no file", f"looked in {folder or '.'} for {' and '.join(globs)}"
                problems.append(Problem("circus", key, message, hint, setting.place, warning=True))
            yield from paths


def _patterns(setting: Setting | None, variables: Mapping[str, str]) -> list[str]:
    """Words in a text; in TOML also a list, whose items may have blanks."""
    value = setting.value if setting else ""
    if isinstance(value, str):
        return expand(value, variables).split()
    items = value if isinstance(value, list) else []
    return [expand(item, variables) for item in items if isinstance(item, str) and item]


def _without_includes(document: Document, problems: list[Problem]) -> Document:
    """An included file without what it would include, and a warning for each such key."""
    circus = document.find("circus")
    if circus is None or INCLUDES.keys().isdisjoint(circus.settings):
        return document
    kept = dict(circus.settings)
    for key in [key for key in INCLUDES if key in kept]:
        message, hint = "is not followed", "only the main file can include others"
        problems.append(Problem("circus", key, message, hint, kept.pop(key).place, warning=True))
    return evolve(
        document, sections=tuple(evolve(each, settings=kept) if each is circus else each for each in document.sections)
    )


def _identity(path: str) -> object:
    """Equal for two names of one file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return path
    return found.st_dev, found.st_ino
