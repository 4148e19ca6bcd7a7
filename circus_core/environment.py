"""What [env], [env:PATTERNS] and a watcher's own env add up to; it does not know what circusd hands on at the start.

The order is [env] < each matching [env:PATTERNS] as written < the watcher's own env. A value may use `$NAME` of
circusd's environment, and `$(circus.env.NAME)` of what comes before it in that order; [env] sees circusd's alone.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from attrs import define, field

from circus_core.expand import environment_variables, expand_environment_value
from circus_core.kinds import ENVIRONMENT
from circus_core.structure import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from circus_core.document import RawSection


@define
class Environments:
    """The environment sections of a configuration."""

    sections: list[RawSection]
    environ: Mapping[str, str]
    problems: list[Problem] = field(factory=list)
    shared: dict[str, str] = field(factory=dict)
    _patterns: list[tuple[RawSection, list[str], dict[str, str]]] = field(factory=list)
    _outside: dict[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._outside = environment_variables(self.environ)
        for section in self.sections:
            values = self._checked(section)
            if section.name:
                patterns = [pattern.strip() for pattern in section.name.split(",")]
                self._patterns.append((section, patterns, values))
            else:
                self.shared = self._resolved(values, {})

    def of(self, watcher: str, own: Mapping[str, str]) -> dict[str, str]:
        """The variables of one watcher. Patterns are compared with its name as written."""
        made = dict(self.shared)
        for _, patterns, values in self._patterns:
            if any(fnmatchcase(watcher, pattern) for pattern in patterns):
                made |= self._resolved(values, made)
        return made | self._resolved(own, made)

    def idle(self, watchers: Iterable[str]) -> list[Problem]:
        """A warning for each pattern that no watcher has use for."""
        names = list(watchers)
        return [
            Problem(section.title, "", f"{pattern!r} matches no watcher", "", section.place, warning=True)
            for section, patterns, _ in self._patterns
            for pattern in patterns
            if not any(fnmatchcase(name, pattern) for name in names)
        ]

    def _resolved(self, values: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
        variables = self._outside | environment_variables(before) if before else self._outside
        return {name: expand_environment_value(text, variables, self.environ) for name, text in values.items()}

    def _checked(self, section: RawSection) -> dict[str, str]:
        values: dict[str, str] = {}
        for name, setting in section.settings.items():
            try:
                values.update(ENVIRONMENT.check({name: setting.value}))
            except ValueError as error:
                hint = "" if isinstance(setting.value, str) else "put it in quotes"
                self.problems.append(Problem(section.title, name, str(error), hint, setting.place))
        return values
