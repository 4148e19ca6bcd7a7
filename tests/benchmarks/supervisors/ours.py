"""circus-bus, as a rule of the working tree that this file is in."""

from install import Cache, NotHereError

from supervisors.circus import Circus


class Ours(Circus):
    """A watcher per child, with the default plugins. It reads Circus' ini files, so only its place differs."""

    name = "ours"

    def find(self, cache: Cache) -> None:
        self.bin = cache.ours
        self.endpoint = f"ipc://{self.folder}/control.sock"
        if not (self.bin / "circusd").exists():
            raise NotHereError(f"no circusd in {self.bin}: make install")


class OursOneWatcher(Ours):
    """One watcher with all the children."""

    name = "ours 1 watcher"
    one_watcher = True
