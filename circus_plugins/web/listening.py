"""The sockets that the web console listens at, opened here or inherited; and whether it may without TLS."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from circus_core.errors import EndpointError

if TYPE_CHECKING:
    from circus_plugins.web.console import WebOptions

FIRST = 3
"""Where sockets are that are handed over as systemd does it (sd_listen_fds(3))."""
BACKLOG = 2048


def opened(options: WebOptions) -> list[socket.socket]:
    """The sockets to listen at; raises EndpointError with what to do about it."""
    number = options.fd if options.fd is not None else _activated()
    sockets = [_inherited(number)] if number is not None else _bound(options.host, options.port)
    try:
        for each in sockets:
            _check(each, options)
    except EndpointError:
        for each in sockets:
            each.close()
        raise
    return sockets


def port(sockets: list[socket.socket]) -> int:
    """The port that it is at, 0 at a unix socket."""
    name = sockets[0].getsockname()
    return int(name[1]) if isinstance(name, tuple) else 0


def _activated() -> int | None:
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and int(os.environ.get("LISTEN_FDS") or 0):
        return FIRST
    return None


def _inherited(number: int) -> socket.socket:
    try:
        found = socket.socket(fileno=number)
        if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(errno.EINVAL, "it does not listen")
    except OSError as error:
        raise EndpointError(f"fd = {number} is no socket to listen at: {error.strerror}") from error
    found.setblocking(False)
    return found


def _bound(host: str, port: int) -> list[socket.socket]:
    """One for each address of the host; a name may mean one of IPv4 and one of IPv6."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise EndpointError(f"host = {host}: there is no such name or address", hint=str(error)) from error
    sockets: list[socket.socket] = []
    refused: OSError | None = None
    for family, kind, protocol, _name, address in dict.fromkeys(found):
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # All addresses of a name have one port, also where it is any.
            taken = sockets[0].getsockname()[1] if sockets and not port else port
            made.bind((address[0], taken, *address[2:]))
            made.listen(BACKLOG)
            made.setblocking(False)
        except OSError as error:
            made.close()
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                # A name may have an address of a sort that this machine does not do.
                refused = refused or error
                continue
            for each in sockets:
                each.close()
            raise _refused(host, port, error) from error
        sockets.append(made)
    if not sockets:
        raise _refused(host, port, refused or OSError(errno.EADDRNOTAVAIL, "no address"))
    return sockets


def _refused(host: str, port: int, error: OSError) -> EndpointError:
    hints = {
        errno.EADDRINUSE: "stop the program that has it, or set another port (httpd_port, or port in its section)",
        errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE",
        errno.EADDRNOTAVAIL: "this machine has no such address; `ip address` lists those it has",
    }
    return EndpointError(
        f"the web console cannot listen at {host}:{port}: {os.strerror(error.errno or 0)}",
        hint=hints.get(error.errno or 0, ""),
    )


def _check(listening: socket.socket, options: WebOptions) -> None:
    """Raise EndpointError for one that other machines reach without TLS, unless that is meant."""
    name = listening.getsockname()
    if options.certificate or options.unencrypted or not isinstance(name, tuple) or is_loopback(str(name[0])):
        return
    raise EndpointError(
        f"the web console at {name[0]}:{name[1]} can be reached from other machines, and what they send and see could"
        " be read on the way",
        hint="set certificate (TLS), or host = localhost with a proxy or ssh in front; `unencrypted = True` serves it"
        " all the same",
    )


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's alone."""
    with suppress(ValueError):
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    return False
