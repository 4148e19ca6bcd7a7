"""What circusd knows of one process that runs plugins: its orders, how far it is, and how its plugins fare."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

from attrs import evolve

from circus_core import logs
from circus_core.model import in_words
from circus_core.requests import Role
from circus_plugins.doors.house import keyrings
from circus_plugins.host import briefing, shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from circus_core.events import ProcessExited
    from circus_core.model import Launch
    from circus_core.structure import Place
    from circus_plugins.host.hosted import Hosted

log = logging.getLogger("circus.plugin.host")

ENDPOINTS = ("endpoint", "pubsub_endpoint")


class Post:
    """One process, and its successors. `up` is done when its plugins are at work, or nobody should wait for them."""

    def __init__(self, watcher: str, plugins: tuple[Hosted, ...], since: int) -> None:
        self.watcher = watcher
        self.plugins = plugins
        self.token = os.urandom(16).hex()
        self.up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fd = briefing.create(watcher)
        self._cursor = briefing.Cursor(self._fd)
        self._cursor.begun = self._cursor.handled = since
        self._memories: dict[str, int] = {}
        self._health: dict[str, dict[str, Any]] = {}
        self._way: dict[str, Any] = {}
        self._keys = ("", "")
        self._pid: int | None = None

    def close(self) -> None:
        self.settle()
        self._cursor.close()
        for fd in (self._fd, *self._memories.values()):
            os.close(fd)

    def settle(self) -> None:
        """Let nobody wait any longer."""
        if not self.up.done():
            self.up.set_result(None)

    def brief(self, launch: Launch, supervisor: Any) -> Launch:
        """Write down the orders for the next process, and let the launch hand them over."""
        if self.up.done():
            self.up = asyncio.get_running_loop().create_future()
        self._way = _way(supervisor)
        self._keep_memories()
        options = supervisor.config.supervisor
        orders = {
            **self._way,
            "keys": self._come_in(supervisor),
            "token": self.token,
            "parent": os.getpid(),
            "check_delay": options.check_delay,
            "log_level": logging.getLevelName(logging.getLogger().level).lower(),
            "log_output": logs.output(),
            "plugins": [{**_orders(plugin), "memory": self._memories[plugin.name]} for plugin in self.plugins],
        }
        briefing.write(self._fd, orders)
        after = launch.argv.index("--hosted") + 1
        argv = (*launch.argv[:after], str(self._fd), *launch.argv[after:])
        return evolve(launch, argv=argv, pass_fds=(*launch.pass_fds, self._fd, *self._memories.values()))

    def _keep_memories(self) -> None:
        names = [plugin.name for plugin in self.plugins]
        for name in self._memories.keys() - names:
            os.close(self._memories.pop(name))
        for name in names:
            if name not in self._memories:
                self._memories[name] = shared.create(f"{self.watcher} {name}")

    def moved(self, supervisor: Any) -> bool:
        """Whether circusd is to be found elsewhere than the process was told."""
        return bool(self._way) and self._way != _way(supervisor)

    def _come_in(self, supervisor: Any) -> list[str]:
        """The keys with which the process comes in where circusd asks for some: its own pair, and circusd's."""
        if not self._way["server_key"]:
            return []
        if not self._keys[0]:
            import zmq

            public, secret = zmq.curve_keypair()
            self._keys = public.decode(), secret.decode()
        for keyring in keyrings(supervisor):
            keyring.guests[self._keys[0]] = Role.ADMIN
        return [*self._keys, self._way["server_key"]]

    def heard(self, plugins: Mapping[str, Any]) -> Iterable[str]:
        """Take in a report; answers the names of those plugins that are at work from now on."""
        started = []
        for name, told in plugins.items():
            if not isinstance(told, dict):
                continue
            before = self._health.get(name, {})
            self._health[name] = {**before, **told}
            if told.get("started") and not before.get("started"):
                started.append(name)
        return started

    def ended(self, event: ProcessExited) -> None:
        """The process ended."""
        at_work = self._at_work()
        for plugin in self.plugins:
            told = self._health.setdefault(plugin.name, {})
            told["started"] = False
            if event.requested:
                continue
            where = f" while event {at_work} was being handled" if at_work else ""
            if at_work or not told.get("last_error"):
                told["last_error"] = f"its process {in_words(event.exit_code)}{where}"
        if not event.requested and not self.up.done():
            log.error("%s: its process %s before it was at work", self.watcher, in_words(event.exit_code))
            self.settle()

    def trouble(self, name: str) -> str:
        """Why a plugin of the process is not at work; empty if it is."""
        told = self._health.get(name, {})
        return "" if told.get("started") else told.get("last_error") or "it has not come up yet"

    def rows(self, newest: int) -> list[dict[str, Any]]:
        """What the command `plugins` shows; `newest` is the latest seq there is."""
        return [self._row(plugin, newest) for plugin in self.plugins]

    def _row(self, plugin: Hosted, newest: int) -> dict[str, Any]:
        told = self._health.get(plugin.name, {})
        started = bool(told.get("started"))
        return {
            "name": plugin.name,
            "use": plugin.use,
            "host": "process",
            "watcher": self.watcher,
            "pid": told.get("pid") if started else None,
            "started": started,
            "hooks": list(plugin.hooks),
            "failures": int(told.get("failures", 0)),
            "last_error": str(told.get("last_error", "")),
            "disabled": bool(told.get("disabled")),
            "behind": max(newest - self._cursor.handled, 0),
            "handling": self._at_work() if started else None,
        }

    def _at_work(self) -> int | None:
        """The `seq` of the event that is being handled."""
        return self._cursor.begun if self._cursor.begun > self._cursor.handled else None


def _way(supervisor: Any) -> dict[str, Any]:
    """Where circusd is reached, and the key by which it is known there, if clients need keys."""
    told = supervisor.dispatch("globaloptions", {})["options"]
    servers = [server[0].decode() for keyring in keyrings(supervisor) if (server := keyring.server())]
    return {**{key: told[key] for key in ENDPOINTS}, "server_key": servers[0] if servers else ""}


def _place(place: Place) -> list[Any]:
    """A place as it is found in the folder of another process, too; none is in no file."""
    return [place.file and os.path.abspath(place.file), place.line]


def _orders(plugin: Hosted) -> dict[str, Any]:
    settings = {
        key: {
            "value": setting.value,
            "text": setting.text,
            "place": _place(setting.place) if setting.place else None,
        }
        for key, setting in plugin.settings.items()
    }
    return {"name": plugin.name, "use": plugin.use, "settings": settings}
