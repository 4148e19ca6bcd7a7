"""Puts the peers into folders of the benchmark's own; what cannot be had is reported as not here, and never an error.

Only package clients are used: pip and npm into the cache; apt-get, as root and only for what is missing, elsewhere.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NATIVE = Path(__file__).parent / "native"
PATIENCE = 600.0


class NotHereError(Exception):
    """A supervisor cannot be measured on this machine; the text says why."""


class Cache:
    """Where programs are found. `folder` outlives the run, and without `install` only what is there already is used;
    `ours` is the folder bin/ that has our circusd."""

    def __init__(self, folder: Path, install: bool, ours: Path) -> None:
        self.folder = folder
        self.ours = ours
        self.install = install
        folder.mkdir(parents=True, exist_ok=True)

    def python_peer(self, requirement: str, script: str) -> Path:
        """The folder bin/ of a venv that holds `requirement` and so `script`."""
        venv = self.folder / requirement.partition("==")[0]
        if not (venv / "bin" / script).exists():
            self._may_install(requirement)
            _run([sys.executable, "-m", "venv", str(venv)])
            _run([str(venv / "bin" / "python"), "-m", "pip", "install", "-q", requirement])
        return venv / "bin"

    def npm_peer(self, package: str) -> Path:
        """The installed command of an npm package."""
        # npm would take a package named as a folder in sight of it for that folder, so the two differ.
        folder = self.folder / f"npm-{package}"
        command = folder / "node_modules" / ".bin" / package
        if not command.exists():
            self._may_install(package)
            if not shutil.which("npm"):
                raise NotHereError("npm is missing")
            folder.mkdir(exist_ok=True)
            (folder / "package.json").write_text('{"private": true}\n')
            _run(["npm", "install", "--no-audit", "--no-fund", package], cwd=folder)
        return command

    def debian_peer(self, package: str, *commands: str) -> None:
        """Makes sure that `commands`, which Debian's `package` brings, are on the PATH."""
        if all(map(shutil.which, commands)):
            return
        self._may_install(package)
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise NotHereError(f"{package} is not installed, and only root can, with apt-get")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-q"], env=environment)
        _run(["apt-get", "install", "-qy", "--no-install-recommends", package], env=environment)
        if not all(map(shutil.which, commands)):
            raise NotHereError(f"{package} brought no {' or '.join(commands)}")

    def compiled(self, name: str) -> Path:
        """The program made from native/NAME.c, anew if the source is newer."""
        source, program = NATIVE / f"{name}.c", self.folder / name
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            if not shutil.which("gcc"):
                raise NotHereError("gcc is missing")
            with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                built = Path(folder, name)
                _run(["gcc", "-O2", "-Wall", "-Werror", "-o", str(built), str(source)])
                built.rename(program)
        return program

    def _may_install(self, what: str) -> None:
        if not self.install:
            raise NotHereError(f"{what} is not installed, and --no-install was given")


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Run to the end. NotHereError with the last line that the command said, if it fails."""
    print(f"  {' '.join(command)}", file=sys.stderr)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd, env=env, timeout=PATIENCE)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or "no word").splitlines()[-1]
        raise NotHereError(f"{command[0]} failed: {last}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHereError(str(error)) from error
