"""The plugin `virtualenv`: processes of a watcher run in a Python environment (PROTOCOL.md 4.4). It makes none.

The user that the hook `circus_adjust_launch` has in the bundle.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve

from circus_core.kinds import TEXT
from circus_core.lacking import lacking_program
from circus_core.model import Refuse
from circus_core.options import Effect
from circus_core.plugin import CircusPlugin
from circus_core.structure import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circus_core.model import Config, Launch, WatcherOptions
    from circus_core.plugin import Registry


NEEDS_COPY_ENV = ("needs copy_env", "set copy_env = True as well")


class Virtualenv(CircusPlugin):
    """Puts the programs of an environment first in PATH and its packages in PYTHONPATH."""

    name = "virtualenv"

    def circus_register_options(self, registry: Registry) -> None:
        """`virtualenv` and `virtualenv_py_ver` of `[watcher:...]`."""
        registry.option(
            "watcher",
            "virtualenv",
            TEXT,
            effect=Effect.RELOAD,
            locating=True,
            help="The folder of a Python environment to run in; needs copy_env.",
        )
        registry.option(
            "watcher",
            "virtualenv_py_ver",
            TEXT,
            effect=Effect.RELOAD,
            help="The environment's Python, as in 3.12; circusd's own if unset.",
        )

    def circus_check_config(self, config: Config) -> list[Problem]:
        """Whether each environment is there, and the program of its watcher."""
        return [problem for watcher in config.watchers.values() for problem in self._problems(watcher)]

    def _problems(self, watcher: WatcherOptions) -> Iterator[Problem]:
        folder, section = watcher.extra.get("virtualenv"), f"watcher:{watcher.name}"
        if not folder:
            return
        if not watcher.copy_env:
            yield Problem(section, "virtualenv", *NEEDS_COPY_ENV, others=("copy_env",))
        elif _packages(str(folder), watcher) is None:
            yield Problem(section, "virtualenv", *_no_packages(str(folder), watcher), warning=True)
        else:
            adjust = partial(self.circus_adjust_launch, watcher=watcher)
            for key, message, hint in lacking_program(watcher, os.environ, lambda launch: adjust(launch) or launch):
                yield Problem(section, key, message, hint, warning=True)

    def circus_veto_start(self, watcher: WatcherOptions) -> Refuse | None:
        """Keep a watcher stopped whose environment is not there; the others run."""
        folder = watcher.extra.get("virtualenv")
        if not folder:
            return None
        if not watcher.copy_env:
            return Refuse(f"virtualenv {'; '.join(NEEDS_COPY_ENV)}")
        if _packages(str(folder), watcher) is None:
            return Refuse(f"virtualenv: {'; '.join(_no_packages(str(folder), watcher))}")
        return None

    def circus_adjust_launch(self, launch: Launch, watcher: WatcherOptions) -> Launch | None:
        """PATH: its `bin` first. PYTHONPATH: what its .pth files add, what was there, its packages."""
        folder = watcher.extra.get("virtualenv")
        packages = _packages(str(folder), watcher) if folder else None
        if packages is None:
            return None
        env = dict(launch.env)
        paths = [os.path.join(str(folder), "bin"), env.get("PATH", "")]
        env["PATH"] = os.pathsep.join(path for path in paths if path)
        paths = [*_pth_paths(packages), env.get("PYTHONPATH", ""), packages]
        env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        return evolve(launch, env=env)


def _no_packages(folder: str, watcher: WatcherOptions) -> tuple[str, str]:
    """What is wrong, and what to do."""
    if not os.path.isdir(folder):
        return f"there is no folder {folder}", "make it with `python3 -m venv`, or name another"
    return f"{folder} has no {' or '.join(_candidates('', watcher))}", "set virtualenv_py_ver to its version of Python"


def _candidates(folder: str, watcher: WatcherOptions) -> list[str]:
    version = watcher.extra.get("virtualenv_py_ver") or f"{sys.version_info.major}.{sys.version_info.minor}"
    return [os.path.join(folder, "lib", f"{kind}{version}", "site-packages") for kind in ("python", "pypy")]


def _packages(folder: str, watcher: WatcherOptions) -> str | None:
    """The folder of packages of an environment, if there is one for this version of Python."""
    return next((path for path in _candidates(folder, watcher) if os.path.isdir(path)), None)


def _pth_paths(packages: str) -> list[str]:
    """The folders that .pth files name (docs.python.org, module site); their lines of code are not run."""
    found = []
    for name in sorted(os.listdir(packages)):
        if not name.endswith(".pth") or name.startswith("."):
            continue
        with open(os.path.join(packages, name), encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file]
        for line in lines:
            path = os.path.join(packages, line)
            if line and not line.startswith(("#", "import ", "import\t")) and os.path.exists(path):
                found.append(os.path.abspath(path))
    return found
