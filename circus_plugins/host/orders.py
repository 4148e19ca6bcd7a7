"""What a host process is to do: which plugins it runs and where circusd is; from a command line or from circusd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from circus_core.declarations import sections
from circus_core.structure import Place, Setting
from circus_plugins.doors.keys import Pair
from circus_plugins.host import briefing

if TYPE_CHECKING:
    from collections.abc import Mapping

SEPARATOR = ":::"
NAMES = ("name", "__name__")


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
    """The settings in `key:value:::key:value`, as Circus' --config has them (PROTOCOL.md 5.1).

    Circus puts in what a section has for the watcher of the plugin, too, and the names of the section.
    """
    known = sections()
    pairs = (item.partition(":") for item in config.split(SEPARATOR))
    found = {key.strip(): value.strip() for key, colon, value in pairs if colon}
    return {
        key: Setting(value, common=key in NAMES or any(known[kind].find(key) for kind in ("plugin", "watcher")))
        for key, value in found.items()
    }


def ignored(config: str) -> list[str]:
    """What of such a text is no setting."""
    return [item for item in config.split(SEPARATOR) if item.strip() and ":" not in item]
