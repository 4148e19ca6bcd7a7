"""The plugin `control`: lets clients give orders, in Circus' protocol. It runs none of them itself.

Why a plugin: a supervisor that nobody talks to needs no door.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import zmq

from circus_core.errors import EndpointError, RequestError
from circus_core.kinds import TEXT
from circus_core.paths import PATH
from circus_core.plugin import CircusPlugin, hookspec
from circus_core.requests import Argument, Command, Role
from circus_core.structure import Problem
from circus_plugins.control.endpoint import Endpoint
from circus_plugins.control.ownership import Ownership
from circus_plugins.doors.address import CONTROL
from circus_plugins.doors.entrance import Entrance
from circus_plugins.doors.terms import ENDPOINT, mistakes

if TYPE_CHECKING:
    from circus_core.events import Event
    from circus_core.model import Config
    from circus_core.plugin import Registry
    from circus_core.requests import Reply, Request
    from circus_plugins.doors.entrance import Wanted
    from circus_plugins.doors.house import House

GLOBALS = ("endpoint", "stats_endpoint", "pubsub_endpoint", "check_delay", "multicast_endpoint")
"""What `globaloptions` shows (PROTOCOL.md 1.5)."""
REACHABLE = "set endpoint to an ipc:// path in a folder that this user may enter"
PENDING_PER_CLIENT = 200
"""Requests of one client that libzmq takes in before it stops reading from it."""


class Places:
    """What the plugin asks others inside circusd."""

    @hookspec
    def circus_locate_endpoint(self, option: str) -> str | None:
        """When somebody asks where circusd is reached: the address of an endpoint that circusd does not open.

        Called by the plugin `control` for the command `globaloptions`. The first answer counts.
        """


class Control(CircusPlugin):
    """Opens the control endpoint of `[circus]` and serves it."""

    name = "control"

    _entrance: Entrance[Endpoint] | None = None
    _supervisor: Any = None

    def circus_add_hookspecs(self) -> type:
        """The hook of those whose endpoints circusd does not open itself."""
        return Places

    def circus_register_options(self, registry: Registry) -> None:
        """The options of `[circus]` that say where and to whom the endpoint is open."""
        registry.option(
            "circus", "endpoint", ENDPOINT,
            help="Where clients give orders: ipc:///PATH or tcp://HOST:PORT. Unset, a socket only this user can use.",
        )  # fmt: skip
        registry.option("circus", "endpoint_owner", TEXT, help="User who may use an ipc endpoint instead of circusd's.")
        registry.option(
            "circus", "keys_dir", PATH,
            help="Folder of the keys that TCP clients need (`circusctl keys`), beside the file that names it. Beyond "
            "loopback they always need one.",
        )  # fmt: skip
        registry.option(
            "circus", "multicast_endpoint", TEXT, help="Accepted for Circus' sake: this circusd cannot be discovered."
        )

    def circus_register_commands(self, registry: Registry) -> None:
        """`globaloptions`."""
        registry.command(
            Command(
                "globaloptions", Role.VIEW, "Show where this circusd can be reached.",
                Argument("option", "text", "Only this one.", positional=True),
                replies={"options": f"values of {', '.join(GLOBALS)}"},
                example="circusctl globaloptions pubsub_endpoint",
            ),
            self._globaloptions,
        )  # fmt: skip

    def circus_check_config(self, config: Config) -> list[Problem]:
        """Whether the endpoint could be opened, and to whom."""
        found = list(mistakes(config, "endpoint"))
        extra = config.supervisor.extra
        if extra.get("endpoint_owner") and not extra.get("endpoint"):
            message = f"user {extra['endpoint_owner']} cannot reach the default socket, whose folder is private"
            found.append(Problem("circus", "endpoint_owner", message, REACHABLE, others=("endpoint",)))
        return found

    async def circus_startup(self, supervisor: Any) -> None:
        """Open the door before the first watcher starts."""
        self._supervisor = supervisor
        self._entrance = Entrance(supervisor, "endpoint", self._open)
        await self._entrance.open()
        if self._option("multicast_endpoint"):
            self.log.warning("multicast_endpoint: ignored, circusd tells nobody who merely asks where it listens")

    async def circus_shutdown(self) -> None:
        """Answer what can be answered, then close."""
        if self._entrance is not None:
            await self._entrance.close()
            self._entrance = None

    async def circus_follow_config(self) -> None:
        """Open a changed endpoint."""
        if self._entrance is not None:
            await self._entrance.follow()

    async def circus_supervisor_reloaded(self, event: Event) -> None:
        """Close the former one; who asked for the reload there has the answer."""
        if self._entrance is not None:
            await self._entrance.settle()

    async def _open(self, house: House, wanted: Wanted) -> Endpoint:
        if wanted.owner and not wanted.endpoint:
            raise EndpointError(
                f"endpoint_owner: user {wanted.owner} cannot reach the default socket, whose folder is private",
                hint=REACHABLE,
            )
        door = await house.open(
            zmq.ROUTER,
            "endpoint",
            wanted.endpoint,
            default=CONTROL,
            keys_dir=wanted.keys_dir,
            owner=wanted.owner,
            sockopts={zmq.RCVHWM: PENDING_PER_CLIENT},
        )
        if wanted.owner and door.owner is None:
            self.log.warning("endpoint_owner: ignored, as %s is no unix socket", door.text)
        if door.keyring is None and door.port:
            self.log.warning(
                "endpoint %s: every user of this machine can give orders there, as user %d; "
                "use an ipc:// endpoint, or set keys_dir",
                door.text, os.geteuid(),
            )  # fmt: skip
        self.log.info("control endpoint %s%s", door.text, " (keys needed)" if door.keyring else "")
        check = Ownership(self._supervisor, door.owner) if door.owner is not None else None
        return Endpoint(door, self._supervisor.dispatch, check)

    def _option(self, key: str) -> str | None:
        value: str | None = self._supervisor.config.supervisor.extra.get(key)
        return value

    def _globaloptions(self, supervisor: Any, request: Request) -> Reply:
        values: dict[str, Any] = {}
        for key in GLOBALS:
            door = self._entrance.house.doors.get(key) if self._entrance is not None else None
            elsewhere = None if door is not None else supervisor.bus.first("circus_locate_endpoint", option=key)
            values[key] = door.text if door is not None else elsewhere[1] if elsewhere else self._option(key) or ""
        values["check_delay"] = supervisor.config.supervisor.check_delay
        wanted = request.arguments.get("option")
        if wanted is None:
            return {"options": values}
        if wanted not in values:
            raise RequestError(f"{wanted!r} not an existing option", hint=f"there are {', '.join(GLOBALS)}")
        return {"options": {wanted: values[wanted]}}
