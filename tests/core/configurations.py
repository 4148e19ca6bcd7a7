"""Small configurations written, read and built, and what was wrong with them as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from circus_core.config import build, read
from circus_core.model import Config, sections

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.options import Section
    from circus_core.structure import Problem

ENVIRON = {"HOME": "/home/me", "PATH": "/bin", "SIG": "HUP", "N": "4"}


class Write(Protocol):
    """Writes a file in the current directory and answers its name."""

    def __call__(self, text: str | bytes, name: str = "app.ini") -> str: ...


def made(path: str, **options: Any) -> Config:
    config, problems = build(read(path, environ=ENVIRON), sections(), environ=ENVIRON, **options)
    assert all(problem.warning for problem in problems), problems
    return config


def found(path: str, known: Mapping[str, Section] | None = None, **options: Any) -> list[Problem]:
    _, problems = build(read(path, environ=ENVIRON), known or sections(), environ=ENVIRON, **options)
    return problems


def errors(path: str, **options: Any) -> list[str]:
    return [str(problem) for problem in found(path, **options) if not problem.warning]


def warnings(path: str, **options: Any) -> list[str]:
    return [str(problem) for problem in found(path, **options) if problem.warning]
