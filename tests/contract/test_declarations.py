"""Whatever is declared is explained and tried: no option, hook, event, command or error without a help and a test.

A test says what it tries by `@pytest.mark.covers("option:uid", ...)`. The names are those of `declarations()`:
`option:` is of a watcher, `circus-option:` of `[circus]`, `plugin-option:` of `[plugin:NAME]`, and `FileStream-option:`
of a stream of that class.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import pytest
import reference

from circus_core.errors import ERRORS
from circus_core.events import EVENTS
from circus_core.hookspecs import Interventions, Lifecycle, event_hooks
from circus_core.options import declared
from circus_plugins.streams import BUNDLED
from circus_plugins.streams.choice import find
from tests.contract.sources import ROOT, marks

PREFIXES = {"watcher": "option"}
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


@cache
def declarations() -> dict[str, Any]:
    """Everything that circus-bus and its bundled plugins declare, by the name a mark has for it."""
    reference.import_everything()
    known = reference.assembly()
    options = {
        f"{PREFIXES.get(section.name, f'{section.name}-option')}:{option.key}": option
        for section in known.sections.values()
        for option in section
    }
    for name, loaded in known.bus.loaded.items():
        cls = getattr(loaded.plugin, "Options", None)
        options |= {f"{name}-option:{key}": option for key, option in (declared(cls) if cls else {}).items()}
    for word in BUNDLED:
        options |= {f"{word}-option:{key}": option for key, option in declared(find(word).Options).items()}
    hooks = reference.hooks(Lifecycle) | reference.hooks(Interventions) | reference.added_hooks()
    # The hooks of events are made from the events, and tried all alike; `circus_event` is the one besides.
    hooks["circus_event"] = reference.hooks(event_hooks())["circus_event"]
    return {
        **options,
        **{f"hook:{name}": hook for name, hook in hooks.items()},
        **{f"event:{name}": event for name, event in EVENTS.items() if _ours(event)},
        **{f"command:{name}": command for name, (command, _) in known.commands.items()},
        **{f"error:{code}": error for code, error in ERRORS.items() if _ours(error)},
    }


def _ours(cls: type) -> bool:
    """Not declared by a test."""
    return cls.__module__.startswith("circus_")


def _words(name: str, thing: Any) -> list[str]:
    """Every text that explains `thing`; an empty one is missing."""
    sort = name.partition(":")[0]
    if sort == "command":
        return [thing.summary, *(argument.help for argument in thing.arguments)]
    if sort.endswith("option"):
        return [thing.help]
    if sort == "event":
        # A class without a docstring would have that of its parent.
        return [vars(thing).get("__doc__") or ""]
    return [(vars(thing).get("__doc__") if inspect.isclass(thing) else inspect.getdoc(thing)) or ""]


@cache
def _marked() -> dict[str, list[str]]:
    """Where each mark stands, by what it names."""
    found: dict[str, list[str]] = {}
    for path in TESTS:
        for line, name in marks(path):
            found.setdefault(name, []).append(f"{path.relative_to(ROOT)}:{line}")
    return found


def test_everything_that_is_declared_is_explained() -> None:
    assert len(declarations()) > 100
    silent = [name for name, thing in declarations().items() if not all(text.strip() for text in _words(name, thing))]
    assert not silent, "these have no help"


def test_everything_that_is_declared_is_in_the_reference() -> None:
    pages = "\n".join(reference.pages().values())
    headings = {line.strip("# `") for line in pages.splitlines() if line.startswith(("## `", "### `"))}
    absent = []
    for name, thing in declarations().items():
        word = name.partition(":")[2] + ("NAME" if getattr(thing, "prefix", False) else "")
        if word not in headings:
            absent.append(name)
    assert not absent, "these have no heading in the generated reference"


@pytest.mark.parametrize("name", list(declarations()))
def test_what_is_declared_is_tried_by_a_test(name: str) -> None:
    if name not in _marked():
        pytest.fail(f'no test has @pytest.mark.covers("{name}")', pytrace=False)


def test_no_mark_names_what_is_not_declared() -> None:
    wrong = [f"{place}: {name}" for name, places in _marked().items() for place in places if name not in declarations()]
    assert not wrong
