"""Which sockets a watcher uses, and what is wrong where there is no such socket; it opens none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from circus_core.nearest import did_you_mean
from circus_core.structure import Problem
from circus_plugins.sockets import activation, rights

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from circus_core.model import WatcherOptions
    from circus_plugins.sockets.options import SocketOptions

_MENTIONED = re.compile(r"(?:\$\(|\(\()circus\.sockets\.([\w.-]+)", re.IGNORECASE)


def used(watcher: WatcherOptions, known: Mapping[str, SocketOptions]) -> list[str]:
    """The names of the sockets that processes of a watcher get, each once, whether there are such or not."""
    texts = (watcher.cmd, watcher.args, watcher.shell_args or "", *watcher.env.values())
    names = activation.named(watcher)
    names += [found.lower() for text in texts for found in _MENTIONED.findall(text)]
    stdin = watcher.extra.get("stdin_socket")
    if stdin:
        names.append(str(stdin).lower())
    if not names and (watcher.extra.get("use_sockets") or activation.activated(watcher)):
        names = list(known)
    return list(dict.fromkeys(names))


class Uses:
    """The sockets that watchers use, found out once for each version of a watcher's options."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[WatcherOptions, Mapping[str, SocketOptions], Sequence[str]]] = {}

    def of(self, watcher: WatcherOptions, known: Mapping[str, SocketOptions]) -> Sequence[str]:
        """As `used`."""
        found = self._found.get(watcher.name)
        if found is None or found[0] is not watcher or found[1] is not known:
            found = self._found[watcher.name] = (watcher, known, used(watcher, known))
        return found[2]

    def forget(self, watcher: str) -> None:
        """Nothing is left to know about a watcher."""
        self._found.pop(watcher, None)


def mistakes(watchers: Iterable[WatcherOptions], known: Mapping[str, SocketOptions]) -> Iterator[Problem]:
    """What is wrong with the sockets that watchers want, and with these themselves on this machine."""
    for watcher in watchers:
        yield from _problems(watcher, known)
    for options in known.values():
        yield from _lacking(options)


def _problems(watcher: WatcherOptions, known: Mapping[str, SocketOptions]) -> Iterator[Problem]:
    """What is wrong with the sockets that a watcher wants."""
    title = f"watcher:{watcher.name}"
    stdin = str(watcher.extra.get("stdin_socket") or "").lower()
    names = used(watcher, known)
    for name in names:
        if name not in known:
            keys = [key for key in ("cmd", "args", "shell_args") if name in str(getattr(watcher, key)).lower()]
            key = "stdin_socket" if name == stdin else next(iter(keys), "env")
            key = activation.OPTION if name in activation.named(watcher) else key
            missing = f"socket:{name}"
            yield Problem(title, key, f"there is no [{missing}]", hint(name, known), elsewhere=(missing,))
    for key in ("use_sockets", activation.OPTION):
        if watcher.extra.get(key) is True and not known:
            message, advice = "there is no [socket:NAME] section", "write one, or drop this"
            yield Problem(title, key, message, advice, warning=True)
    if activation.hidden(watcher):
        message = "hands the sockets to the shell, and LISTEN_PID is not that of the program that the shell starts"
        yield Problem(title, activation.OPTION, message, "write `exec` before that", warning=True, others=("shell",))
    there = [known[name] for name in names if name in known]
    asked = str(watcher.extra.get("ready_url") or "/")
    if (
        watcher.extra.get("ready") == "http"
        and asked.startswith("/")
        and there
        and not any(each.listens for each in there)
    ):
        message = (
            "is http, and none of the sockets takes connections: it is ready only if it listens elsewhere by itself"
        )
        yield Problem(title, "ready", message, "choose accepting, or give ready_url a whole address", warning=True)
    if watcher.extra.get("on_demand") and not names:
        advice = "mention one as $(circus.sockets.NAME), set use_sockets or stdin_socket, or drop this"
        yield Problem(title, "on_demand", "needs a socket to wait at, and this watcher uses none", advice)
    if watcher.extra.get("idle_timeout") and not watcher.extra.get("on_demand"):
        message, advice = "means nothing without on_demand", "set on_demand = True, or drop this"
        yield Problem(title, "idle_timeout", message, advice, warning=True, others=("on_demand",))


def _lacking(options: SocketOptions) -> Iterator[Problem]:
    """What a socket needs and this machine has not."""
    for key, message, advice in rights.lacking(options):
        yield Problem(f"socket:{options.name}", key, message, advice, warning=True)


def hint(name: str, known: Mapping[str, SocketOptions]) -> str:
    """What to do where there is no socket of this name."""
    return did_you_mean(name, known, f"there are {', '.join(known)}" if known else "write that section")
