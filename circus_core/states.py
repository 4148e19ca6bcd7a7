"""The states of a watcher, as a table: what may happen in each, and what comes of it. It does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circus_core.events import WatcherStarted, WatcherStopped
from circus_core.model import WatcherState

if TYPE_CHECKING:
    from circus_core.events import Event

STOPPED, STARTING, ACTIVE, STOPPING = WatcherState
TABLE: dict[tuple[WatcherState, str], tuple[WatcherState, type[Event] | None]] = {
    (STOPPED, "start"): (STARTING, None),
    (STARTING, "up"): (ACTIVE, WatcherStarted),
    (STARTING, "stop"): (STOPPING, None),
    (ACTIVE, "stop"): (STOPPING, None),
    (STOPPED, "stop"): (STOPPING, None),
    (STOPPING, "stop"): (STOPPING, None),
    (STOPPING, "empty"): (STOPPED, WatcherStopped),
}
"""State and input -> the next state, and the event that tells of it. Any other pair is a fault of ours."""
