"""From `stdout_stream.*` of a watcher to a sink's class and its options, with every mistake by its key."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from circus_core.errors import PluginError
from circus_core.expand import environment_variables, expand, expand_wid
from circus_core.loghandlers import unwritable
from circus_core.nearest import did_you_mean
from circus_core.options import Section
from circus_core.structure import Problem, Setting, structure
from circus_plugins.streams import BUNDLED, CIRCUS
from circus_plugins.streams.sink import NoOptions, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from circus_core.model import Launch, WatcherOptions

CHANNELS = ("stdout", "stderr")
ENTRY_POINTS = "circus.streams"


@frozen
class Choice:
    """The sink of one channel, before anything is opened. `options` is what the class declares, or keywords.

    `owner` is the watcher and the channel if nobody else is to write to it.
    """

    word: str
    make: Callable[[Any], Sink]
    options: Any
    owner: tuple[str, str] | None = None

    def expanded(self, launch: Launch) -> Any:
        """The options with `$(circus.wid)` and the like for one process."""
        known: dict[str, object] = {"wid": launch.wid, "name": launch.watcher}
        texts = self.options if isinstance(self.options, dict) else _texts(self.options)
        new = {}
        for key, text in texts.items():
            if isinstance(text, str) and varies(text):
                known = {**environment_variables(launch.env), **known}
                new[key] = expand_wid(expand(text, known), str(launch.wid))
        filename = new.get("filename", texts.get("filename"))
        if isinstance(filename, str) and not isinstance(self.options, dict) and not os.path.isabs(filename):
            # However it is written, it is one file, and one sink's.
            new["filename"] = os.path.abspath(filename) if filename else filename
        if not new:
            return self.options
        return {**self.options, **new} if isinstance(self.options, dict) else evolve(self.options, **new)


def varies(text: str) -> bool:
    """Whether a text may have variables in it, so that only a launch tells what it is."""
    return "$" in text or "((" in text


def settings(watcher: WatcherOptions, channel: str) -> dict[str, object]:
    """What a watcher's options say about one channel, by key."""
    family = f"{channel}_stream."
    return {key.removeprefix(family): value for key, value in watcher.extra.items() if key.startswith(family)}


def choose(watcher: WatcherOptions, channel: str) -> tuple[Choice | None, list[Problem]]:
    """The sink that is configured, or None if none is or something is wrong with it."""
    said = settings(watcher, channel)
    if not said:
        return None, []
    title, family = f"watcher:{watcher.name}", f"{channel}_stream."
    word = said.pop("class", None)
    if word is None:
        if "filename" not in said:
            hint = f"name a class, such as FileStream; there are {', '.join(BUNDLED)}"
            return None, [Problem(title, family + next(iter(said)), f"belongs to no {family}class", hint)]
        word = "FileStream"
    if (bundled := str(word).removeprefix(CIRCUS)) in BUNDLED:
        word = bundled
    try:
        cls = find(str(word))
    except PluginError as error:
        return None, [Problem(title, family + "class", error.message, error.hint)]
    if not (isinstance(cls, type) and issubclass(cls, Sink)):
        # An object of somebody else's class is for one watcher, as in Circus.
        return Choice(str(word), lambda options: _called(cls, options), said, (watcher.name, channel)), []
    raw = {key: Setting(value, text=isinstance(value, str)) for key, value in said.items()}
    section = Section("stream", cls.Options)
    made, problems = structure(section, raw, title=title)
    told = [evolve(problem, key=family + problem.key, message=_of(word, problem)) for problem in problems]
    owner = (watcher.name, channel) if cls.own else None
    return (None if made is None else Choice(str(word), cls, made, owner)), told


def problems(watcher: WatcherOptions) -> Iterator[Problem]:
    """What is wrong with the streams of a watcher, and a warning for each file that could not be written now."""
    for channel in CHANNELS:
        choice, found = choose(watcher, channel)
        yield from found
        path = getattr(choice.options, "filename", None) if choice else None
        # Where it has a variable, only a launch tells.
        reason = unwritable(path) if path and not varies(path) else ""
        if reason:
            message, hint = f"{path} cannot be opened: {reason}", "make its folder, or name another file"
            yield Problem(f"watcher:{watcher.name}", f"{channel}_stream.filename", message, hint, warning=True)


def find(word: str) -> Any:
    """The class that `class` means: a word, an entry point's name, or a dotted path; raises PluginError."""
    word = word.removeprefix(CIRCUS)
    if word in BUNDLED:
        return getattr(importlib.import_module(f"circus_plugins.streams.{BUNDLED[word]}"), word)
    if "." not in word and ":" not in word:
        from importlib.metadata import entry_points

        found = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
        if word not in found:
            known = [*BUNDLED, *found]
            raise PluginError(f"{word} is no stream", hint=did_you_mean(word, known, f"there are {', '.join(known)}"))
        try:
            return found[word].load()
        except Exception as error:
            raise PluginError(f"{word} cannot be imported: {type(error).__name__}: {error}") from error
    module, _dot, name = word.replace(":", ".").rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError:
        raise PluginError(f"{module} has no {name}") from None
    except Exception as error:
        raise PluginError(f"{word} cannot be imported: {type(error).__name__}: {error}") from error


def _called(cls: Any, options: Mapping[str, Any]) -> Sink:
    from circus_plugins.streams.callables import Called

    return Called(cls(**options))


def _texts(options: Any) -> dict[str, object]:
    if isinstance(options, NoOptions):
        return {}
    return {field.name: getattr(options, field.name) for field in type(options).__attrs_attrs__}


def _of(word: object, problem: Problem) -> str:
    unknown = "is not an option of circus or of a loaded plugin"
    return f"is not an option of {word}" if problem.message == unknown else problem.message
