"""A module of hooks of a test's own, and watchers that name its functions."""

from __future__ import annotations

import itertools
import sys
import textwrap
from typing import Any

import pytest
from attrs import define

from circus_core.testing import watcher
from circus_plugins.hooks import Hooks

_numbers = itertools.count(1)

NOTED = """
SEEN = []
ANSWERS = {}

def note(watcher, arbiter, hook_name, **given):
    SEEN.append((hook_name, given))
    answer = ANSWERS.get(hook_name, True)
    if isinstance(answer, BaseException) or isinstance(answer, type):
        raise answer
    return answer
"""
"""`note` keeps its calls, and answers or raises what the test says."""


@define
class Module:
    """A file of hooks, found by the PYTHONPATH in the watcher's env."""

    folder: Any
    name: str

    def write(self, code: str) -> None:
        (self.folder / f"{self.name}.py").write_text(textwrap.dedent(code))

    @property
    def imported(self) -> Any:
        return sys.modules[self.name]

    @property
    def seen(self) -> list[tuple[str, dict[str, Any]]]:
        """The hooks called so far, with what was given them."""
        return self.imported.SEEN

    @property
    def names(self) -> list[str]:
        return [name for name, _given in self.seen]

    def path(self, function: str = "note") -> str:
        return f"{self.name}.{function}"

    def watcher(self, *hooks: str, name: str = "w", cmd: str = "sleep 1000", **options: Any) -> Any:
        """A watcher for which each of `hooks` is `note`, or what is written: `before_start=f,true`."""
        named = {}
        for hook in hooks:
            hook, _equals, function = hook.partition("=")
            named[f"hooks.{hook}"] = self.path(function or "note")
        extra = {**named, **options.pop("extra", {})}
        return watcher(name, cmd, extra=extra, env={"PYTHONPATH": str(self.folder)}, **options)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module with `note`."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = Module(tmp_path, f"hooks_of_a_test_{next(_numbers)}")
    made.write(NOTED)
    yield made
    sys.modules.pop(made.name, None)


@pytest.fixture
def answering(module):
    """The answers of `note`, by hook, to set before anything starts."""
    monkey = pytest.MonkeyPatch()
    monkey.syspath_prepend(str(module.folder))
    __import__(module.name)
    monkey.undo()
    return module.imported.ANSWERS


@pytest.fixture
def hooks():
    """What `supervise` takes to have the plugin."""
    return {"hooks": Hooks()}


async def last_error(run, name="w"):
    """What `status` shows of a watcher."""
    return (await run.call("status", name=name, extended=True))["details"][name]["last_error"]
