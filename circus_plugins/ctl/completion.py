"""What may come next in a command line, for shells and the prompt; it asks circusd for names, but never for long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import argcomplete
from argcomplete.completers import FilesCompleter
from argcomplete.finders import CompletionFinder
from argcomplete.lexers import split_line
from argcomplete.shell_integration import shellcode

from circus_core.errors import CircusError
from circus_plugins.ctl import report
from circus_plugins.ctl.catalogue import from_schema, local
from circus_plugins.ctl.grammar import spoken
from circus_plugins.ctl.mistakes import UsageError
from circus_plugins.ctl.parsers import PLAIN, Parser, fill, global_parser
from circus_plugins.ctl.session import NoAnswerError, Session
from circus_plugins.ctl.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Container, Iterable, Mapping

    from circus_core.requests import Argument, Command

PATIENCE = 0.5
"""Seconds to wait for circusd's answer: somebody holds the Tab key."""
FRESH = 3.0
"""Seconds for which an answer is used again."""
OF_PLUGINS = frozenset({"plugins_rm", "plugins_set", "plugins_restart", "plugins_show"})
NEW_NAMES = frozenset({"add", "keys", "plugins_add", "plugins_new"})
"""Commands with a name that is no watcher's, and is not known yet."""


def answer(environ: Mapping[str, str]) -> int:
    """Answer a shell that set argcomplete's variables, or those of Circus' own script (PROTOCOL.md 8.1)."""
    if "_ARGCOMPLETE" not in environ:
        return _as_circus(environ)
    names = Names(Settings(_given(environ)))
    commands = [*local().values(), *names.commands()]
    argcomplete.autocomplete(parser(commands, names), always_complete_options=False)
    return report.DONE


def _as_circus(environ: Mapping[str, str]) -> int:
    words = environ.get("COMP_WORDS", "").split()
    at = int(environ.get("COMP_CWORD") or 0)
    current = words[at] if 0 < at < len(words) else ""
    print(" ".join(name for name in sorted(local()) if name.startswith(current)) if at == 1 else "")
    return 1


def script(shell: str) -> str:
    """What a shell has to read to complete circusctl's words; files only where a file is meant."""
    return str(shellcode(["circusctl"], use_defaults=False, shell=shell))


def parser(commands: Iterable[Command], names: Names) -> Parser:
    """One parser of everything, whose arguments know their possible values."""
    whole = global_parser()
    _complete_files(whole)
    below = {"": whole.add_subparsers(parser_class=Parser)}
    parts: dict[str, Parser] = {}
    for command in sorted(commands, key=lambda command: command.name):
        first, word = _place(command, parts)
        if first not in below:
            below[first] = parts[first].add_subparsers(parser_class=Parser)
        part = parts[command.name] = below[first].add_parser(word, help=command.summary, **PLAIN)
        for action, argument in fill(part, command):
            action.completer = _completer(command, argument, names)  # type: ignore[attr-defined]
    return whole


def _place(command: Command, parts: Container[str]) -> tuple[str, str]:
    """After which word the last word of a command comes, if after any: `add` of `plugins add` comes after `plugins`."""
    first, _, second = spoken(command.name).partition(" ")
    return (first, second) if second and first in parts else ("", command.name)


def _complete_files(whole: Parser) -> None:
    for action in whole._actions:
        files = action.dest in ("key", "ssh_keyfile")
        action.completer = FilesCompleter() if files else _nothing  # type: ignore[attr-defined]


def _completer(command: Command, argument: Argument, names: Names) -> Callable[..., Iterable[str]]:
    def watchers(**_: Any) -> list[str]:
        return names.watchers()

    def pids(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        return names.pids(getattr(parsed_args, "name", ""))

    def keys(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        given = getattr(parsed_args, argument.name, None) or []
        if argument.kind == "object" and len(given) % 2:
            return names.values(given[-1])
        return names.options(getattr(parsed_args, "name", ""))

    if argument.choices:
        return lambda **_: list(argument.choices)
    if argument.kind == "signal":
        return lambda **_: _signals()
    if argument.name == "name" and command.name in OF_PLUGINS:
        return lambda **_: names.plugins()
    if argument.name == "use":
        return lambda **_: names.installed()
    if argument.name in ("name", "names", "watcher") and command.name not in NEW_NAMES:
        return watchers
    if argument.name == "pid":
        return pids
    if argument.positional and argument.name in ("keys", "options"):
        return _nothing if command.name.startswith("plugins_") else keys
    if argument.name == "topic":
        return _topics
    if argument.name in ("key", "ssh_keyfile", "dir", "cmd"):
        return FilesCompleter()
    return _nothing


def _signals() -> list[str]:
    import signal

    return [entry.name.removeprefix("SIG") for entry in signal.Signals]


def _topics(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """The first words of commands, or the second ones of those that begin with what is typed already."""
    before = [*(getattr(parsed_args, "topic", None) or []), ""]
    at = before.index("")
    found = [spoken(name).split() for name in local()]
    return sorted({words[at] for words in found if len(words) > at and words[:at] == before[:at]})


def _nothing(**_: Any) -> list[str]:
    return []


class Names:
    """Names that the running circusd knows, kept for a moment; none if it does not answer."""

    def __init__(self, settings: Settings, session: Session | None = None) -> None:
        self._session = session or Session(settings)
        self._kept: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
        self._silent_until = 0.0

    def commands(self) -> list[Command]:
        """Its commands that are not in the table of this circusctl."""
        known = local()
        return [from_schema(entry) for entry in self._ask("commands").get("commands", []) if entry["name"] not in known]

    def watchers(self) -> list[str]:
        """Its watchers."""
        return list(self._ask("list").get("watchers", []))

    def plugins(self) -> list[str]:
        """Its plugins."""
        return [entry["name"] for entry in self._ask("plugins", installed=True).get("plugins", [])]

    def installed(self) -> list[str]:
        """What may be added to it as a plugin."""
        return [entry["name"] for entry in self._ask("plugins", installed=True).get("installed", [])]

    def pids(self, watcher: str) -> list[str]:
        """The pids of a watcher."""
        return [str(pid) for pid in self._ask("list", name=watcher).get("pids", [])] if watcher else []

    def options(self, watcher: str) -> list[str]:
        """The options of a watcher."""
        return list(self._ask("options", name=watcher).get("options", [])) if watcher else []

    def values(self, option: str) -> list[str]:
        """The values that an option of a watcher can have, where they can be counted."""
        from circus_core.kinds import SIGNAL
        from circus_core.model import sections

        known: Mapping[str, Any]
        entry = sections()["watcher"].find(option.lower())
        if entry is not None and entry.kind is SIGNAL:
            return _signals()
        if entry is not None:
            known = entry.kind.schema
        else:
            known = self._ask("schema").get("sections", {}).get("watcher", {}).get("properties", {}).get(option, {})
        words: Any = ("true", "false") if known.get("type") == "boolean" else known.get("enum", ())
        return [str(word) for word in words]

    def _ask(self, command: str, **properties: Any) -> dict[str, Any]:
        now = time.monotonic()
        key = command, str(properties)
        at, known = self._kept.get(key, (-FRESH, {}))
        if now - at < FRESH or now < self._silent_until:
            return known
        try:
            if self._session.nobody_there():
                return {}
            found = self._session.ask(command, properties, timeout=PATIENCE)
        except (NoAnswerError, CircusError):
            self._silent_until = time.monotonic() + FRESH
            return {}
        found = {} if report.is_error(found) else found
        self._kept[key] = (now, found)
        return found


class Finder:
    """Possible next words of a line at the prompt."""

    def __init__(self, commands: Iterable[Command], names: Names) -> None:
        self._finder = CompletionFinder(parser(commands, names), always_complete_options=False)

    def next_words(self, line: str) -> list[tuple[str, str]]:
        """Words that may stand in place of the last, unfinished one, with what they mean."""
        quote = split_line(line)[0]
        found: list[tuple[str, str]] = []
        while (whole := self._finder.rl_complete(line, len(found))) is not None:
            word = self.typed(line) + whole[len(line) :]
            meaning = self._finder.get_display_completions().get(word.strip(), "")
            found.append((f"{word}{quote} " if quote else word, meaning))
        return found

    @staticmethod
    def typed(line: str) -> str:
        """The unfinished word at the end of a line."""
        return "" if line[-1:].isspace() else (line.split() or [""])[-1]


def _given(environ: Mapping[str, str]) -> dict[str, Any]:
    """The global options in the line that a shell wants completed, such as --endpoint."""
    import shlex

    line = environ.get("COMP_LINE", "")[: int(environ.get("COMP_POINT") or 0)]
    try:
        return vars(global_parser().parse_known_args(shlex.split(line)[1:])[0])
    except (ValueError, UsageError):  # an unfinished line is what completion is for
        return {}
