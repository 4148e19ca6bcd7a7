"""The options of `[socket:NAME]` (PROTOCOL.md 4.5), and what a socket is called by its address. It opens none."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from attrs import field, frozen

from circus_core.kinds import ACCOUNT, BOOLEAN, INTEGER, OCTAL, TEXT, choice
from circus_core.options import option

FAMILIES = {name: getattr(socket, name) for name in ("AF_INET", "AF_INET6", "AF_UNIX")}
TYPES = {name: getattr(socket, f"SOCK_{name}") for name in ("STREAM", "DGRAM", "RAW", "RDM", "SEQPACKET")}

RIGHTS = ("owner", "group", "mode", "umask")
"""The options that are about a path."""
LONGEST = 107
"""Bytes of a path (unix(7)); a name that is no path has no NUL at its end."""

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen(kw_only=True)
class SocketOptions:
    """One `[socket:NAME]` section."""

    name: str
    host: str = option(TEXT, "localhost", help="The address, or a name for it, to listen at.")
    port: int = option(INTEGER, 8080, minimum=0, maximum=65_535, help="The port; 0 is any, which `listsockets` shows.")
    path: str | None = option(TEXT, None, help="A unix socket at this path, instead of host and port.")
    family: str = option(choice(*FAMILIES), "AF_INET", help="What addresses it has; AF_UNIX where there is a path.")
    type: str = option(choice(*(f"SOCK_{name}" for name in TYPES)), "SOCK_STREAM", help="What kind of socket it is.")
    proto: str | None = option(TEXT, None, help="The protocol, by its name in /etc/protocols.")
    backlog: int = option(INTEGER, 2048, minimum=0, help="How many connections may wait for a process to take them.")
    blocking: bool = option(BOOLEAN, False, help="Calls of the processes wait where they would fail with EAGAIN.")
    nodelay: bool = option(
        BOOLEAN, True,
        help="What a process writes is sent at once (TCP_NODELAY), and does not wait for what was sent before.",
    )  # fmt: skip
    so_reuseport: bool = option(BOOLEAN, False, help="Each process has a socket of its own, with SO_REUSEPORT.")
    interface: str | None = option(TEXT, None, help="Only what comes by this network interface.")
    umask: int | None = option(OCTAL, None, help="The file mode mask for a path.")
    owner: int | str | None = option(
        ACCOUNT, None, also=("user", "socketuser", "socket_owner"), help="The user whose a path is; circusd's if unset."
    )
    group: int | str | None = option(
        ACCOUNT, None, also=("socketgroup",), help="The group that a path belongs to; circusd's if unset."
    )
    mode: int | None = option(
        OCTAL, None, also=("socketmode", "socket_mode"),
        help="The mode of a path: who may write to it may connect. 777 less the umask if unset.",
    )  # fmt: skip
    replace: bool = option(BOOLEAN, False, help="A path that is there already is taken away first.")
    extra: Mapping[str, object] = field(factory=dict)

    @property
    def unix(self) -> bool:
        """Whether it is one of this machine's file system, or of its abstract names."""
        return self.path is not None or self.family == "AF_UNIX"

    @property
    def listens(self) -> bool:
        """Whether connections are made to it."""
        return self.type in ("SOCK_STREAM", "SOCK_SEQPACKET")

    @property
    def tcp(self) -> bool:
        """Whether its connections are of TCP."""
        return not self.unix and self.type == "SOCK_STREAM" and self.proto in (None, "tcp")

    @property
    def place(self) -> tuple[object, ...]:
        """What only another socket can have otherwise."""
        where = (self.path,) if self.unix else (self.host, self.port, self.family, self.interface, self.so_reuseport)
        return (*where, self.type, self.proto)

    def contradictions(self) -> list[tuple[str, ...]]:
        """Options that do not go together, as (key, what is wrong, what would be right, other keys it is about)."""
        found: list[tuple[str, ...]] = []
        if self.family == "AF_UNIX" and self.path is None:
            found.append(("family", "is AF_UNIX, and there is no path", "set path", "path"))
        if self.family == "AF_INET6" and self.path is not None:
            found.append(("path", "is for AF_UNIX", "drop path, or family", "family"))
        if self.so_reuseport and self.unix:
            found.append(("so_reuseport", "is for addresses with a port", "drop it, or path", "path"))
        if self.interface and self.unix:
            found.append(("interface", "is for addresses with a port", "drop it, or path", "path"))
        size, most = len(os.fsencode(self.path or "")), LONGEST if self.file is not None else LONGEST + 1
        if size > most:
            found.append(("path", f"has {size} bytes, and Linux takes {most}", "choose a shorter one"))
        if self.umask is not None and self.mode is not None:
            found.append(("umask", "is for a path without mode", "drop one of them", "mode"))
        return found

    def doubts(self) -> list[tuple[str, ...]]:
        """Options that have no effect beside the others, as those of `contradictions`."""
        if self.file is not None:
            return []
        what = "means nothing for an abstract name" if self.path else "means nothing without a path"
        return [(key, what, "drop it", "path") for key in RIGHTS if getattr(self, key) is not None]

    @property
    def file(self) -> str | None:
        """The path that there is in the file system for it."""
        return None if self.path is None or self.path.startswith("@") else self.path

    @property
    def rights(self) -> tuple[object, ...]:
        """What decides who may connect to it by its path."""
        return tuple(getattr(self, key) for key in RIGHTS)

    @property
    def address(self) -> str:
        """Where it is, in words."""
        if self.path is not None:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
