"""Passes output on to whoever follows it, as it comes; it keeps none, and does nothing while nobody follows.

What a follower gets is what the rings have: at most once in `EVERY` seconds, the parts that are new since. So a
process that says more than its ring holds in that time is not slowed, and costs little: what it overran is not sent,
and a follower sees by `start` that something is missing.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define

from circus_core.wire import topic_name
from circus_plugins.streams.recent import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from circus_plugins.streams.recent import Recent, Said, Slot

    Publish = Callable[[str, dict[str, Any]], None]

PREFIX = "output."
"""Topics are `output.WATCHER.WID.CHANNEL`."""
EVERY = 0.05
"""Seconds in which further output is gathered; the first after a pause leaves at once."""
BUDGET = 1 << 18
"""Bytes that leave at once at most, of all processes: about 5 ms of work."""
PIECE = 2048
"""Bytes of text in one message. libzmq keeps a number of messages for a follower that does not read, so none is
large."""


@define(eq=False)
class _Followed:
    """A ring that somebody follows, and the position up to which it was passed on."""

    slot: Slot
    ring: Recent
    topic: str
    told: int


class Following:
    """Who follows which slots, and what is new in them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rings: dict[Slot, Recent] = {}
        self._topics: frozenset[str] = frozenset()
        self._publish: Publish | None = None
        self._followed: dict[Slot, _Followed] = {}
        self._new: dict[Slot, _Followed] = {}
        self._timer: asyncio.Handle | None = None

    def add(self, slot: Slot, ring: Recent) -> None:
        """There is a further ring."""
        self._rings[slot] = ring
        self._look_at(slot, ring)

    def remove(self, slot: Slot) -> None:
        """There is none for this slot any more."""
        self._unfollow(slot, self._rings.pop(slot))

    def serve(self, topics: Iterable[str], publish: Publish) -> None:
        """These are the topics that somebody wants now, and this is how to send to them."""
        self._topics = frozenset(topic for topic in topics if topic.startswith(PREFIX))
        self._publish = publish
        for slot, ring in self._rings.items():
            self._look_at(slot, ring)

    def close(self) -> None:
        """Pass on what is left, and nothing more."""
        while self._new:
            self._pass_on()
        for slot, ring in self._rings.items():
            self._unfollow(slot, ring)
        if self._timer is not None:
            self._timer.cancel()

    def _look_at(self, slot: Slot, ring: Recent) -> None:
        topic = f"{PREFIX}{topic_name(slot[0])}.{slot[1]}."
        wanted = any(topic.startswith(each) or each.startswith(topic) for each in self._topics)
        if not wanted:
            self._unfollow(slot, ring)
        elif slot not in self._followed:
            followed = self._followed[slot] = _Followed(slot, ring, topic, ring.end)
            ring.news = partial(self._heard, followed)

    def _unfollow(self, slot: Slot, ring: Recent) -> None:
        ring.news = None
        self._followed.pop(slot, None)
        self._new.pop(slot, None)

    def _heard(self, followed: _Followed) -> None:
        self._new[followed.slot] = followed
        if self._timer is None:
            self._timer = self._loop.call_soon(self._due)

    def _due(self) -> None:
        self._timer = None
        if self._new:
            self._pass_on()
            # Also if nothing is left: what comes next is gathered.
            self._timer = self._loop.call_later(EVERY, self._due)

    def _pass_on(self) -> None:
        """Send what is new, as much as may be at once; whoever had to wait comes first the next time."""
        left = BUDGET
        for slot, followed in list(self._new.items()):
            if left <= 0:
                break
            del self._new[slot]
            for said in followed.ring.after(followed.told):
                left -= len(said.text)
                self._send(followed, said)
            followed.told = followed.ring.end

    def _send(self, followed: _Followed, said: Said) -> None:
        assert self._publish is not None
        # What is no ASCII takes up to six letters for a byte in JSON.
        piece = PIECE if said.text.isascii() else PIECE // 4
        for begin in range(0, len(said.text), piece):
            part = said._replace(start=said.start + begin, text=said.text[begin : begin + piece])
            self._publish(followed.topic + said.channel, message(followed.slot, followed.ring, part))
