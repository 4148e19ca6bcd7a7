"""What a host process is to do: which plugins it runs and where circusd is; from a command line or from circusd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from circus_core.structure import Place, Setting
from circus_plugins.doors.keys import Pair
from circus_plugins.host import briefing

if TYPE_CHECKING:
    from collections.abc import Mapping

SEPARATOR = ":::"


@frozen
class PluginOrders:
    """A plugin to run. `memory` is the descriptor of what it remembers, if circusd keeps that."""

    name: str
    use: str
    settings: Mapping[str, Setting] = field(factory=dict)
    memory: int | None = None


@frozen
class Orders:
    """Everything a host process is told. `cursor` and `token` are set if circusd started it, `parent` is its pid."""

    plugins: tuple[PluginOrders, ...]
    endpoint: str
    pubsub_endpoint: str
    check_delay: float = 5.0
    log_level: str = "info"
    log_output: str = "-"
    ssh: str | None = None
    keys: Pair | str | None = None
    token: str = ""
    parent: int = 0
    cursor: briefing.Cursor | None = None


def inherited(fd: int) -> Orders:
    """The orders that circusd wrote down for this process."""
    told = briefing.read(fd)
    plugins = [
        PluginOrders(
            each["name"],
            each["use"],
            {
                key: Setting(entry["value"], Place(*entry["place"]) if entry["place"] else None, text=entry["text"])
                for key, entry in each["settings"].items()
            },
            each["memory"],
        )
        for each in told.pop("plugins")
    ]
    del told["server_key"]
    keys = Pair(*(key.encode() for key in told.pop("keys"))) if told["keys"] else None
    return Orders(**{**told, "plugins": tuple(plugins), "keys": keys}, cursor=briefing.Cursor(fd))


def settings(config: str) -> dict[str, Setting]:
    """The settings in `key:value:::key:value`, as Circus' --config has them (PROTOCOL.md 5.1)."""
    pairs = (item.partition(":") for item in config.split(SEPARATOR))
    return {key.strip(): Setting(value.strip()) for key, colon, value in pairs if colon}
