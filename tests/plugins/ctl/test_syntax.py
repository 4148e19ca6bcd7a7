"""Command lines become requests, by the declarations of all commands and by Circus' syntax (PROTOCOL.md 8.1)."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.requests import COMMANDS, Argument, Command, Role
from circus_plugins.ctl import manual
from circus_plugins.ctl.catalogue import OWN, find, from_schema, local
from circus_plugins.ctl.conversion import command_line
from circus_plugins.ctl.mistakes import UsageError
from circus_plugins.ctl.syntax import read, split

SAMPLES: dict[str, tuple[str, Any]] = {
    "text": ("some", "some"),
    "words": ("some", "some"),
    "integer": ("3", 3),
    "number": ("0.5", 0.5),
    "signal": ("HUP", "HUP"),
    "list": ("a,b", ["a", "b"]),
    "any": ("some", "some"),
    "object": ("a=b", {"a": "b"}),
}
RESTS: dict[str, tuple[list[str], Any]] = {
    "text": (["prog", "-x", "y"], "prog -x y"),
    "list": (["a", "b"], ["a", "b"]),
    "object": (["a", "1", "b", "-2"], {"a": "1", "b": "-2"}),
}


@pytest.mark.parametrize(
    ("line", "properties"),
    [
        ("start", {}),
        ("start web", {"name": "web"}),
        ("start --match regex 'w.*' --waiting", {"name": "w.*", "match": "regex", "waiting": True}),
        ("stop 'w*' --match=glob", {"name": "w*", "match": "glob"}),
        ("reload web --terminate", {"name": "web", "graceful": False}),
        ("reload --sequential web", {"name": "web", "sequential": True}),
        ("signal web HUP", {"name": "web", "signum": "HUP"}),
        ("signal web 42 9", {"name": "web", "pid": 42, "signum": 9}),
        ("signal web 42 --children SIGRTMIN+1", {"name": "web", "pid": 42, "children": True, "signum": "SIGRTMIN+1"}),
        ("signal --recursive web 42 TERM", {"name": "web", "pid": 42, "recursive": True, "signum": "TERM"}),
        ("kill web", {"name": "web"}),
        ("kill web 42 --signum INT --graceful_timeout 2", {"name": "web", "pid": 42, "signum": "INT",
                                                           "graceful_timeout": 2.0}),
        ("kill web --graceful-timeout 0.5 --waiting", {"name": "web", "graceful_timeout": 0.5, "waiting": True}),
        ("rm web --nostop --waiting", {"name": "web", "nostop": True, "waiting": True}),
        ("incr web", {"name": "web"}),
        ("incr web 3 --waiting", {"name": "web", "nb": 3, "waiting": True}),
        ("decr web -1", {"name": "web", "nb": -1}),
        ("add one sleep 5", {"name": "one", "cmd": "sleep 5"}),
        ("add one 'sleep 5' --start --waiting", {"name": "one", "cmd": "sleep 5", "start": True, "waiting": True}),
        ("add --start one sh -c 'sleep 5; date'", {"name": "one", "cmd": "sh -c 'sleep 5; date'", "start": True}),
        ("add one prog --json --start -v", {"name": "one", "cmd": "prog --json --start -v"}),
        ("add one -- prog --start", {"name": "one", "cmd": "prog --start"}),
        ("add one sh -- x", {"name": "one", "cmd": "sh -- x"}),
        ("add --options NUMPROCESSES=2 --options env=A=b one x", {"name": "one", "cmd": "x",
                                                                  "options": {"numprocesses": "2", "env": "A=b"}}),
        ("set web numprocesses 4", {"name": "web", "options": {"numprocesses": "4"}}),
        ("set web Priority -4 args -v --waiting", {"name": "web", "options": {"priority": "-4", "args": "-v"},
                                                   "waiting": True}),
        ("get web cmd args", {"name": "web", "keys": ["cmd", "args"]}),
        ("stats --extended web", None),
        ("status stop", {"name": "stop"}),
        ("reloadconfig --plan", {"plan": True}),
        ("start -- -odd", {"name": "-odd"}),
        ("quit --waiting", {"waiting": True}),
    ],
)  # fmt: skip
def test_lines_of_circus(line: str, properties: dict[str, Any] | None) -> None:
    word, *words = shlex.split(line)
    if properties is None:
        assert word not in COMMANDS  # a plugin's; circusctl learns it from circusd
        return
    assert read(COMMANDS[word], words) == (properties, {})


@pytest.mark.parametrize("command", [*COMMANDS.values(), *OWN.values()], ids=lambda command: command.name)
def test_every_argument_of_every_command_can_be_given(command: Command) -> None:
    words: list[str] = []
    expected: dict[str, Any] = {}
    for argument in command.arguments:
        flag = [] if argument.positional else [argument.flag]
        if argument.rest:
            texts, value = RESTS[argument.kind]
            words = [*words, *texts]
        elif argument.kind == "boolean":
            words, value = [*flag, *words], argument.default is not True
        else:
            text, value = (argument.choices[0],) * 2 if argument.choices else SAMPLES[argument.kind]
            words = [*words, text] if argument.positional else [*flag, text, *words]
        expected[argument.name] = value
    assert read(command, words) == (expected, {})


@pytest.mark.parametrize("command", [*COMMANDS.values(), *OWN.values()], ids=lambda command: command.name)
def test_help_tells_every_argument(command: Command) -> None:
    text = manual.explanation(command)
    assert command.summary in text
    for argument in command.arguments:
        assert (argument.flag or argument.name.upper()) in text or argument.kind == "object"


@pytest.mark.parametrize("columns", [80, 300])
def test_help_is_no_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    texts = [manual.overview([]), *map(manual.explanation, local().values())]
    examples = {f"  {command.example}" for command in local().values()}
    lines = {line for text in texts for line in text.splitlines()} - examples
    assert [line for line in lines if len(line) > min(columns, manual.WIDEST)] == []
    assert max(map(len, lines)) > min(columns, manual.WIDEST) - 10


def test_help_says_what_a_flag_that_turns_off_does() -> None:
    text = manual.explanation(COMMANDS["reload"])
    assert re.search(r"^  --terminate +Stop the old processes first, as `restart` does\.$", text, re.MULTILINE)


def test_help_names_what_is_below_a_command() -> None:
    text = manual.explanation(COMMANDS["plugins"], [Command("plugins_add", Role.ADMIN, "Add one.")])
    assert "see also:\n  plugins add  Add one.\n  plugins new  Write a new plugin" in text


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("start a b", "start: too many words: b", "it takes NAME"),
        ("incr", "incr: NAME missing", ""),
        ("signal web", "signal: SIGNUM missing", ""),
        ("signal web x TERM", "signal: PID: 'x' is not a whole number", ""),
        ("set web numprocesses", "set: KEY VALUE: 'numprocesses' has no value", ""),
        ("set web", "set: KEY VALUE missing", ""),
        ("list --timeout soon", "--timeout: 'soon' is not a number", ""),
        ("list --timeout nan", "--timeout: 'nan' is not a number", ""),
        ("start --match fuzzy web", "--match: 'fuzzy' is not one of simple, glob, regex", ""),
        ("start --wating web", "circusctl start: unknown option --wating", "did you mean --waiting?"),
        ("add --options x one cmd", "--options: 'x' has no '='; expected KEY=VALUE", ""),
        ("start web --match", "--match: expected one argument", ""),
    ],
)
def test_mistakes(line: str, message: str, hint: str) -> None:
    word, *words = shlex.split(line)
    with pytest.raises(UsageError) as caught:
        read(COMMANDS[word], words)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert caught.value.usage.startswith("usage: circusctl")


def test_global_options_before_and_after_the_command() -> None:
    given, rest = split(["--endpoint", "ipc://x", "--timeout=3", "--json", "status", "web", "--prettify"])
    assert given == {"endpoint": "ipc://x", "timeout": 3.0, "json": True}
    assert rest == ["status", "web", "--prettify"]
    assert read(COMMANDS["status"], rest[1:]) == ({"name": "web"}, {"prettify": True})
    with pytest.raises(UsageError, match="unknown option --jsno"):
        split(["--jsno", "status"])


@given(st.lists(st.text(min_size=1, alphabet=st.characters(exclude_characters="\0")), min_size=2))
def test_a_command_line_keeps_its_words(words: list[str]) -> None:
    assert shlex.split(command_line(words)) == words


@given(st.lists(st.text(min_size=1, alphabet="abcXYZ09._/=:$()*-"), min_size=1))
def test_a_plain_command_line_is_joined_by_blanks_as_in_circus(words: list[str]) -> None:
    assert command_line(words) == " ".join(words)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_a_command_is_the_same_when_learned_from_circusd(command: Command) -> None:
    learned = from_schema({**command.schema(), "new": "of a later version"})
    assert learned.schema() == command.schema()


def test_only_unknown_commands_are_asked_for() -> None:
    def ask() -> list[Command]:
        return [Command("stats", Role.VIEW, "Figures.", Argument("name", "text", "Whose.", positional=True))]

    def never() -> list[Command]:
        raise AssertionError

    assert find("STATUS", never) is COMMANDS["status"]
    assert find("stats", ask).name == "stats"
    with pytest.raises(UsageError) as caught:
        find("stast", ask)
    assert (caught.value.message, caught.value.hint) == ("unknown command stast", "did you mean stats?")
    with pytest.raises(UsageError) as caught:
        find("stauts", list)
    assert caught.value.hint.startswith("did you mean status? (no circusd answered")
