"""Finds sections that are at one address, of which only one can have it. It opens none, and asks for no name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_core.structure import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from circus_plugins.sockets.options import SocketOptions

_LOCAL = {"AF_INET": "127.0.0.1", "AF_INET6": "::1"}
_ANYWHERE = {"AF_INET": "0.0.0.0", "AF_INET6": "::"}


def clashes(sections: Mapping[str, SocketOptions]) -> Iterator[Problem]:
    """What is wrong with sections that have the address of another, once for each of the two."""
    known: dict[tuple[object, ...], dict[str, list[SocketOptions]]] = {}
    for options in sections.values():
        if not options.unix and options.port == 0:
            continue
        at = known.setdefault(_kind(options), {})
        host = _host(options)
        other = next((each for each in _near(at, options, host) if _clash(each, options)), None)
        if other is not None:
            yield _problem(other, options)
            yield _problem(options, other)
        at.setdefault(host, []).append(options)


def _kind(options: SocketOptions) -> tuple[object, ...]:
    """What two must have alike to be in each other's way, besides the host."""
    if options.file is not None:
        return ("path",)
    proto = options.proto or {"SOCK_STREAM": "tcp", "SOCK_DGRAM": "udp"}.get(options.type)
    return (options.type,) if options.unix else (options.type, proto, options.family, options.port)


def _host(options: SocketOptions) -> str:
    if options.unix:
        return options.path or ""
    host = options.host.lower() or _ANYWHERE[options.family]
    return _LOCAL[options.family] if host == "localhost" else host


def _near(at: Mapping[str, list[SocketOptions]], options: SocketOptions, host: str) -> Iterator[SocketOptions]:
    """Those at the same host, and those at one that includes the other."""
    anywhere = "" if options.unix else _ANYWHERE[options.family]
    if host == anywhere:
        yield from (each for own in at.values() for each in own)
    else:
        yield from at.get(host, ())
        yield from at.get(anywhere, ())


def _clash(one: SocketOptions, other: SocketOptions) -> bool:
    if one.type in ("SOCK_RAW", "SOCK_RDM") and not one.unix:
        return False
    if one.so_reuseport and other.so_reuseport:
        return False
    return None in (one.interface, other.interface) or one.interface == other.interface


def _problem(options: SocketOptions, other: SocketOptions) -> Problem:
    title, key = f"socket:{options.name}", "path" if options.unix else "port"
    message = f"is at {options.address}, and [socket:{other.name}] at {other.address}"
    # Where circusd is handed its sockets, sections need no address.
    unsaid = not options.unix and all(each.port == 8080 and each.host == "localhost" for each in (options, other))
    hint = "only one can be there: move one, or have one section, which several watchers may use"
    return Problem(title, key, message, hint, warning=unsaid, others=("path", "host"))
