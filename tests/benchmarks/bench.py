"""One run of the benchmarks: what it measures with, and whom."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from children import Birth
from install import Cache, NotHereError
from report import Report
from supervisors.base import Supervisor, lives

UP_PATIENCE = 60.0


@dataclass
class Bench:
    """`program` is the compiled child, or None; `peers` limits whom ours is measured beside, None being all;
    `size` is how many bytes children write."""

    cache: Cache
    program: Path | None
    rounds: int
    peers: Sequence[str] | None = None
    size: int = 0
    tried: dict[type[Supervisor], str | None] = field(default_factory=dict)

    def pick(self, kinds: Sequence[type[Supervisor]], report: Report) -> list[type[Supervisor]]:
        """Those of `kinds` that were asked for and are here; the report gets to know which are not here, and why."""
        found = []
        for kind in kinds:
            always = kind.name.startswith("ours") or kind.name in ("C loop", "splice loop", "cat")
            if self.peers is not None and not always and kind.name.split()[0] not in self.peers:
                continue
            if kind not in self.tried:
                self.tried[kind] = self._try(kind)
            if why := self.tried[kind]:
                report.absent[kind.name] = why
            else:
                found.append(kind)
        return found

    def _try(self, kind: type[Supervisor]) -> str | None:
        """Why `kind` cannot be measured here, if so."""
        try:
            with lives(self.cache, self.program, [kind], 1) as supervisors:
                bring_up(supervisors, 1)
        except NotHereError as error:
            return f"not here: {error}"
        except RuntimeError as error:
            return f"does not start: {error}"
        return None


def bring_up(supervisors: Sequence[Supervisor], count: int) -> list[list[Birth]]:
    """Launch each and wait until its `count` children live. RuntimeError with the words of the one that fails."""
    births: list[list[Birth]] = []
    for supervisor in supervisors:
        supervisor.launch()
        try:
            births.append(supervisor.nursery.wait_for(count, UP_PATIENCE, supervisor.failed))
        except TimeoutError as error:
            raise RuntimeError(f"{error}; it said: {supervisor.last_words()}") from error
    return births


def say(text: str) -> None:
    """Tell a person who waits what is going on; the results alone go to standard output."""
    print(text, file=sys.stderr, flush=True)
