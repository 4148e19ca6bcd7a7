"""circus-bus, as a rule of the working tree that this file is in."""

import os
import subprocess

from install import Cache, NotHereError

from supervisors.circus import Circus

COMPILE = """
import compileall, circus_core, circus_plugins
for package in circus_core, circus_plugins:
    compileall.compile_dir(package.__path__[0], quiet=1)
"""


class Ours(Circus):
    """A watcher per child, with the default plugins. It reads Circus' ini files, so only its place differs."""

    name = "ours"

    def find(self, cache: Cache) -> None:
        self.bin = cache.ours
        self.endpoint = f"ipc://{self.folder}/control.sock"
        if not (self.bin / "circusd").exists():
            raise NotHereError(f"no circusd in {self.bin}: make install")
        # An installer compiles what it installs; in a working tree, Python may have been told not to.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        subprocess.run([self.bin / "python", "-c", COMPILE], env=environment, check=True)


class OursOneWatcher(Ours):
    """One watcher with all the children."""

    name = "ours 1 watcher"
    one_watcher = True
