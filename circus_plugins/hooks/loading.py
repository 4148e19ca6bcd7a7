"""From the dotted path of a hook to its function, imported again where its file has changed. It calls no hook."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

AWAITED = frozenset(
    {"before_stop", "after_start", "after_spawn", "after_stop", "after_signal", "before_reap", "after_reap"}
)
"""Hooks that may be coroutines; circusd needs the answers of the others at once."""


class UnusableError(Exception):
    """A hook that cannot be called, in words."""


@frozen
class Function:
    """A hook of a watcher. `lenient`: an exception counts as success. It prints as it is written in a configuration."""

    hook: str
    path: str
    lenient: bool
    call: Callable[..., Any]

    def __str__(self) -> str:
        return f"hooks.{self.hook} = {self.path}"


class Modules:
    """The modules that hooks come from, and what their files were like when they were imported."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int] | None] = {}

    def functions(self, wanted: Mapping[str, str]) -> dict[str, Function]:
        """The functions that `wanted` names, by hook; raises UnusableError for the first that is none."""
        return {hook: self._function(hook, text) for hook, text in wanted.items()}

    def _function(self, hook: str, text: str) -> Function:
        path, _comma, flag = text.partition(",")
        module, _dot, name = path.replace(":", ".").rpartition(".")
        try:
            call = getattr(self._module(module), name, None)
        except (Exception, SystemExit) as error:
            raise UnusableError(f"hooks.{hook} = {path}: {_in_words(error, module)}") from error
        if call is None:
            raise UnusableError(f"hooks.{hook} = {path}: the module {module} has no {name}")
        if not callable(call):
            raise UnusableError(f"hooks.{hook} = {path}: {name} is no function")
        if inspect.iscoroutinefunction(call) and hook not in AWAITED:
            raise UnusableError(
                f"hooks.{hook} = {path}: {name} is a coroutine function, and circusd needs its answer at once;"
                f" coroutines may be {', '.join(sorted(AWAITED))}"
            )
        return Function(hook, path, flag == "true", call)

    def _module(self, name: str) -> ModuleType:
        module = sys.modules.get(name)
        if module is None:
            importlib.invalidate_caches()
            module = importlib.import_module(name)
        elif name in self._seen and self._seen[name] != _stamp(module):
            module = importlib.reload(module)
        self._seen[name] = _stamp(module)
        return module


def make_findable(folders: Iterable[str]) -> None:
    """Have modules looked for in these folders too, after all others."""
    for folder in folders:
        if folder not in sys.path:
            sys.path.append(folder)


def _stamp(module: ModuleType) -> tuple[int, int] | None:
    try:
        seen = os.stat(module.__file__ or "")
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size


def _in_words(error: BaseException, module: str) -> str:
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
        return f"{words}; it is looked for beside the configuration and in the PYTHONPATH of the watcher's env"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    if isinstance(error, SyntaxError) or not frames or frames[-1].filename == __file__:
        return words
    return f"{words} ({frames[-1].filename}:{frames[-1].lineno})"
