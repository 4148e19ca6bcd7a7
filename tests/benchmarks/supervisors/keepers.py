"""The supervisors again, each keeping what its children write in files; and two loops that do nothing else."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from install import Cache, NotHereError

from supervisors.base import Supervisor
from supervisors.circus import Circus
from supervisors.ours import Ours
from supervisors.pm2 import Pm2
from supervisors.scandirs import S6, Daemontools, Runit, ScanDir
from supervisors.supervisord import INI, Supervisord

MANY = 1000
"""More earlier files than any run leaves."""


@dataclass(frozen=True)
class Keeping:
    """How output is kept: exchanged at `max_bytes` unless that is 0, and with a time before each line if `stamped`.

    `earlier` is how many earlier files stay. `both`: standard error is kept too, in a file of its own.
    """

    max_bytes: int = 0
    stamped: bool = False
    earlier: int = MANY
    both: bool = False


class Keeper(Supervisor):
    """A supervisor whose children's output is kept in `self.folder / "out"`."""

    keeping: ClassVar[Keeping] = Keeping()

    @classmethod
    def can(cls, keeping: Keeping) -> bool:
        """Whether it can keep output so."""
        return True

    @property
    def out(self) -> Path:
        folder = self.folder / "out"
        folder.mkdir(exist_ok=True)
        return folder

    def files(self, name: str) -> list[Path]:
        """What has been kept of one child, oldest first."""
        path = self.out / f"{name}.log"
        numbered = sorted(self.out.glob(f"{name}.log.*"), key=lambda file: -int(file.suffix[1:]))
        return [*numbered, *([path] if path.exists() else [])]


def keeping(kind: type[Keeper], wanted: Keeping) -> type[Keeper]:
    """The same supervisor, told to keep output as is `wanted`."""
    return type(kind.__name__, (kind,), {"keeping": wanted})


class OursKeeping(Ours, Keeper):
    """A FileStream for each child."""

    def configure(self, names: Sequence[str]) -> None:
        super().configure(names)
        path, said = self.folder / "app.ini", self.keeping
        options = ""
        if said.max_bytes:
            options += f"stdout_stream.max_bytes = {said.max_bytes}\nstdout_stream.backup_count = {said.earlier}\n"
        if said.stamped:
            options += "stdout_stream.time_format = %Y-%m-%d %H:%M:%S\n"
        sections = path.read_text().split("\n[watcher:w")
        for place, name in enumerate(names, 1):
            streams = f"stdout_stream.class = FileStream\nstdout_stream.filename = {self.out}/{name}.log\n{options}"
            if said.both:
                errors = f"stderr_stream.class = FileStream\nstderr_stream.filename = {self.out}/{name}.err\n"
                streams += errors
            sections[place] += streams
        path.write_text("\n[watcher:w".join(sections))


class CircusKeeping(OursKeeping, Circus):
    """The same file."""

    name = "circus"
    find = Circus.find


class SupervisordKeeping(Supervisord, Keeper):
    """A program and a stdout_logfile for each child."""

    @classmethod
    def can(cls, keeping: Keeping) -> bool:
        return not keeping.stamped

    def configure(self, names: Sequence[str]) -> None:
        said = self.keeping
        head = INI[: INI.index("[program:")].format(folder=self.folder)
        programs = []
        for name in names:
            log = self.out / name
            programs.append(
                f"[program:{name}]\ncommand = {shlex.join(self.nursery.argv(name))}\nautorestart = true\n"
                f"stdout_logfile = {log}.log\nstdout_logfile_maxbytes = {said.max_bytes}\n"
                f"stdout_logfile_backups = {said.earlier}\nstderr_logfile_maxbytes = 0\n"
                f"stderr_logfile = {f'{log}.err' if said.both else 'NONE'}\n"
            )
        (self.folder / "app.ini").write_text(head + "\n".join(programs))


class Pm2Keeping(Pm2, Keeper):
    """An out_file for each child. It exchanges none without a module of its own."""

    @classmethod
    def can(cls, keeping: Keeping) -> bool:
        return not keeping.max_bytes

    def configure(self, names: Sequence[str]) -> None:
        super().configure(names)
        path = self.folder / "apps.config.json"
        apps = json.loads(path.read_text())["apps"]
        for app in apps:
            app |= {"out_file": f"{self.out}/{app['name']}.log", "merge_logs": True}
            if self.keeping.stamped:
                app["log_date_format"] = "YYYY-MM-DD HH:mm:ss"
        path.write_text(json.dumps({"apps": apps}))


class LogFolder(Keeper, ScanDir):
    """A service `log` beside each child, which writes a folder of files."""

    largest: ClassVar[int]

    @classmethod
    def can(cls, keeping: Keeping) -> bool:
        return keeping.max_bytes <= cls.largest and not keeping.both

    def configure(self, names: Sequence[str]) -> None:
        super().configure(names)
        for name in names:
            (self.out / name).mkdir()
            logger = self.services / name / "log" / "run"
            logger.parent.mkdir()
            logger.write_text(f"#!/bin/sh\nexec {self.logger(self.out / name)}\n")
            logger.chmod(0o755)

    def logger(self, folder: Path) -> str:
        """The command that keeps what it reads in `folder`."""
        raise NotImplementedError

    def files(self, name: str) -> list[Path]:
        folder = self.out / name
        current = folder / "current"
        return [*sorted(folder.glob("@*")), *([current] if current.exists() else [])]


class S6Keeping(LogFolder, S6):
    """s6-log. It begins a new file after 256 MB at the latest."""

    largest = 268_435_455

    def logger(self, folder: Path) -> str:
        said = self.keeping
        stamp = "T " if said.stamped else ""
        return f"s6-log {stamp}n{said.earlier} s{said.max_bytes or self.largest} {folder}"


class DaemontoolsKeeping(LogFolder, Daemontools):
    """multilog. It begins a new file after 16 MB at the latest."""

    largest = 16_777_215

    def logger(self, folder: Path) -> str:
        said = self.keeping
        stamp = "t " if said.stamped else ""
        return f"multilog {stamp}n{said.earlier} s{said.max_bytes or self.largest} {folder}"


class RunitKeeping(LogFolder, Runit):
    """svlogd."""

    largest = 1 << 60

    def logger(self, folder: Path) -> str:
        said = self.keeping
        (folder / "config").write_text(f"s{said.max_bytes}\nn{said.earlier}\n")
        return f"svlogd {'-tt ' if said.stamped else ''}{folder}"


class Pipeline(Keeper):
    """No supervisor: a shell that starts each child with a program at the other end of its pipe."""

    @classmethod
    def can(cls, keeping: Keeping) -> bool:
        return keeping == Keeping(earlier=keeping.earlier)

    def configure(self, names: Sequence[str]) -> None:
        self.names = names

    def command(self) -> list[str]:
        pipes = [
            f"{shlex.join(self.nursery.argv(name))} | {self.carrier} > {self.out}/{name}.log" for name in self.names
        ]
        return ["sh", "-c", " & ".join([*pipes, "wait"])]


class Splice(Pipeline):
    """native/splice.c."""

    name = "splice loop"

    def find(self, cache: Cache) -> None:
        if self.nursery.program is None:
            raise NotHereError("gcc is missing")
        self.carrier = str(cache.compiled("splice"))


class Cat(Pipeline):
    """cat(1)."""

    name = "cat"

    def find(self, cache: Cache) -> None:
        self.carrier = "cat"
