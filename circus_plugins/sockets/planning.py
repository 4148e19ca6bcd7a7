"""What following a configuration would do, before it is done: which watchers it rolls, what it tries again. It does
nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_core.plan import Action

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from circus_plugins.sockets.groups import Group
    from circus_plugins.sockets.held import Held
    from circus_plugins.sockets.options import SocketOptions

BEHIND = "its processes have a socket that was exchanged before"


def again(
    held: Mapping[str, Held | Group], before: Mapping[str, SocketOptions], now: Mapping[str, SocketOptions]
) -> Iterator[Action]:
    """What was refused before, of sections that are as they were."""
    for name, options in now.items():
        if before.get(name) != options:
            continue
        if name not in held:
            yield Action("update", f"socket:{name}", "it could not be opened before")
        elif held[name].options != options:
            yield Action("update", f"socket:{name}", "it could not be changed before")


def exchanged(held: Mapping[str, Held | Group], now: Mapping[str, SocketOptions]) -> set[str]:
    """The names of the sockets that are open and would be others."""
    return {name for name, options in now.items() if name in held and held[name].gives_way_to(options)}


def rolled(users: Mapping[str, Sequence[str]], exchanged: Collection[str], behind: Collection[str]) -> Iterator[Action]:
    """The watchers whose processes would be replaced; `users` are the sockets of those that run, by watcher."""
    for watcher, names in users.items():
        others = [f"socket:{name}" for name in names if name in exchanged]
        if others:
            yield Action("reload", watcher, f"it uses {' and '.join(others)}, and there will be another")
        elif watcher.lower() in behind:
            yield Action("reload", watcher, BEHIND)
