"""Those who want to know what one process says, as long as they do; what they make of it is theirs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.model import ProcessRef
    from circus_plugins.streams.channel import Channel

log = logging.getLogger("circus.plugin.streams")


class Listeners:
    """The functions that plugins gave for one process."""

    def __init__(self, process: ProcessRef, functions: dict[str, Callable[[str, bytes], bool]]) -> None:
        self._process = process
        self._functions = functions
        self.channels: list[Channel] = []

    def hear(self, channel: str, data: bytes) -> None:
        """Hand on what was said; who has heard enough, or fails, is not called again."""
        for plugin, function in tuple(self._functions.items()):
            try:
                enough = function(channel, data)
            except Exception:
                process = self._process
                log.exception("plugin %s failed to listen to %s/%d", plugin, process.watcher, process.wid)
                enough = True
            if enough:
                del self._functions[plugin]
        if not self._functions:
            for each in self.channels:
                each.hush()
