"""pm2, from the npm registry."""

import json
from collections.abc import Sequence

from install import Cache

from supervisors.base import Supervisor


class Pm2(Supervisor):
    """One app per child in fork mode, none of their output kept. Its daemon leaves the command that started it."""

    name = "pm2"

    def find(self, cache: Cache) -> None:
        self.pm2 = str(cache.npm_peer("pm2"))

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PM2_HOME": str(self.folder / "home"), "PM2_DISABLE_VERSION_CHECK": "true"}

    def configure(self, names: Sequence[str]) -> None:
        apps = []
        for name in names:
            script, *arguments = self.nursery.argv(name)
            app = {"name": name, "script": script, "args": arguments, "interpreter": "none", "exec_mode": "fork"}
            apps.append(app | {"out_file": "/dev/null", "error_file": "/dev/null"})
        (self.folder / "apps.config.json").write_text(json.dumps({"apps": apps}))

    def command(self) -> list[str]:
        return [self.pm2, "start", "apps.config.json"]

    def root(self) -> int:
        return int((self.folder / "home" / "pm2.pid").read_text())

    def request_stop(self) -> None:
        self.run([self.pm2, "kill"])

    def status_command(self) -> list[str]:
        return [self.pm2, "ls"]
