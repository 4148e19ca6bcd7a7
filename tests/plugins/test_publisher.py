"""The event endpoint and replay: topics, order, nothing lost or twice, and what is gone is said."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from circus_core.events import ProcessExited, ProcessSpawned, WatcherStarted
from circus_core.happening import stamp
from circus_plugins.client import AsyncClient
from circus_plugins.client.follow import Follower
from circus_plugins.doors.address import default_endpoint
from circus_plugins.doors.edge import Edge
from circus_plugins.publisher.ring import Ring
from tests.plugins.standin import opened, plugin, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from circus_core.testing import Circusd


class Subscriber:
    """A SUB socket as Circus' own clients have it."""

    def __init__(self, *topics: bytes, endpoint: str | None = None) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.linger = 0
        self.messages: asyncio.Queue[list[bytes]] = asyncio.Queue()
        self._edge = Edge(asyncio.get_running_loop(), self.socket, self.messages.put_nowait)
        self.socket.connect(endpoint or default_endpoint("events.sock"))
        for topic in topics:
            self.socket.subscribe(topic)
        self._edge.sent()

    def close(self) -> None:
        self._edge.close()
        self.context.destroy(0)


def spawned(watcher: str = "one", pid: int = 1) -> ProcessSpawned:
    return ProcessSpawned(watcher=watcher, wid=1, pid=pid)


def test_events_have_the_topics_and_keys_of_circus_and_ours_beside() -> None:
    async def main() -> None:
        async with opened(publisher=True) as supervisor:
            subscriber = Subscriber(b"watcher.")
            await until(lambda: len(plugin(supervisor, "publisher")._outlet.topics) == 1)
            supervisor.bus.publish(ProcessExited(
                watcher="Two Words", wid=1, pid=42, exit_code=-9, age=1.5, requested=False,
            ))  # fmt: skip
            topic, raw = await subscriber.messages.get()
            payload = json.loads(raw)
            assert topic == b"watcher.two_words.reap"
            assert (payload["process_pid"], payload["exit_code"]) == (42, -9)
            assert payload["time"] == payload["at"]
            assert payload["host"] == socket.gethostname()
            assert (payload["event"], payload["seq"]) == ("process_exited", supervisor.bus.seq)
            subscriber.close()

    asyncio.run(main())


def test_nothing_is_encoded_while_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[Any] = []
    monkeypatch.setattr("circus_plugins.publisher.encode", lambda value: encoded.append(value) or json.dumps(value))

    async def main() -> None:
        async with opened(publisher=True) as supervisor:
            supervisor.bus.publish(spawned())
            assert not encoded
            subscriber = Subscriber(b"watcher.")
            await until(lambda: len(plugin(supervisor, "publisher")._outlet.topics) == 1)
            supervisor.bus.publish(spawned())
            assert len(encoded) == 1
            subscriber.close()
            await until(lambda: len(plugin(supervisor, "publisher")._outlet.topics) == 0)
            supervisor.bus.publish(spawned())
            assert len(encoded) == 1

    asyncio.run(main())


@pytest.mark.covers("hook:circus_serve_topics")
def test_others_publish_what_somebody_subscribed_to_besides_events() -> None:
    class Weather:
        def __init__(self) -> None:
            self.wanted: list[set[str]] = []
            self.publish: Callable[[str, dict[str, object]], None] = lambda topic, message: None

        def circus_serve_topics(
            self, topics: frozenset[str], publish: Callable[[str, dict[str, object]], None]
        ) -> None:
            self.wanted.append(set(topics))
            self.publish = publish

    async def main() -> None:
        weather = Weather()
        async with opened(publisher=True) as supervisor:
            supervisor.bus.load("weather", weather)
            everything, events = Subscriber(b""), Subscriber(b"watcher.", b"sync.x", b"event.")
            await until(lambda: len(plugin(supervisor, "publisher")._outlet.topics) == 4)
            assert weather.wanted == []
            one, two = Subscriber(b"weather.here"), Subscriber(b"weather.here", b"weat")
            await until(lambda: weather.wanted[-1:] == [{"weather.here", "weat"}])
            weather.publish("weather.here", {"sun": True})
            weather.publish("weather.there", {"sun": False})
            assert await one.messages.get() == [b"weather.here", b'{"sun": true}']
            assert [(await two.messages.get())[0] for _ in range(2)] == [b"weather.here", b"weather.there"]
            supervisor.bus.publish(spawned())
            assert (await events.messages.get())[0] == b"watcher.one.spawn"
            two.close()
            await until(lambda: weather.wanted[-1] == {"weather.here"})
            one.close()
            await until(lambda: weather.wanted[-1] == set())
            assert len(weather.wanted) <= 5
            weather.publish("weather.here", {"sun": True})
            supervisor.bus.publish(spawned())
            topics = [(await everything.messages.get())[0] for _ in range(4)]
            assert topics == [b"weather.here", b"weather.there", b"watcher.one.spawn", b"watcher.one.spawn"]
            everything.close()
            events.close()

    asyncio.run(main())


@pytest.mark.parametrize("endpoint", [None, "tcp://127.0.0.1:*", "ipc://@circus-test-last-events"])
def test_the_last_events_of_a_shutdown_reach_who_is_connected(endpoint: str | None) -> None:
    async def main() -> None:
        async with opened(publisher=True, pubsub_endpoint=endpoint) as supervisor:
            subscriber = Subscriber(b"watcher.", endpoint=plugin(supervisor, "publisher")._outlet.door.text)
            await until(lambda: len(plugin(supervisor, "publisher")._outlet.topics) == 1)
            for pid in range(500):
                supervisor.bus.publish(spawned(pid=pid))
        for pid in range(500):
            assert json.loads((await subscriber.messages.get())[1])["pid"] == pid
        subscriber.close()

    asyncio.run(main())


def test_junk_on_the_event_endpoint_disturbs_nobody() -> None:
    async def main() -> None:
        async with opened(publisher=True) as supervisor:
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            other = context.socket(zmq.XSUB)
            other.linger = 0
            other.connect(default_endpoint("events.sock"))
            for junk in (b"", b"\2", b"\0never", b"\1sync.", b"\1" + b"x" * 10_000, b"\xff" * 100):
                other.send(junk)
            subscriber = Subscriber(b"watcher.")
            await until(lambda: len(plugin(supervisor, "publisher")._outlet.topics) >= 3)
            supervisor.bus.publish(spawned())
            assert (await subscriber.messages.get())[0] == b"watcher.one.spawn"
            subscriber.close()
            context.destroy(0)

    asyncio.run(main())


@pytest.mark.covers("circus-option:pubsub_endpoint")
def test_a_reload_moves_the_event_endpoint(tmp_path: Any) -> None:
    async def main() -> None:
        async with opened(publisher=True) as supervisor:
            await supervisor.reload(pubsub_endpoint=f"ipc://{tmp_path}/moved.sock", events_kept=3)
            await until(lambda: plugin(supervisor, "publisher")._outlet.door.text.endswith("moved.sock"))
            subscriber = Subscriber(b"watcher.", endpoint=f"ipc://{tmp_path}/moved.sock")
            await until(lambda: len(plugin(supervisor, "publisher")._outlet.topics) == 1)
            supervisor.bus.publish(spawned())
            assert (await subscriber.messages.get())[0] == b"watcher.one.spawn"
            assert plugin(supervisor, "publisher").ring.size == 3
            subscriber.close()

    asyncio.run(main())


@pytest.mark.covers("command:events")
def test_the_events_command_selects() -> None:
    async def main() -> None:
        async with opened(publisher=True) as supervisor, AsyncClient() as client:
            begin = supervisor.bus.seq
            for watcher in ("one", "two", "ONE"):
                supervisor.bus.publish(spawned(watcher))
            supervisor.bus.publish(WatcherStarted(watcher="one"))

            async def seqs(**arguments: Any) -> list[int]:
                reply = await client.call("events", **arguments)
                return [event["seq"] - begin for event in reply["events"]]

            assert await seqs(since=begin) == [1, 2, 3, 4]
            assert await seqs(since=begin, until=begin + 2) == [1, 2]
            assert await seqs(since=begin, watcher="One") == [1, 3, 4]
            assert await seqs(since=begin, event="process_spawned") == [1, 2, 3]
            assert await seqs(since=begin, event="start") == [4]
            assert await seqs(limit=2) == [3, 4]
            reply = await client.call("events", since=begin, limit=3)
            assert (reply["next"], reply["last"], reply["lost"]) == (begin + 3, begin + 4, None)

    asyncio.run(main())


@pytest.mark.covers("circus-option:events_kept", "event:events_lost")
def test_what_is_no_longer_kept_is_told() -> None:
    async def main() -> None:
        async with opened(publisher=True, events_kept=5) as supervisor, AsyncClient() as client:
            for pid in range(20):
                supervisor.bus.publish(spawned(pid=pid))
            last = supervisor.bus.seq
            reply = await client.call("events", since=3)
            assert reply["lost"] == {"first": 4, "last": last - 5}
            assert (reply["first"], reply["last"], len(reply["events"])) == (last - 4, last, 5)
            follower = client.events(since=3)
            first = await anext(follower)
            assert (first["event"], first["first"], first["last"]) == ("events_lost", 4, last - 5)
            assert [(await anext(follower))["seq"] for _ in range(5)] == list(range(last - 4, last + 1))
            await follower.aclose()

    asyncio.run(main())


def test_a_sync_that_never_arrives_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circus_plugins.publisher.SYNC_TIME", 0.05)

    async def main() -> None:
        async with opened(publisher=True), AsyncClient() as client:
            reply = await client.request("events", {"sync": "nobody"})
            assert reply["reason"] == "the subscription did not arrive"

    asyncio.run(main())


def test_a_follower_misses_nothing_however_it_starts() -> None:
    """Events flow before, while and after it subscribes, faster than libzmq keeps them for a slow one."""

    async def main() -> None:
        async with opened(publisher=True) as supervisor, AsyncClient() as client:
            total = 3000

            async def flow() -> None:
                for pid in range(total):
                    supervisor.bus.publish(spawned(pid=pid))
                    if pid % 50 == 0:
                        await asyncio.sleep(0)

            flowing = asyncio.create_task(flow())
            seen = []
            async for event in client.events(since=0):
                seen.append(event["seq"])
                if event.get("pid") == total - 1:
                    break
            await flowing
            assert seen == list(range(1, len(seen) + 1))

    asyncio.run(main())


def test_a_follower_without_since_begins_now_and_filters_by_watcher() -> None:
    async def main() -> None:
        async with opened(publisher=True) as supervisor, AsyncClient() as client:
            supervisor.bus.publish(spawned("one", pid=1))
            follower = client.events(watcher="Two")
            waiting = asyncio.ensure_future(anext(follower))
            await until(lambda: len(plugin(supervisor, "publisher")._outlet.topics) == 3)
            await client.call("status")
            while not waiting.done():
                supervisor.bus.publish(spawned("one", pid=2))
                supervisor.bus.publish(spawned("two", pid=3))
                await asyncio.sleep(0)
            assert (await waiting)["pid"] == 3
            await follower.aclose()

    asyncio.run(main())


@given(st.integers(1, 8), st.integers(0, 20), st.integers(-1, 25), st.integers(0, 25), st.integers(0, 25))
def test_a_ring_and_its_losses_are_everything(size: int, count: int, since: int, until: int, limit: int) -> None:
    ring = Ring(size)
    for seq in range(1, count + 1):
        happened = spawned()
        stamp(happened, seq, 0.0)
        ring.append(happened)
    page = ring.after(max(0, since), until, limit, lambda happened: True)
    seqs = [happened.seq for happened in page.events]
    lost = list(range(page.lost[0], page.lost[1] + 1)) if page.lost else []
    wanted = [seq for seq in range(max(0, since) + 1, until + 1) if seq <= count]
    assert lost + seqs == wanted[: len(lost) + limit] or (limit == 0 and lost == wanted[: len(lost)])
    latest = ring.latest(until, limit, lambda happened: True).events
    kept = range(max(1, count - size + 1), min(count, until) + 1)
    assert [happened.seq for happened in latest] == (list(kept)[-limit:] if limit else [])


@pytest.mark.parametrize("since", [17, 2**63, 10**20])
def test_nothing_comes_after_a_seq_that_never_was(since: int) -> None:
    ring = Ring(3)
    for seq in range(1, 5):
        happened = spawned()
        stamp(happened, seq, 0.0)
        ring.append(happened)
    assert ring.after(since, ring.last, 5, lambda happened: True).events == []


@given(st.data())
def test_followers_put_any_mixture_in_order(data: st.DataObject) -> None:
    """Live events arrive in order but some are dropped; replays fill in; nothing is seen twice or left out."""
    total = data.draw(st.integers(1, 30))
    size = data.draw(st.integers(1, 30))
    ring = Ring(size)
    follower = Follower(since=0)
    seen: list[int] = []
    ask = True

    def replay() -> bool:
        page = ring.after(follower.since or 0, ring.last, 5, lambda happened: True)
        reply = {
            "events": [{"event": "x", "seq": happened.seq} for happened in page.events],
            "last": ring.last,
            "next": page.next,
            "lost": {"first": page.lost[0], "last": page.lost[1]} if page.lost else None,
            "run": "r",
        }
        new, more = follower.replayed(reply)
        take(new)
        return more

    def take(new: list[dict[str, Any]]) -> None:
        for event in new:
            seen.extend(range(event["first"], event["last"] + 1) if event["event"] == "events_lost" else [event["seq"]])

    for seq in range(1, total + 1):
        happened = spawned()
        stamp(happened, seq, 0.0)
        ring.append(happened)
        if seq < total and data.draw(st.booleans()):
            continue
        new, ask = follower.arrived(json.dumps({"event": "x", "seq": seq, "run": "r"}).encode())
        take(new)
        while ask:
            ask = replay()
    assert seen == list(range(1, total + 1))


def test_a_new_circusd_is_followed_from_its_beginning() -> None:
    follower = Follower(since=500)
    follower.run = "old"
    assert follower.arrived(b'{"event": "x", "seq": 3, "run": "new"}') == ([], True)
    reply = {"events": [], "last": 3, "next": 0, "lost": None, "run": "new"}
    assert follower.replayed(reply) == ([], True)
    events = [{"event": "x", "seq": seq} for seq in (1, 2, 3)]
    assert follower.replayed({**reply, "events": events, "next": 3}) == (events, False)
    assert follower.since == 3


def test_circusd_tells_its_own_end(circusd: Callable[..., Circusd]) -> None:
    daemon = circusd("[watcher:one]\ncmd = sleep 1000\ncopy_env = True\n").up()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    subscriber = context.socket(zmq.SUB)
    subscriber.subscribe(b"")
    subscriber.connect(daemon.pubsub_endpoint)
    while not subscriber.poll(20):
        daemon.call("set", name="one", options={"priority": 1}, waiting=True)
    daemon.signal(signal.SIGTERM)
    topics = []
    while (not topics or topics[-1] != b"watcher.one.stop") and subscriber.poll(20_000):
        topics.append(subscriber.recv_multipart()[0])
    context.destroy(0)
    assert [topic for topic in topics if topic != b"watcher.one.updated"] == [
        b"event.supervisor_stopping", b"watcher.one.kill", b"watcher.one.reap", b"watcher.one.stop",
    ]  # fmt: skip
    assert daemon.wait() == 0
