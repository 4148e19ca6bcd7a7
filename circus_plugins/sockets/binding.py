"""Opens one socket as its section says, or says why that cannot be; it keeps none."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circus_core import open_files
from circus_core.errors import CircusError
from circus_plugins.holders import Holders
from circus_plugins.sockets import rights
from circus_plugins.sockets.options import FAMILIES, TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from circus_plugins.holders import Holder
    from circus_plugins.sockets.options import SocketOptions


log = logging.getLogger("circus.plugin.sockets")


def opened(
    options: SocketOptions, holders: Holders | None = None, before: Sequence[socket.socket] = ()
) -> socket.socket:
    """The socket, bound and listening; raises CircusError, which names the section, the address, and who else has it.

    `holders` have looked who that is if another socket could not be opened just before. Those that the section had
    `before` may be in the way, and stay open.
    """
    holders = holders or Holders()
    try:
        family, address = resolved(options)
        made = socket.socket(family, TYPES[options.type.removeprefix("SOCK_")], _protocol(options))
    except OSError as error:
        raise _refused(options, error) from error
    try:
        if not open_files.may_stay_open(made.fileno()):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        with _beside(made, options, before):
            _bind(made, options, address, holders)
            configure(made, options)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise _in_use(options, error, _holder(options, address, holders)) from error
        raise _refused(options, error) from error
    except CircusError:
        made.close()
        raise
    return made


def configure(made: socket.socket, options: SocketOptions) -> None:
    """What may change while it is open; raises OSError."""
    made.setblocking(options.blocking)
    if options.tcp:
        # Connections take it over from the socket where they were accepted. Programs that are handed a socket seldom
        # set it, and one that writes head and body of an answer by two calls has its peer wait 40 ms for the second.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, options.nodelay)
    if options.listens:
        made.listen(options.backlog)


def adapt(made: socket.socket, options: SocketOptions, before: SocketOptions | None = None) -> None:
    """Change an open socket to other options of the same place; raises CircusError, which names the section.

    Without options that it had `before`, its path is not ours to change.
    """
    try:
        configure(made, options)
        if before is not None and options.file is not None and options.rights != before.rights:
            rights.apply(options, options.file)
    except OSError as error:
        raise _refused(options, error, "changed") from error


def resolved(options: SocketOptions) -> tuple[int, Any]:
    """The family and the address of a socket; raises CircusError."""
    if options.path is not None:
        return socket.AF_UNIX, "\0" + options.path[1:] if options.path.startswith("@") else options.path
    family = FAMILIES[options.family]
    try:
        found = socket.getaddrinfo(
            options.host or None, options.port, family, TYPES[options.type.removeprefix("SOCK_")],
            flags=socket.AI_PASSIVE,
        )  # fmt: skip
    except socket.gaierror as error:
        hint = "write an address of this machine" + (", or family = AF_INET6" if ":" in options.host else "")
        raise CircusError(f"[socket:{options.name}] host {options.host}: {error.strerror}", hint=hint) from error
    return family, found[0][4]


def _protocol(options: SocketOptions) -> int:
    if options.proto is None:
        return 0
    try:
        return socket.getprotobyname(options.proto)
    except OSError:
        raise CircusError(
            f"[socket:{options.name}] proto {options.proto}: there is no such protocol", hint="/etc/protocols has them"
        ) from None


def _bind(made: socket.socket, options: SocketOptions, address: Any, holders: Holders) -> None:
    if options.unix:
        _bind_path(made, options, address, holders)
        return
    if options.type != "SOCK_DGRAM" or options.so_reuseport or _is_group(address[0]):
        # Of datagrams it would take over what is another program's, who would never hear of it.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.so_reuseport:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if options.interface:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, options.interface.encode() + b"\0")
    if options.family == "AF_INET6":
        # As a section has one family, IPv4 is for another one.
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(address)


def _is_group(host: str) -> bool:
    """Whether many may take what is sent to an address (multicast)."""
    # Circusd seldom has sockets for datagrams, and this takes as long to import as many sockets to open.
    import ipaddress

    return ipaddress.ip_address(host).is_multicast


@contextlib.contextmanager
def _beside(made: socket.socket, options: SocketOptions, others: Sequence[socket.socket]) -> Iterator[None]:
    """Whether another of ours is at the port counts neither for bind nor for listen.

    Sockets with SO_REUSEPORT that one user has are let stand beside each other, also where one is for all addresses.
    """
    same = [each for each in others if each.family != socket.AF_UNIX and each.getsockname()[1] == options.port]
    if options.unix or not same:
        yield
        return
    values = [each.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) for each in same]
    for each in (made, *same):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        yield
    finally:
        for each, value in zip((made, *same), (options.so_reuseport, *values), strict=True):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, value)


def _bind_path(made: socket.socket, options: SocketOptions, address: str, holders: Holders) -> None:
    if options.file is None:
        made.bind(address)
        return
    if _stale(made, address):
        os.unlink(address)
    elif options.replace and os.path.lexists(address):
        holder = holders.of_path(address)
        if holder is None or not holder.ours:
            what = f"{holder} has it, and nobody reaches that any more" if holder else "it was no socket in use"
            log.warning("[socket:%s] %s is taken away, as replace = True says: %s", options.name, address, what)
        os.unlink(address)
    rights.bind(made, options, address)


def _stale(made: socket.socket, path: str) -> bool:
    """Whether a socket is there that nobody has open any more: its circusd was killed, say."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
    except OSError:
        return False
    with socket.socket(socket.AF_UNIX, made.type) as other:
        other.setblocking(False)
        return other.connect_ex(path) == errno.ECONNREFUSED


def _holder(options: SocketOptions, address: Any, holders: Holders) -> Holder | None:
    if options.unix:
        return holders.of_path(address)
    if options.tcp or (options.type == "SOCK_DGRAM" and options.proto in (None, "udp")):
        protocol = socket.IPPROTO_TCP if options.tcp else socket.IPPROTO_UDP
        return holders.of_port(FAMILIES[options.family], protocol, *address[:2])
    return None


def _in_use(options: SocketOptions, error: OSError, holder: Holder | None) -> CircusError:
    other = f"choose another {'path' if options.unix else 'port'}"
    if holder is None and options.file is not None:
        hint = "something is there already that is no socket in use: take it away"
    else:
        ends = holder is None or not holder.ours
        hint = f"{holder or 'another program'} has it: {'end that, or ' if ends else ''}{other}"
    if options.file is not None:
        hint += ", or set replace = True"
    return CircusError(_words(options, error, "opened"), hint=hint)


def _words(options: SocketOptions, error: OSError, done: str) -> str:
    return f"[socket:{options.name}] {options.address} cannot be {done}: {error.strerror or str(error)}"


def _refused(options: SocketOptions, error: OSError, done: str = "opened") -> CircusError:
    return CircusError(_words(options, error, done), hint=_hint(options, error))


def _first_for_everybody() -> int:
    """The first port that one need not be root for (ip-sysctl)."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    except OSError:
        return 1024


def _hint(options: SocketOptions, error: OSError) -> str:
    match error.errno:
        case errno.EMFILE:
            return open_files.advice()
        case errno.EACCES | errno.EPERM if options.interface:
            return "only root may choose an interface"
        case errno.EPERM if options.unix:
            return "only root may give a path to another user, or to a group that circusd is not in"
        case errno.EACCES if not options.unix and options.port < _first_for_everybody():
            first = _first_for_everybody()
            return (
                f"ports below {first} are for root: choose another, have systemd open it by a .socket unit, give"
                f" circusd CAP_NET_BIND_SERVICE, or set net.ipv4.ip_unprivileged_port_start = {options.port} by sysctl"
            )
        case errno.EACCES:
            return "circusd's user may not write to the folder"
        case errno.ENOENT if options.unix:
            return "the folder is not there: make it"
        case errno.ENODEV:
            return f"there is no interface {options.interface}; `ip link` has them"
        case errno.EADDRNOTAVAIL:
            return "no interface of this machine has this address; `ip addr` has them"
    return ""
