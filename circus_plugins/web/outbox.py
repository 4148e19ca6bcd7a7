"""What waits for one browser, within bounds: who does not read is not waited for. It sends nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 256
LARGEST = 4_000_000
"""Messages, and bytes of them, that may wait. A single one may be larger, such as the first picture."""


class Outbox(asyncio.Queue[Any]):
    """The queue of packets that engineio has for each client, with its size known. `overflowed` is called when
    it is too much."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()
        self.size = 0
        self.overflowed: Callable[[], object] | None = None

    def _put(self, item: Any) -> None:
        if self.overflowed is not None and (self.qsize() >= MOST or self.size >= LARGEST):
            overflowed, self.overflowed = self.overflowed, None
            overflowed()
        self.size += _size(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.size -= _size(item)
        return item


def _size(item: Any) -> int:
    data = getattr(item, "data", None)
    return len(data) if isinstance(data, str | bytes) else 0
