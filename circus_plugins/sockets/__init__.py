"""The plugin `sockets`: circusd opens sockets, and the processes of watchers share them (PROTOCOL.md 4.5).

So however many processes there are, and whichever of them is being replaced, connections wait for one that takes them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import evolve

from circus_core.errors import CircusError
from circus_core.expand import expand
from circus_core.kinds import BOOLEAN, TEXT
from circus_core.model import Refuse
from circus_core.nearest import did_you_mean
from circus_core.options import Effect, Section
from circus_core.plugin import CircusPlugin
from circus_core.requests import Command, Role
from circus_core.structure import Problem
from circus_plugins.sockets import activation, rights
from circus_plugins.sockets.options import SocketOptions

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from circus_core.model import Config, Launch, ProcessRef, WatcherOptions
    from circus_core.plugin import Registry
    from circus_core.requests import Reply, Request
    from circus_plugins.sockets.held import Sockets as Held

_MENTIONED = re.compile(r"(?:\$\(|\(\()circus\.sockets\.([\w.-]+)", re.IGNORECASE)
PREFIX = "sockets."


class Sockets(CircusPlugin):
    """Opens the sockets of `[socket:NAME]` sections and hands them to the processes that use them."""

    name = "sockets"

    def __init__(self) -> None:
        self._supervisor: Any = None
        self._held: Held | None = None
        self._own: dict[tuple[str, int], list[socket.socket]] = {}

    def circus_register_options(self, registry: Registry) -> None:
        """`[socket:NAME]`, and `use_sockets` and `stdin_socket` of `[watcher:...]`."""
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
            help="Processes find their sockets as descriptors from 3 on, with LISTEN_FDS, LISTEN_PID and"
            " LISTEN_FDNAMES, as services of systemd do. Names of sockets are for these, in this order; `true` is for"
            " those that are mentioned, or all if none is.",
        )  # fmt: skip

    def circus_register_commands(self, registry: Registry) -> None:
        """`listsockets`."""
        registry.command(
            Command(
                "listsockets", Role.VIEW, "List the sockets that circusd has open.",
                replies={"sockets": "fd, name, backlog, and host and port, or path, of each"},
                example="circusctl listsockets",
            ),
            self._list,
        )  # fmt: skip

    def circus_check_config(self, config: Config) -> list[Problem]:
        """Whether there is each socket that a watcher uses, and each account that a socket is for."""
        known = _sections(config)
        found = [problem for watcher in config.watchers.values() for problem in _problems(watcher, known)]
        return found + [problem for options in known.values() for problem in _lacking(options)]

    def circus_startup(self, supervisor: Any) -> None:
        """Open every socket before the first watcher starts; one that cannot be opened is for those who use it."""
        self._supervisor = supervisor
        for error in self._follow(supervisor.config):
            self.log.error("%s%s", error.message, f" ({error.hint})" if error.hint else "")

    def circus_follow_config(self, config: Config) -> None:
        """Open what is new, exchange what changed, close what is gone, and replace the processes that used it."""
        before = self._numbers()
        refused = self._follow(config)
        after = self._numbers()
        changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
        for watcher in config.watchers.values():
            if changed & set(used(watcher, _sections(config))):
                self.client.cast("reload", name=watcher.name)
        if refused:
            raise CircusError("; ".join(error.message for error in refused), hint=refused[0].hint)

    def circus_shutdown(self) -> None:
        """Close every socket."""
        if self._held is not None:
            self._held.close()

    def circus_veto_start(self, watcher: WatcherOptions) -> Refuse | None:
        """Keep a watcher stopped whose socket cannot be had."""
        try:
            for name in self._used(watcher):
                self._socket(name)
        except CircusError as error:
            return Refuse(f"{error.message}" + (f" ({error.hint})" if error.hint else ""))
        return None

    def circus_adjust_launch(self, launch: Launch, watcher: WatcherOptions) -> Launch | None:
        """Hand a process its sockets, under the numbers that they have here, or from 3 on."""
        # No watcher that needs a socket gets here where there is none, and this is part of every spawn.
        names = self._used(watcher) if _sections(self._supervisor.config) else ()
        if not names:
            return None
        numbers = {name: self._number(name, launch) for name in names}
        stdin = watcher.extra.get("stdin_socket")
        if stdin:
            launch = evolve(launch, stdin=numbers[str(stdin).lower()])
        if activation.activated(watcher):
            launch, numbers = activation.activating(launch, numbers)
        else:
            launch = evolve(launch, pass_fds=(*launch.pass_fds, *numbers.values()))
        variables = {PREFIX + name: number for name, number in numbers.items()}
        return evolve(
            launch,
            argv=tuple(expand(word, variables) for word in launch.argv),
            env={name: expand(value, variables) for name, value in launch.env.items()},
        )

    def circus_confirm_spawn(self, process: ProcessRef) -> None:
        """What was opened for this process alone is its own now."""
        self._close_own(process.watcher, process.wid)

    def circus_spawn_failed(self, event: Any) -> None:
        """Nobody has it."""
        self._close_own(event.watcher, event.wid)

    def _follow(self, config: Config) -> list[CircusError]:
        wanted = _sections(config)
        if not wanted and self._held is None:
            return []
        held = self._opened()
        held.want(wanted)
        return held.settle()

    def _numbers(self) -> dict[str, int]:
        """The descriptors of the open sockets, by name."""
        return {entry["name"]: entry["fd"] for entry in self._held.described()} if self._held else {}

    def _opened(self) -> Held:
        if self._held is None:
            from circus_plugins.sockets.held import Sockets as Held

            self._held = Held()
        return self._held

    def _used(self, watcher: WatcherOptions) -> list[str]:
        return used(watcher, _sections(self._supervisor.config))

    def _socket(self, name: str) -> int:
        """The number of a shared socket; raises CircusError."""
        held = self._opened()
        held.want(_sections(self._supervisor.config))
        if name not in held.wanted:
            raise CircusError(f"there is no [socket:{name}]", hint=_hint(name, held.wanted))
        return -1 if held.wanted[name].so_reuseport else held.get(name).socket.fileno()

    def _number(self, name: str, launch: Launch) -> int:
        number = self._socket(name)
        if number >= 0:
            return number
        from circus_plugins.sockets.binding import opened

        made = opened(self._opened().wanted[name])
        self._own.setdefault((launch.watcher, launch.wid), []).append(made)
        return made.fileno()

    def _close_own(self, watcher: str, wid: int) -> None:
        for made in self._own.pop((watcher, wid), ()):
            made.close()

    def _list(self, supervisor: Any, request: Request) -> Reply:
        return {"sockets": self._held.described() if self._held else []}


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


def _sections(config: Config) -> Mapping[str, SocketOptions]:
    found: Any = config.sections.get("socket", {})
    return found  # type: ignore[no-any-return]


def _problems(watcher: WatcherOptions, known: Mapping[str, SocketOptions]) -> Iterator[Problem]:
    title = f"watcher:{watcher.name}"
    stdin = str(watcher.extra.get("stdin_socket") or "").lower()
    for name in used(watcher, known):
        if name not in known:
            keys = [key for key in ("cmd", "args", "shell_args") if name in str(getattr(watcher, key)).lower()]
            key = "stdin_socket" if name == stdin else next(iter(keys), "env")
            key = activation.OPTION if name in activation.named(watcher) else key
            yield Problem(title, key, f"there is no [socket:{name}]", _hint(name, known))
    for key in ("use_sockets", activation.OPTION):
        if watcher.extra.get(key) is True and not known:
            message, hint = "there is no [socket:NAME] section", "write one, or drop this"
            yield Problem(title, key, message, hint, warning=True)


def _lacking(options: SocketOptions) -> Iterator[Problem]:
    for key, message, hint in rights.lacking(options):
        yield Problem(f"socket:{options.name}", key, message, hint, warning=True)


def _hint(name: str, known: Mapping[str, SocketOptions]) -> str:
    return did_you_mean(name, known, f"there are {', '.join(known)}" if known else "write that section")
