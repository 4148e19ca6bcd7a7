"""A Document made into a Config: sections told apart, variables expanded, options checked. It reads no file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from circus_core.declarations import HOSTS
from circus_core.document import RawSection, keep_first
from circus_core.environment import Environments
from circus_core.errors import OptionError
from circus_core.expand import environment_variables, expand
from circus_core.model import Config, PluginOptions, SupervisorOptions, WatcherOptions
from circus_core.nearest import nearest
from circus_core.structure import Place, Problem, Setting, as_far_as_right, structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from circus_core.document import Document
    from circus_core.finding import Found
    from circus_core.options import Section

Settings = dict[str, Setting]


@frozen
class PluginSections:
    """The `[plugin:...]` sections of a document, by name: the options that all plugins have, and the other settings.

    Once they are resolved, `found` are the plugins that are to run, but those with a mistake.
    """

    options: Mapping[str, PluginOptions]
    settings: Mapping[str, Mapping[str, Setting]]
    problems: tuple[Problem, ...] = ()
    found: Mapping[str, Found] = field(factory=dict)


def build(
    document: Document,
    sections: Mapping[str, Section],
    *,
    strict: bool = False,
    environ: Mapping[str, str] | None = None,
    chosen: PluginSections | None = None,
) -> tuple[Config, list[Problem]]:
    """The configuration as far as it is right, and every problem, those of the reading first in each file.

    `sections` are the known sorts, with what plugins added. `strict` makes unknown options and sections errors.
    `environ` is circusd's environment, for variables. `chosen` is what `plugins` answered, if it was called before.
    """
    builder = _Builder(document, sections, strict, os.environ if environ is None else environ)
    config = builder.config(chosen or builder.plugins())
    return config, in_order(document, (*document.problems, *builder.environments.problems, *builder.problems))


def in_order(document: Document, problems: Iterable[Problem]) -> list[Problem]:
    """Problems as they are found in the files, each once."""
    order = {file: number for number, file in enumerate(document.files)}
    return sorted(
        dict.fromkeys(problems),
        key=lambda at: (order.get(at.place.file, -1), at.place.line) if at.place else (-1, 0),
    )


def plugins(
    document: Document, sections: Mapping[str, Section], *, environ: Mapping[str, str] | None = None
) -> PluginSections:
    """The plugins that a document asks for, to load them before the rest is built; `build` tells their mistakes."""
    return _Builder(document, sections, False, os.environ if environ is None else environ).plugins()


@define
class _Builder:
    """One build: what it works on, and the problems found so far."""

    document: Document
    kinds: Mapping[str, Section]
    strict: bool
    environ: Mapping[str, str]
    problems: list[Problem] = field(factory=list)
    defaults: Mapping[str, Setting] = field(factory=dict)
    environments: Environments = field(init=False)
    variables: dict[str, str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        default = self.document.find("DEFAULT")
        settings = default.settings if default else {}
        self.defaults = {
            self.spelled("watcher", key): evolve(setting, common=True) for key, setting in settings.items()
        }
        env = [evolve(section, settings=self.settings(section)) for section in self.document.of("env")]
        self.environments = Environments(env, self.environ)
        self.variables = environment_variables({**self.environ, **self.environments.shared})

    def config(self, chosen: PluginSections) -> Config:
        self.check_kinds()
        supervisor = self.supervisor()
        watchers = self.watchers()
        self.problems += chosen.problems
        for name, options in chosen.options.items():
            if f"plugin:{name}".lower() in watchers:
                message = f"the name is that of [watcher:plugin:{name}] already"
                self.complain(self.document.find("plugin", options.name), message, "rename the watcher")
        return Config(supervisor, watchers, chosen.options, self.others(), chosen.settings, self.document.files)

    def supervisor(self) -> SupervisorOptions:
        written = self.document.find("circus") or RawSection("circus", "", {}, self.whole_file)
        settings = self.expanded(self.settings(written), self.variables)
        made, problems = as_far_as_right(self.kinds["circus"], settings, strict=self.strict, place=written.place)
        self.note(problems)
        return made or SupervisorOptions()

    def watchers(self) -> dict[str, WatcherOptions]:
        watchers = {}
        for raw in self.named("watcher"):
            settings = self.settings(raw)
            written = settings.pop("env", None)
            env = self.environments.of(raw.name, self.own_env(raw.title, written))
            settings = self.expanded(settings, {**self.variables, **environment_variables(env)})
            if env:
                settings["env"] = Setting(env, written.place if written else raw.place, text=False)
            # What is wrong with it is told, and what else may be is looked at in what is right.
            made, problems = as_far_as_right(
                self.kinds["watcher"], settings, title=raw.title, strict=self.strict, place=raw.place, name=raw.name
            )
            self.note(problems)
            if made is not None:
                key = raw.name.lower()
                # Mostly they are the same; one text is enough then.
                watchers[raw.name if raw.name == key else key] = made
        self.problems += self.environments.idle(raw.name for raw in self.document.of("watcher"))
        return watchers

    def own_env(self, title: str, written: Setting | None) -> Mapping[str, str]:
        entry = self.kinds["watcher"].find("env")
        if written is None or entry is None:
            return {}
        try:
            value: Mapping[str, str] = entry.value(written.value, text=written.text)
        except OptionError as error:
            message = error.message.removeprefix("env = ")
            self.problems.append(Problem(title, "env", message, error.hint, written.place))
            return {}
        return value

    def plugins(self) -> PluginSections:
        before, self.problems = self.problems, []
        chosen, others = {}, {}
        for raw in self.named("plugin"):
            settings = self.expanded(self.settings(raw), self.variables)
            declared = {key: settings.pop(key) for key in list(settings) if self.kinds["plugin"].find(key)}
            if "host" in declared and declared["host"].value not in HOSTS:
                settings["host"] = declared.pop("host")
            made: PluginOptions | None = self.structured(raw, declared, name=raw.name)
            if made is not None:
                chosen[raw.name], others[raw.name] = made, settings
        found, self.problems = tuple(self.problems), before
        return PluginSections(chosen, others, found)

    def others(self) -> dict[str, dict[str, Any]]:
        """The sections that plugins declared; their names are lower-cased, as Circus does with sockets."""
        made: dict[str, dict[str, Any]] = {}
        for kind, section in self.kinds.items():
            if kind in ("circus", "watcher", "plugin"):
                continue
            for raw in self.named(kind) if section.named else self.document.of(kind):
                name = raw.name.lower()
                settings = self.expanded(self.settings(raw), self.variables)
                instance = self.structured(raw, settings, **({"name": name} if section.named else {}))
                if instance is not None:
                    made.setdefault(kind, {})[name] = instance
        return made

    def named(self, kind: str) -> Iterator[RawSection]:
        """The sections of a kind that have a name of their own and say something."""
        seen: dict[str, RawSection] = {}
        for raw in self.document.of(kind):
            name = raw.name.lower()
            if not raw.name:
                self.complain(raw, "has no name", f"it should be [{kind}:NAME], or [{kind}.NAME] in TOML")
            elif not raw.name.isprintable():
                self.complain(raw, f"has the name {raw.name!r}, with a control character", "no log could show it")
            elif name in seen:
                self.complain(
                    raw,
                    f"has the name of [{seen[name].title}] at {seen[name].place}, but for case",
                    "commands take names in any case; rename one of them",
                )
            elif not raw.settings and not self.defaults:
                self.complain(raw, "has no options and is skipped", "", warning=True)
            else:
                seen[name] = raw
                yield raw

    def check_kinds(self) -> None:
        known = {*self.kinds, "env", "DEFAULT"}
        for raw in self.document.sections:
            if raw.kind not in known:
                self.unknown(raw, known)
            elif raw.name and (raw.kind == "DEFAULT" or (raw.kind in self.kinds and not self.kinds[raw.kind].named)):
                self.complain(raw, "has a name, but there is only one such section", f"write [{raw.kind}]")

    def unknown(self, raw: RawSection, known: set[str]) -> None:
        folded = {kind.lower(): kind for kind in known}
        near = nearest(raw.kind, known)
        first, *rest = re.split(r"[\W_]", raw.kind, maxsplit=1)
        if rest and first.lower() in folded:
            toml = " In TOML it is as here, in a file named .toml" if raw.kind[len(first)] == "." else ""
            self.complain(raw, "is not a section", f"did you mean [{folded[first.lower()]}:{rest[0]}]?{toml}")
        elif near:
            name = f":{raw.name}" if raw.name else ""
            self.complain(raw, "is not a section", f"did you mean [{near}{name}]?")
        elif self.strict:
            self.complain(raw, "is not a section", "strict mode refuses unknown sections")
        else:
            self.complain(raw, "is not a section of circus or of a loaded plugin", "it is ignored", warning=True)

    def settings(self, raw: RawSection) -> Settings:
        """The settings of a section and those of [DEFAULT], which sections with keys of their own need not know."""
        section = self.kinds.get(raw.kind)
        taken = self.defaults
        if raw.kind == "env":
            taken = {key: as_text for key, setting in taken.items() if (as_text := _as_text(setting)) is not None}
        elif raw.kind not in ("watcher", "plugin"):
            taken = {key: setting for key, setting in taken.items() if section and section.find(key)}
        own: Settings = {}
        for key, setting in raw.settings.items():
            self.problems += keep_first(own, raw.title, self.spelled(raw.kind, key), setting)
        return {**taken, **own}

    def spelled(self, kind: str, key: str) -> str:
        """The key of a family that TOML has as a table: `rlimit.nofile` is rlimit_nofile."""
        # The section of a plugin has options of its watcher, too.
        for known in (kind, "watcher") if kind == "plugin" else (kind,):
            section = self.kinds.get(known)
            joined = key.replace(".", "_", 1)
            if section is not None and joined != key and not section.find(key):
                family = section.find(joined)
                if family and family.prefix:
                    return joined
        return key

    def expanded(self, settings: Settings, variables: Mapping[str, object]) -> Settings:
        return {key: _expanded(setting, variables) for key, setting in settings.items()}

    def structured(self, raw: RawSection, settings: Settings, **given: object) -> Any | None:
        made, problems = structure(
            self.kinds[raw.kind], settings, title=raw.title, strict=self.strict, place=raw.place, **given
        )
        self.note(problems)
        return made

    def note(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            common = problem.key in self.defaults and problem.place == self.defaults[problem.key].place
            self.problems.append(evolve(problem, section="DEFAULT") if common else problem)

    def complain(self, raw: RawSection | None, message: str, hint: str, *, warning: bool = False) -> None:
        title, place = (raw.title, raw.place) if raw else ("", None)
        self.problems.append(Problem(title, "", message, hint, place, warning))

    @property
    def whole_file(self) -> Place:
        return Place(self.document.files[0] if self.document.files else "", 0)


def _as_text(setting: Setting) -> Setting | None:
    """The setting as a variable of an environment, as TOML writes its value; None for what is no single value."""
    value = setting.value
    if isinstance(value, bool):
        value = str(value).lower()
    return evolve(setting, value=str(value)) if isinstance(value, str | int | float) else None


def _expanded(setting: Setting, variables: Mapping[str, object]) -> Setting:
    """The setting with its variables put in. Text that had some is parsed even if it came from TOML."""
    value = _with_values(setting.value, variables)
    if value == setting.value:
        return setting
    return evolve(setting, value=value, text=setting.text or isinstance(value, str))


def _with_values(value: object, variables: Mapping[str, object]) -> object:
    if isinstance(value, str):
        return expand(value, variables)
    if isinstance(value, list):
        return [_with_values(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: _with_values(item, variables) for key, item in value.items()}
    return value
