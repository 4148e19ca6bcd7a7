"""What leaves for those who follow output: only while they do, in small parts, and never more than a ring holds."""

from __future__ import annotations

import asyncio
from typing import Any

from circus_plugins.streams.following import BUDGET, PIECE, Following
from circus_plugins.streams.recent import Recent

Sent = list[tuple[str, dict[str, Any]]]


def followed(*slots: tuple[str, int], limit: int = 65_536) -> tuple[Following, list[Recent], Sent]:
    """Rings of these slots, and what is sent to a follower of the watcher `web`."""
    following, sent = Following(), Sent()
    rings = [Recent(limit) for _ in slots]
    for slot, ring in zip(slots, rings, strict=True):
        following.add(slot, ring)
    following.serve(["output.web."], lambda topic, message: sent.append((topic, message)))
    return following, rings, sent


def test_only_what_somebody_follows_is_sent() -> None:
    async def main() -> None:
        following, (web, api), sent = followed(("web", 1), ("api", 1))
        web.add(b"hello\n", 10, "stderr")
        api.add(b"nobody hears\n", 11, "stdout")
        assert api.news is None
        await asyncio.sleep(0)
        assert [(topic, message["text"], message["start"]) for topic, message in sent] == [
            ("output.web.1.stderr", "hello\n", 0)
        ]
        later = Recent(100)
        following.add(("web", 2), later)
        later.add(b"me too\n", 12, "stdout")
        following.serve([], lambda topic, message: sent.append((topic, message)))
        assert (web.news, later.news) == (None, None)
        web.add(b"nobody\n", 10, "stdout")
        following.close()
        assert len(sent) == 1

    asyncio.run(main())


def test_a_single_process_can_be_followed_and_a_beginning_of_names() -> None:
    async def main() -> None:
        following, (one, two), sent = followed(("Two Words", 1), ("Two Words", 2))
        for topics, heard in (
            (["output.two_words.2."], [False, True]), (["output."], [True, True]), (["output.tw"], [True, True]),
            (["output.two_words.2.stderr"], [False, True]), (["watcher."], [False, False]),
        ):  # fmt: skip
            following.serve(topics, lambda topic, message: sent.append((topic, message)))
            assert [one.news is not None, two.news is not None] == heard, topics
        following.close()

    asyncio.run(main())


def test_parts_are_small_and_a_turn_is_short() -> None:
    async def main() -> None:
        slots = [("web", wid) for wid in range(1, 9)]
        following, rings, sent = followed(*slots)
        for ring in rings:
            ring.add(b"x" * 59_999 + b"\n", 10, "stdout")
        await asyncio.sleep(0)
        size = sum(len(message["text"]) for _, message in sent)
        assert BUDGET <= size < BUDGET + 65_536
        assert {topic for topic, _ in sent} < {f"output.web.{wid}.stdout" for _, wid in slots}
        following.close()  # the others have not been forgotten
        assert sum(len(message["text"]) for _, message in sent) == 8 * 60_000
        assert max(len(message["text"]) for _, message in sent) == PIECE

    asyncio.run(main())


def test_what_a_ring_has_lost_by_its_turn_is_not_sent() -> None:
    async def main() -> None:
        following, (ring,), sent = followed(("web", 1), limit=1000)
        for number in range(1000):
            ring.add(b"line %d\n" % number, 10, "stdout")
        await asyncio.sleep(0)
        assert sent[0][1]["start"] > 8000
        assert sum(len(message["text"]) for _, message in sent) < 1000
        assert sent[-1][1]["start"] + len(sent[-1][1]["text"]) == ring.end
        following.close()

    asyncio.run(main())
