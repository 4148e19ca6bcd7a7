"""The control endpoint on a real socket: what it answers, what it drops, and that nothing stops it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from circus_core.errors import ConflictError, EndpointError
from circus_plugins.client import AsyncClient
from circus_plugins.doors.address import default_endpoint
from circus_plugins.doors.edge import BUDGET, Edge
from circus_plugins.doors.house import MESSAGE_LIMIT
from tests.plugins.standin import StandIn, opened, plugin, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from circus_core.requests import Request


class Raw:
    """A DEALER that sends any frames and receives what comes."""

    def __init__(self, endpoint: str | None = None) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint or default_endpoint())
        self._replies: asyncio.Queue[list[bytes]] = asyncio.Queue()
        self._edge = Edge(asyncio.get_running_loop(), self.socket, self._replies.put_nowait)

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)
        self._edge.sent()

    async def reply(self) -> Any:
        (frame,) = await self._replies.get()
        return json.loads(frame)

    async def ask(self, message: object) -> Any:
        self.send(json.dumps(message).encode())
        return await self.reply()

    def close(self) -> None:
        self._edge.close()
        self.context.destroy(0)


def served(
    scenario: Callable[[StandIn, Raw], Awaitable[None]],
    *,
    answers: dict[str, Callable[[Request], Any]] | None = None,
    **extra: object,
) -> None:
    async def main() -> None:
        async with opened(answers=answers, **extra) as supervisor:
            raw = Raw()
            try:
                await scenario(supervisor, raw)
            finally:
                raw.close()

    asyncio.run(main())


def test_a_request_is_answered_on_the_private_default_socket() -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        path = default_endpoint().removeprefix("ipc://")
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
        assert await raw.ask({"command": "status", "id": 5}) == {
            "status": "ok", "time": pytest.approx(0, abs=1e12), "statuses": {"one": "active"}, "id": 5,
        }  # fmt: skip

    served(scenario)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
@settings(max_examples=30)
def test_junk_is_answered_or_dropped_and_the_next_request_served(frames: list[bytes]) -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        raw.send(*frames)
        if len(frames) == 1:
            assert (await raw.reply())["status"] == "error"
        assert (await raw.ask({"command": "status"}))["status"] == "ok"

    served(scenario)


def test_an_unknown_command_is_named_as_it_was_sent() -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        reply = await raw.ask({"command": "Bogus", "id": 1})
        assert (reply["errno"], reply["reason"]) == (2, "unknown command: 'Bogus'")

    served(scenario)


def test_a_cast_is_never_answered_not_even_with_an_error() -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        for message in ({"command": "status"}, {"command": "bogus"}, {}, {"command": "late"}):
            raw.send(json.dumps({**message, "msg_type": "cast", "id": "cast"}).encode())
        assert (await raw.ask({"command": "status", "id": "call"}))["id"] == "call"

    served(scenario, answers={"late": lambda request: failing(ConflictError("no"))})


async def failing(error: Exception) -> dict[str, Any]:
    raise error


def test_a_message_over_the_limit_disconnects_only_its_sender() -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        other = Raw()
        other.send(b"x" * (MESSAGE_LIMIT + 1))
        assert (await raw.ask({"command": "status"}))["status"] == "ok"
        other.close()

    served(scenario)


def test_slow_commands_are_answered_when_done_and_others_meanwhile() -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        gate = asyncio.Event()

        async def slow() -> dict[str, Any]:
            await gate.wait()
            return {"done": True}

        supervisor.command("slow", lambda request: slow())
        raw.send(b'{"command": "slow", "id": 1}')
        assert (await raw.ask({"command": "status", "id": 2}))["id"] == 2
        gate.set()
        reply = await raw.reply()
        assert (reply["id"], reply["done"]) == (1, True)

    served(scenario)


def test_progress_is_sent_to_those_who_ask_for_it() -> None:
    def work(request: Request) -> dict[str, Any]:
        if request.progress is not None:
            request.progress("half")
        return {"told": request.progress is not None}

    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        assert (await raw.ask({"command": "work", "id": 1}))["told"] is False
        first = await raw.ask({"command": "work", "id": 2, "progress": True})
        assert first.keys() == {"status", "id", "time", "text"}
        assert (first["status"], first["id"], first["text"]) == ("progress", 2, "half")
        assert (await raw.reply())["told"] is True

    served(scenario, answers={"work": work})


def test_an_unforeseen_exception_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    def boom(request: Request) -> dict[str, Any]:
        raise KeyError("inside")

    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        reply = await raw.ask({"command": "boom", "id": 1})
        assert (reply["errno"], reply["tb"]) == (5, None)
        reply = await raw.ask({"command": "later", "id": 2, "properties": {"waiting": True}})
        assert (reply["errno"], reply["reason"]) == (6, "later failed: KeyError: 'later'")
        reply = await raw.ask({"command": "odd", "id": 3})
        assert reply["errno"] == 5
        assert "not JSON serializable" in reply["reason"]

    served(
        scenario,
        answers={
            "boom": boom,
            "later": lambda request: failing(KeyError("later")),
            "odd": lambda request: {"set": {1}},
        },
    )
    assert sum(record.exc_info is not None for record in caplog.records) == 3


def test_many_requests_at_once_are_all_answered_in_turns_of_the_loop() -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        turns = 0

        def count() -> None:
            nonlocal turns
            turns += 1
            ticking = loop.call_soon(count)
            tick.append(ticking)

        loop, tick = asyncio.get_running_loop(), list[asyncio.Handle]()
        count()
        total = 20 * BUDGET
        for number in range(total):
            raw.send(json.dumps({"command": "status", "id": number}).encode())
        assert [(await raw.reply())["id"] for _ in range(total)] == list(range(total))
        assert turns > 20
        tick[-1].cancel()

    served(scenario)


def test_replies_from_tasks_do_not_stall_requests_that_arrive_meanwhile() -> None:
    """Sending may use up libzmq's only notice of a message; every request here must still be answered."""

    async def soon() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {}

    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        for number in range(2000):
            raw.send(json.dumps({"command": "soon", "id": number}).encode())
            if number % 7 == 0:
                await asyncio.sleep(0)
        assert {(await raw.reply())["id"] for _ in range(2000)} == set(range(2000))

    served(scenario, answers={"soon": lambda request: soon()})


def test_a_client_that_vanishes_or_never_reads_disturbs_nobody() -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        mute = zmq.Context()
        socket = mute.socket(zmq.DEALER)
        socket.linger, socket.rcvhwm = 0, 1
        socket.connect(default_endpoint())
        for _ in range(500):
            socket.send(b'{"command": "big"}')
        for _ in range(20):
            gone = Raw()
            gone.send(b'{"command": "status"}')
            gone.close()
            assert (await raw.ask({"command": "status"}))["status"] == "ok"
        mute.destroy(0)

    served(scenario, answers={"big": lambda request: {"filler": "x" * 100_000}})


def test_what_is_under_way_at_the_end_is_answered() -> None:
    async def main() -> None:
        released = asyncio.Event()

        async def last() -> dict[str, Any]:
            await released.wait()
            return {"done": True}

        async with opened(answers={"last": lambda request: last()}) as supervisor:
            client = AsyncClient()
            call = asyncio.create_task(client.call("last", waiting=True))
            await until(lambda: bool(supervisor.roles))
            released.set()
        assert (await call)["done"] is True
        client.close()

    asyncio.run(main())


def test_no_more_requests_than_a_limit_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circus_plugins.control.endpoint.UNDER_WAY", 1)

    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        gate = asyncio.Event()

        async def slow() -> dict[str, Any]:
            await gate.wait()
            return {}

        supervisor.command("slow", lambda request: slow())
        raw.send(b'{"command": "slow", "id": 1}')
        reply = await raw.ask({"command": "slow", "id": 2})
        assert (reply["id"], reply["reason"]) == (2, "too many requests are under way")
        gate.set()
        assert (await raw.reply())["id"] == 1

    served(scenario)


@pytest.mark.covers("command:globaloptions", "circus-option:stats_endpoint")
def test_globaloptions_tells_the_addresses_in_use() -> None:
    async def main() -> None:
        async with opened(publisher=True, endpoint="tcp://127.0.0.1:*", stats_endpoint="tcp://127.0.0.1:5557") as found:
            endpoint = plugin(found, "control")._entrance.house.doors["endpoint"].text
            async with AsyncClient(endpoint) as client:
                assert (await client.call("globaloptions"))["options"] == {
                    "endpoint": endpoint,
                    "stats_endpoint": "tcp://127.0.0.1:5557",
                    "pubsub_endpoint": default_endpoint("events.sock"),
                    "check_delay": 5.0,
                    "multicast_endpoint": "",
                }
                assert (await client.call("globaloptions", option="check_delay"))["options"] == {"check_delay": 5.0}
                reply = await client.request("globaloptions", {"option": "x"})
                assert (reply["errno"], reply["reason"]) == (3, "'x' not an existing option")

    asyncio.run(main())


@pytest.mark.covers("circus-option:multicast_endpoint")
def test_discovery_is_refused_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        assert (await raw.ask({"command": "status"}))["status"] == "ok"

    served(scenario, multicast_endpoint="udp://237.219.251.97:12027")
    assert "multicast_endpoint: ignored" in caplog.text


def test_loopback_tcp_works_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with opened(endpoint="tcp://localhost:*") as supervisor:
            endpoint = plugin(supervisor, "control")._entrance.house.doors["endpoint"].text
            assert endpoint.startswith("tcp://127.0.0.1:")
            async with AsyncClient(endpoint) as client:
                assert (await client.call("status"))["status"] == "ok"

    asyncio.run(main())
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "every user of this machine can give orders" in warnings[0].getMessage()


@pytest.mark.covers("circus-option:endpoint")
def test_a_reload_with_another_endpoint_opens_it_and_closes_the_old_one(tmp_path: Any) -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        control = plugin(supervisor, "control")
        await supervisor.reload(endpoint=f"ipc://{tmp_path}/new.sock")
        await until(lambda: control._entrance.served.door.text.endswith("new.sock"))
        other = Raw(f"ipc://{tmp_path}/new.sock")
        assert (await other.ask({"command": "status"}))["status"] == "ok"
        old = default_endpoint().removeprefix("ipc://")
        await until(lambda: not os.path.exists(old))
        other.close()

    served(scenario)


def test_a_reload_with_other_keys_keeps_the_socket_where_it_is(tmp_path: Path) -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        control = plugin(supervisor, "control")
        before = control._entrance.served
        await supervisor.reload(keys_dir=str(tmp_path))
        await until(lambda: control._entrance.served is not before and before.door.socket.closed)
        other = Raw()
        assert (await other.ask({"command": "status"}))["status"] == "ok"
        other.close()

    served(scenario)


def test_a_reload_with_an_impossible_endpoint_keeps_the_old_one() -> None:
    async def scenario(supervisor: StandIn, raw: Raw) -> None:
        with pytest.raises(EndpointError, match="the folder /no/such/folder must exist") as caught:
            await supervisor.reload(endpoint="ipc:///no/such/folder/x.sock")
        assert "control.sock stays open" in caught.value.hint
        assert (await raw.ask({"command": "status"}))["status"] == "ok"

    served(scenario)


def test_a_reload_may_widen_the_same_port() -> None:
    """The new address overlaps the old one, which this process itself still holds."""

    async def main() -> None:
        async with opened(endpoint="tcp://127.0.0.1:*") as supervisor:
            control = plugin(supervisor, "control")
            port = control._entrance.served.door.text.rpartition(":")[2]
            await supervisor.reload(endpoint=f"tcp://127.0.0.1:{port}", keys_dir="")
            async with AsyncClient(f"tcp://127.0.0.1:{port}") as client:
                assert (await client.call("status"))["status"] == "ok"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (None, True),
        ({}, True),
        ("uid", True),
        ({"uid": "nobody"}, True),
        ({"uid": 0}, False),
        ({"uid": "root"}, False),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to somebody")
def test_endpoint_owner_may_add_only_for_themselves(tmp_path: Any, options: Any, refused: bool) -> None:
    async def main() -> None:
        endpoint = f"ipc://{tmp_path}/owned.sock"
        answers = {"add": lambda request: {}, "set": lambda request: {}}
        async with opened(endpoint=endpoint, endpoint_owner="root", answers=answers), AsyncClient(endpoint) as client:
            reply = await client.request("ADD", {"name": "x", "cmd": "true", "options": options})
            assert reply.get("reason") == ("uid does not match endpoint_owner" if refused else None)
            reply = await client.request("set", {"name": "x", "options": {"uid": 12345}})
            assert reply["reason"] == "uid does not match endpoint_owner"
            assert (await client.request("set", {"name": "x", "options": {"numprocesses": 2}}))["status"] == "ok"

    asyncio.run(main())


@pytest.mark.covers("circus-option:endpoint_owner")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to somebody")
def test_endpoint_owner_owns_the_socket(tmp_path: Any) -> None:
    async def main() -> None:
        path = tmp_path / "owned.sock"
        group = tmp_path.stat().st_gid
        async with opened(endpoint=f"ipc://{path}", endpoint_owner="nobody"):
            found = path.stat()
            assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65534, group, 0o600)
        events = f"ipc://{tmp_path}/events.sock"
        async with opened(endpoint=f"ipc://{path}", pubsub_endpoint=events, endpoint_owner="nobody", publisher=True):
            assert (tmp_path / "events.sock").stat().st_uid == 65534
        with pytest.raises(EndpointError, match="whose folder is private"):
            async with opened(endpoint_owner="nobody"):
                pass
        with pytest.raises(EndpointError, match="there is no such user"):
            async with opened(endpoint=f"ipc://{path}", endpoint_owner="no-such-user"):
                pass

    asyncio.run(main())
