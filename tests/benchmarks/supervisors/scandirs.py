"""runit, s6 and daemontools: a folder per child with a program `run` in it, and a supervising process per child."""

import os
import shlex
import signal
from abc import abstractmethod
from collections.abc import Sequence

from install import Cache

from supervisors.base import Supervisor


class ScanDir(Supervisor):
    """What the three share. `run` is a shell script that execs the child, as their documentation has it."""

    def find(self, cache: Cache) -> None:
        self.services = self.folder / "services"
        self.find_package(cache)

    @abstractmethod
    def find_package(self, cache: Cache) -> None:
        """Find or install the Debian package."""

    def configure(self, names: Sequence[str]) -> None:
        for name in names:
            service = self.services / name
            service.mkdir(parents=True)
            run = service / "run"
            run.write_text(self.run_script(name))
            run.chmod(0o755)

    def run_script(self, name: str) -> str:
        return f"#!/bin/sh\nexec {shlex.join(self.nursery.argv(name))}\n"

    def service_folders(self) -> list[str]:
        return [str(folder) for folder in sorted(self.services.iterdir()) if folder.name[0] != "."]


class Runit(ScanDir):
    """runsvdir, and a runsv per child."""

    name = "runit"

    def find_package(self, cache: Cache) -> None:
        cache.debian_peer("runit", "runsvdir", "runsv", "sv")

    def command(self) -> list[str]:
        return ["runsvdir", "-P", str(self.services)]

    def request_stop(self) -> None:
        os.kill(self.root(), signal.SIGHUP)  # runsvdir(8): a SIGTERM to every runsv, then exit

    def status_command(self) -> list[str]:
        return ["sv", "status", *self.service_folders()]


class RunitNoShell(Runit):
    """The kernel starts the child itself, as the interpreter of `run`: no shell is in between."""

    name = "runit no sh"

    def run_script(self, name: str) -> str:
        return f"#!{shlex.join(self.nursery.argv(name)[:2])}\n"


class S6(ScanDir):
    """s6-svscan, and an s6-supervise per child."""

    name = "s6"

    def find_package(self, cache: Cache) -> None:
        cache.debian_peer("s6", "s6-svscan", "s6-supervise", "s6-svscanctl")

    def command(self) -> list[str]:
        return ["s6-svscan", "-c", "6000", str(self.services)]

    def request_stop(self) -> None:
        self.run(["s6-svscanctl", "-t", str(self.services)])


class Daemontools(ScanDir):
    """svscan, and a supervise per child."""

    name = "daemontools"

    def find_package(self, cache: Cache) -> None:
        cache.debian_peer("daemontools", "svscan", "supervise", "svc", "svstat")

    def command(self) -> list[str]:
        return ["svscan", str(self.services)]

    def request_stop(self) -> None:
        os.kill(self.root(), signal.SIGTERM)  # svscan(8) leaves the rest alone; otherwise it would start all again
        self.run(["svc", "-dx", *self.service_folders()])

    def status_command(self) -> list[str]:
        return ["svstat", *self.service_folders()]
