"""Which commands there are: circusd's table, circusctl's own, and what a running circusd says its plugins added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circus_core.requests import COMMANDS, Argument, Command, Role
from circus_plugins.ctl.grammar import positionals, spoken
from circus_plugins.ctl.mistakes import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OWN: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            "listen", Role.VIEW, "Follow the events as they happen.",
            Argument("topics", "list", "Beginnings of topics, such as watcher.web or watcher.web.reap; all if none.",
                     positional=True, rest=True),
            help="Events go out on an endpoint of their own, for which circusctl asks circusd; --endpoint may be that "
            "one too. Ctrl-C ends it.",
            example="circusctl listen watcher.web",
        ),
        Command(
            "events", Role.VIEW, "Show the last events, and with --follow those to come.",
            Argument("watcher", "text", "Only events of this watcher.", positional=True),
            Argument("since", "text", "Begin after this event's number, or this long ago, such as 90s, 5m or 2h."),
            Argument("until", "integer", "End with this event's number."),
            Argument("event", "text", "Only events of this name, such as process_exited."),
            Argument("limit", "integer", "At most so many events; without --since the newest, 50 if not told.",
                     short="-n"),
            Argument("follow", "boolean", "Go on with the events to come; none between is lost.", short="-f"),
            example="circusctl events web --since 10m --follow",
        ),
        Command(
            "tail", Role.VIEW, "Show what processes said last, and with --follow what they say.",
            Argument("names", "list", "Watchers, patterns for several, or NAME/WID for one process; all if none.",
                     positional=True, rest=True),
            Argument("follow", "boolean", "Go on with what they say, until Ctrl-C.", short="-f"),
            Argument("lines", "integer", "Begin with the last so many lines of each watcher, 10 if not told; with"
                     " --since or --grep with all of them.", short="-n"),
            Argument("stderr", "boolean", "Only standard error."),
            Argument("stdout", "boolean", "Only standard output."),
            Argument("since", "text", "Begin with what was said so long ago, such as 90s, 5m or 2h."),
            Argument("grep", "text", "Only lines in which this regular expression is found; (?i) before it for any"
                     " case."),
            Argument("time", "boolean", "Say when each line came.", short="-t"),
            Argument("prefix", "boolean", "Say whose each line is.", default=True, flag="--no-prefix",
                     off="The lines as they were written, without saying whose each is."),
            help="circusd keeps the latest 64 KiB of each process (recent_output) where its output has a stream. A line"
            " of standard output is after a |, one of standard error after a !.",
            example="circusctl tail web worker -f --grep ERROR",
        ),
        Command(
            "keys", Role.ADMIN, "Make, list and revoke the keys of clients.",
            Argument("action", "text", "What to do.", required=True, positional=True,
                     choices=("new", "list", "revoke")),
            Argument("name", "text", "With new and revoke: whose key.", positional=True),
            Argument("role", "text", "With new: what its owner may do.", default="operate",
                     choices=("view", "operate", "admin")),
            Argument("dir", "text", "The folder of keys; circusd's default if not given."),
            help="It works on files of this machine and asks no circusd.",
            example="circusctl keys new alice --role view",
        ),
        Command(
            "plugins_new", Role.VIEW, "Write a new plugin: a distribution with a test, ready to install.",
            Argument("name", "text", "The plugin's name.", required=True, positional=True),
            Argument("folder", "text", "Where it is written; ./circus-NAME if not given."),
            help="It writes files, overwrites none, and asks no circusd.",
            example="circusctl plugins new night-watch",
        ),
        Command(
            "completion", Role.VIEW, "Print the completion script of a shell.",
            Argument("shell", "text", "Which shell.", required=True, positional=True, choices=("bash", "zsh", "fish")),
            example="circusctl completion bash > ~/.local/share/bash-completion/completions/circusctl",
        ),
        Command(
            "help", Role.VIEW, "Explain circusctl, or a command.",
            Argument("topic", "list", "A command, such as start or plugins add.", positional=True, rest=True),
        ),
    )
}  # fmt: skip
"""What circusctl does itself. `listen` is also in circusd's table, where it is only refused (PROTOCOL.md 1.5)."""


def local() -> dict[str, Command]:
    """Every command known without asking circusd."""
    return {**COMMANDS, **OWN}


def find(word: str, ask: Callable[[], Iterable[Command]]) -> Command:
    """The command called `word`, in any case. `ask` is called only if it is not known here; raises UsageError."""
    name = word.lower()
    found = OWN.get(name) or COMMANDS.get(name)
    if found is not None:
        return found
    learned = {command.name: command for command in ask()}
    if name in learned:
        return learned[name]
    raise _unknown(word, [*local(), *learned], "circusctl --help", answered=bool(learned))


def _unknown(words: str, known: Iterable[str], listing: str, *, answered: bool) -> UsageError:
    hint = nearest(words.lower(), known) or f"{listing} lists them"
    if not answered:
        hint += " (no circusd answered, so the commands of its plugins are not known)"
    return UsageError(f"unknown command {words}", hint=hint)


def find_in(words: list[str], ask: Callable[[], Iterable[Command]]) -> tuple[Command, list[str]]:
    """The command that words begin with, and the words after it; raises UsageError.

    `plugins add` is the command `plugins_add`, and so with every pair of words for which there is one, where the first
    is not a command with words of its own. Where it is one without, as `plugins` is, no other word may follow it.
    """
    first, second = words[0].lower(), words[1].lower() if len(words) > 1 else ""
    alone = OWN.get(first) or COMMANDS.get(first)
    if second and not second.startswith("-") and (alone is None or not positionals(alone)):
        if (first, second) == ("plugins", "list"):
            return COMMANDS[first], words[2:]
        joined = f"{first}_{second}"
        found = OWN.get(joined) or COMMANDS.get(joined)
        asked: list[Command] = []
        if found is None:
            asked = list(ask())
            ask = asked.__iter__
            found = next((command for command in asked if command.name == joined), None)
        if found is not None:
            return found, words[2:]
        pairs = [spoken(name) for name in [*local(), *(each.name for each in asked)] if name.startswith(f"{first}_")]
        if alone is not None and pairs:
            raise _unknown(f"{first} {second}", pairs, f"circusctl {first} --help", answered=bool(asked))
    return find(words[0], ask), words[1:]


def from_schema(schema: dict[str, Any]) -> Command:
    """The command that `Command.schema` described; what a newer circusd adds to it is passed over."""
    arguments = [
        Argument(
            entry["name"],
            entry["kind"],
            entry["help"],
            required=entry["required"],
            default=entry["default"],
            choices=tuple(entry["choices"]),
            positional=entry["positional"],
            rest=entry["rest"],
            flag=entry["flag"],
            off=entry.get("off", ""),
            short=entry.get("short", ""),
        )
        for entry in schema["arguments"]
        if not (schema["waits"] and entry["name"] == "waiting")
    ]
    return Command(
        schema["name"],
        Role[schema["role"].upper()],
        schema["summary"],
        *arguments,
        help=schema["help"],
        replies=schema["replies"],
        waits=schema["waits"],
        example=schema["example"],
    )
