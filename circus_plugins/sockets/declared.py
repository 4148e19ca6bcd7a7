"""What this plugin declares besides the keys of `[socket:NAME]`: options of watchers and a command; it runs none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_core.kinds import BOOLEAN, NUMBER, TEXT
from circus_core.options import Effect, Section
from circus_core.requests import Command, Role
from circus_plugins.sockets import activation
from circus_plugins.sockets.options import SocketOptions

if TYPE_CHECKING:
    from circus_core.plugin import Registry

LISTSOCKETS = Command(
    "listsockets", Role.VIEW, "List the sockets that circusd has open, what waits there, and who uses them.",
    replies={
        "sockets": "fd, name, backlog, and host and port, or path, of each; `waiting` connections of at most `limit`,"
        " or bytes of datagrams if not `listens`; how many datagrams, or attempts to connect, were `dropped` (a client"
        " that is not answered tries again, and counts again); the `watchers` that use it; with so_reuseport the `pids`"
        " that have it. What the kernel does not tell is null."
    },
    example="circusctl listsockets",
)  # fmt: skip


def register_options(registry: Registry) -> None:
    """The section of sockets, what a watcher uses of them, and whether it is started on demand."""
    registry.section(Section("socket", SocketOptions, "A socket that circusd opens and processes share."))
    registry.option(
        "watcher", "use_sockets", BOOLEAN, False, effect=Effect.RELOAD,
        help="Processes get the sockets that their command or environment mentions as $(circus.sockets.NAME), or"
        " all if it mentions none. One that mentions a socket gets it in any case.",
    )  # fmt: skip
    registry.option(
        "watcher", "stdin_socket", TEXT, effect=Effect.RELOAD,
        help="The socket that is the standard input of the processes.",
    )  # fmt: skip
    registry.option(
        "watcher", activation.OPTION, activation.ACTIVATION, False, effect=Effect.RELOAD,
        help="Processes find their sockets as descriptors from 3 on, with LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, as"
        " services of systemd do. Names of sockets are for these, in this order; `true` is for those that are"
        " mentioned, or all if none is.",
    )  # fmt: skip
    registry.option(
        "watcher", "on_demand", BOOLEAN, False,
        help="A start means to wait until something comes to one of its sockets, and only then to have processes.",
    )  # fmt: skip
    registry.option(
        "watcher", "idle_timeout", NUMBER, 0.0, unit="s", minimum=0,
        help="With on_demand: its processes end when for this long nothing came to its sockets, and no connection"
        " is open; 0 is never.",
    )  # fmt: skip
