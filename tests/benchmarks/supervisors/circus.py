"""Circus 0.19, and the ini files that it and ours share."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from children import Nursery
from install import Cache

from supervisors.base import Supervisor


def ini(folder: Path, nursery: Nursery, names: Sequence[str], one_watcher: bool, extra: str = "") -> str:
    """A configuration of one watcher per name, or of one watcher with all; `extra` is more of section [circus]."""
    sections = [
        f"[circus]\nendpoint = ipc://{folder}/control.sock\npubsub_endpoint = ipc://{folder}/events.sock\n{extra}"
    ]
    for name in ["$(circus.wid)"] if one_watcher else names:
        title = "all" if one_watcher else f"w{name}"
        number = len(names) if one_watcher else 1
        # shlex.join would quote the expansion, and Circus does not expand what is quoted for it to split.
        command = " ".join([*map(shlex.quote, nursery.argv("")[:2]), name])
        sections.append(f"[watcher:{title}]\ncmd = {command}\nnumprocesses = {number}\ncopy_env = True\n")
    return "\n".join(sections)


class Circus(Supervisor):
    """A watcher per child, as shipped: it looks for dead processes every 5 s."""

    name = "circus"
    one_watcher: ClassVar[bool] = False
    extra: ClassVar[str] = ""

    def find(self, cache: Cache) -> None:
        self.bin = cache.python_peer("circus==0.19.0", "circusd")
        self.endpoint = f"ipc://{self.folder}/control.sock"

    def configure(self, names: Sequence[str]) -> None:
        text = ini(self.folder, self.nursery, names, self.one_watcher, self.extra)
        (self.folder / "app.ini").write_text(text)

    def command(self) -> list[str]:
        return [str(self.bin / "circusd"), "app.ini"]

    def status_command(self) -> list[str]:
        return [str(self.bin / "circusctl"), "--endpoint", self.endpoint, "status"]


class CircusOneWatcher(Circus):
    """One watcher with all the children."""

    name = "circus 1 watcher"
    one_watcher = True


class CircusFast(Circus):
    """The shortest check_delay that its documentation shows."""

    name = "circus check_delay 0.1"
    extra = "check_delay = 0.1\n"
