"""What of a launch says which sockets a process gets, and by which numbers it finds them. It opens none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from circus_core.expand import expand
from circus_plugins.sockets import activation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circus_core.model import Launch, WatcherOptions

PREFIX = "sockets."


def handed(launch: Launch, watcher: WatcherOptions, numbers: Mapping[str, int]) -> Launch:
    """The launch of a process that gets these sockets of circusd, by name."""
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
