"""circus-bus, of the working tree that this file is in."""

from pathlib import Path

from install import Cache, NotHereError
from supervisors.circus import Circus

BIN = Path(__file__).parents[3] / ".venv" / "bin"


class Ours(Circus):
    """A watcher per child, with the default plugins. It reads Circus' ini files, so only its place differs."""

    name = "ours"

    def find(self, cache: Cache) -> None:
        self.bin = BIN
        self.endpoint = f"ipc://{self.folder}/control.sock"
        if not (BIN / "circusd").exists():
            raise NotHereError(f"no circusd in {BIN}: make install")


class OursOneWatcher(Ours):
    """One watcher with all the children."""

    name = "ours 1 watcher"
    one_watcher = True
