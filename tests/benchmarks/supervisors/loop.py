"""A bare loop of posix_spawn in C: no supervisor, but what starting children and starting them again costs at least."""

from collections.abc import Sequence

from install import Cache, NotHereError

from supervisors.base import Supervisor


class CLoop(Supervisor):
    """native/loop.c."""

    name = "C loop"

    def find(self, cache: Cache) -> None:
        if self.nursery.program is None:
            raise NotHereError("gcc is missing")
        self.program = cache.compiled("loop")

    def configure(self, names: Sequence[str]) -> None:
        self.names = names

    def command(self) -> list[str]:
        return [str(self.program), *self.nursery.argv("")[:2], *self.names]
