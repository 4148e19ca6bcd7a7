"""So many in a period, and then one summary: decides what is sent, from times that it is given. It has no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from circus_notify.notice import Notice

Key = tuple[str, str]


@define
class _Period:
    began: float
    sent: int = 0
    held: int = 0
    last: Notice | None = None


@define
class Limiter:
    """Counts per event and watcher."""

    limit: int
    period: float
    _periods: dict[Key, _Period] = field(factory=dict)

    def admit(self, key: Key, notice: Notice, now: float) -> tuple[bool, float | None]:
        """Whether to send it; and, for the first that is held back, in how many seconds to ask for `summary`."""
        period = self._periods.get(key)
        if period is None or (now - period.began >= self.period and not period.held):
            period = self._periods[key] = _Period(now)
        if period.sent < self.limit:
            period.sent += 1
            return True, None
        period.held += 1
        period.last = notice
        return False, max(0.0, period.began + self.period - now) if period.held == 1 else None

    def summary(self, key: Key) -> Notice | None:
        """What was held back, as one notice; a new period begins with the next event."""
        period = self._periods.pop(key, None)
        if period is None or period.last is None:
            return None
        return period.last.standing_for(period.held)

    def held(self) -> list[Key]:
        """For which keys something is held back."""
        return [key for key, period in self._periods.items() if period.held]

    def forget(self, watcher: str) -> None:
        """Drop what is known of a watcher that is gone, but for what still has to be told."""
        gone = [key for key, period in self._periods.items() if key[1] == watcher and not period.held]
        for key in gone:
            del self._periods[key]
