"""Supervisor (supervisord), from PyPI."""

import shlex
from collections.abc import Sequence

from install import Cache

from supervisors.base import Supervisor

INI = """\
[unix_http_server]
file = {folder}/control.sock

[supervisord]
nodaemon = true
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
childlogdir = {folder}
minfds = 10000

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{folder}/control.sock

[program:all]
command = {command} %(process_num)04d
process_name = %(process_num)04d
numprocs = {number}
autorestart = true
stdout_logfile = NONE
stderr_logfile = NONE
"""


class Supervisord(Supervisor):
    """One program with all the children, none of their output kept."""

    name = "supervisor"

    def find(self, cache: Cache) -> None:
        self.bin = cache.python_peer("supervisor", "supervisord")
        self.endpoint = f"{self.folder}/control.sock"

    def configure(self, names: Sequence[str]) -> None:
        command = shlex.join(self.nursery.argv("")[:2])
        (self.folder / "app.ini").write_text(INI.format(folder=self.folder, command=command, number=len(names)))

    def command(self) -> list[str]:
        return [str(self.bin / "supervisord"), "-c", "app.ini"]

    def status_command(self) -> list[str]:
        return [str(self.bin / "supervisorctl"), "-c", str(self.folder / "app.ini"), "status"]
