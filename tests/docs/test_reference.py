"""The generated reference has every declaration, and every declaration says what it is."""

from __future__ import annotations

import inspect

import attrs
import pytest
import reference

from circus_core.errors import ERRORS
from circus_core.events import EVENTS
from circus_core.hookspecs import Interventions, Lifecycle, event_hooks
from circus_core.requests import COMMANDS


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.pages()


def entries(page: str) -> set[str]:
    """The names in the page's headings."""
    return {line.strip("# `") for line in page.splitlines() if line.startswith(("## `", "### `"))}


def ours(table: dict[str, type]) -> dict[str, type]:
    """Without the classes that other tests declare."""
    return {name: cls for name, cls in table.items() if cls.__module__.startswith("circus_")}


def test_every_option_has_an_entry_with_help(pages: dict[str, str]) -> None:
    found = entries(pages["options"])
    for section in reference.assembly().sections.values():
        for option in section:
            assert option.key + ("NAME" if option.prefix else "") in found
            assert option.help.endswith("."), f"[{section.name}] {option.key}: help is a sentence"


def test_every_hook_has_an_entry_with_a_description(pages: dict[str, str]) -> None:
    found = entries(pages["hooks"])
    groups = [reference.hooks(group) for group in (Lifecycle, Interventions, event_hooks())]
    for group in (*groups, reference.added_hooks()):
        for name, function in group.items():
            assert name in found
            assert inspect.getdoc(function), f"{name} has no docstring"


def test_every_event_has_an_entry_with_its_fields(pages: dict[str, str]) -> None:
    found = entries(pages["events"])
    for name, event in ours(EVENTS).items():
        assert name in found
        assert event.__doc__, f"{name} has no docstring"
        part = pages["events"].partition(f"## `{name}`")[2].partition("\n## ")[0]
        for field in attrs.fields(event):
            assert field.name in ("seq", "at") or f"| `{field.name}` |" in part


def test_every_command_has_an_entry_with_a_summary_and_arguments_that_are_explained(pages: dict[str, str]) -> None:
    found = entries(pages["commands"])
    for name, command in COMMANDS.items():
        assert name in found
        assert command.summary.endswith("."), f"{name}: the summary is a sentence"
        assert all(argument.help for argument in command.arguments), f"{name}: every argument has a help"


def test_every_error_has_an_entry_with_a_description(pages: dict[str, str]) -> None:
    found = entries(pages["errors"])
    for code, error in ours(ERRORS).items():
        assert code in found
        assert error.__doc__, f"{code} has no docstring"


def test_text_of_a_declaration_is_only_words_outside_of_backticks() -> None:
    assert reference.prose("*.ini in [x] but `*` and `$(a)` stay") == r"\*.ini in \[x\] but `*` and `$(a)` stay"


def test_usage_shows_what_may_be_left_out() -> None:
    assert reference.usage(COMMANDS["get"]) == "circusctl get NAME KEYS ..."
    assert reference.usage(COMMANDS["incr"]) == "circusctl incr NAME [NB] [--waiting]"
