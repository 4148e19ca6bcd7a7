"""How often something may be tried: logins that fail, and requests. It does not know what is tried."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN = 10_000
"""Addresses that are remembered; the one that has failed longest ago is forgotten first."""


class Attempts:
    """At most `each` failures of an address within `window` seconds, and `all_` of everybody together."""

    def __init__(
        self, each: int = 5, all_: int = 100, window: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = each, all_
        self._window = window
        self._clock = clock
        self._by_address: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque()

    def wait(self, address: str) -> float:
        """How many seconds it has to wait before it may try again; 0 if it may at once."""
        each, all_ = self._limits
        return max(self._left(self._by_address.get(address), each), self._left(self._all, all_))

    def failed(self, address: str) -> None:
        """It tried, and it was wrong."""
        now = self._clock()
        times = self._by_address.setdefault(address, deque(maxlen=self._limits[0]))
        self._by_address.move_to_end(address)
        times.append(now)
        self._all.append(now)
        while len(self._by_address) > KNOWN:
            self._by_address.popitem(last=False)
        while len(self._all) > self._limits[1]:
            self._all.popleft()

    def proved(self, address: str) -> None:
        """It was right: what it tried before is forgotten."""
        self._by_address.pop(address, None)

    def _left(self, times: deque[float] | None, limit: int) -> float:
        if times is None or len(times) < limit:
            return 0.0
        return max(0.0, times[-limit] + self._window - self._clock())


class Pace:
    """Allows `rate` requests a second, and up to `burst` that were saved up."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._saved = burst
        self._at = clock()

    def allowed(self) -> bool:
        """Whether there may be one more now; if so, it counts."""
        now = self._clock()
        self._saved = min(self._burst, self._saved + (now - self._at) * self._rate)
        self._at = now
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
