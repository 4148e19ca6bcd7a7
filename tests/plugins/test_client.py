"""The Python clients against a real endpoint: results, errors, silence, progress, events, and what they import."""

from __future__ import annotations

import asyncio
import json
import socket
import socketserver
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from circus_core.errors import (
    ERRORS,
    CircusError,
    ConfigError,
    EndpointError,
    ForbiddenError,
    RequestError,
    UnknownCommandError,
    UnknownWatcherError,
)
from circus_core.events import WatcherStarted
from circus_plugins.client import AsyncClient, Client, NoAnswerError, wire
from circus_plugins.control import envelope as envelopes
from circus_plugins.doors import keys
from tests.plugins.standin import opened, plugin, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from circus_core.requests import Request


def fail(error: Exception) -> Callable[[Request], dict[str, Any]]:
    def answer(request: Request) -> dict[str, Any]:
        raise error

    return answer


def test_the_blocking_client_calls_and_raises_what_circusd_raised() -> None:
    def use() -> None:
        with Client() as client:
            assert client.call("status")["statuses"] == {"one": "active"}
            with pytest.raises(UnknownCommandError, match="unknown command: 'bogus'"):
                client.call("bogus")
            with pytest.raises(UnknownWatcherError, match="program x not found"):
                client.call("unknown")
            assert client.request("unknown")["status"] == "error"
            client.cast("status")

    async def main() -> None:
        async with opened(answers={"unknown": fail(UnknownWatcherError("x"))}) as supervisor:
            await asyncio.to_thread(use)
            await until(lambda: len(supervisor.roles) == 5)

    asyncio.run(main())


def test_progress_is_told_and_keeps_a_call_alive() -> None:
    async def work(request: Request) -> dict[str, Any]:
        for number in range(3):
            assert request.progress is not None
            request.progress(f"step {number}")
            await asyncio.sleep(0.2)
        return {"done": True}

    def use() -> list[str]:
        told: list[str] = []
        with Client(timeout=0.4) as client:
            assert client.call("work", progress=told.append)["done"] is True
        return told

    async def main() -> None:
        async with opened(answers={"work": work}):
            steps = ["step 0", "step 1", "step 2"]
            assert await asyncio.to_thread(use) == steps
            told: list[str] = []
            async with AsyncClient(timeout=0.4) as client:
                assert (await client.call("work", progress=told.append))["done"] is True
            assert told == steps

    asyncio.run(main())


def test_many_calls_of_one_async_client_run_at_one_time() -> None:
    gates: dict[int, asyncio.Event] = {}

    async def wait(request: Request) -> dict[str, Any]:
        number = request["any"]
        gates[number] = asyncio.Event()
        await gates[number].wait()
        return {"number": number}

    async def main() -> None:
        async with opened(answers={"wait": wait}), AsyncClient() as client:
            calls = [asyncio.create_task(client.call("wait", any=number)) for number in range(50)]
            await until(lambda: len(gates) == 50)
            for number in reversed(range(50)):
                gates[number].set()
                assert (await calls[number])["number"] == number

    asyncio.run(main())


def test_a_waiting_call_goes_on_while_circusd_lives() -> None:
    gate = asyncio.Event()

    async def slow(request: Request) -> dict[str, Any]:
        await gate.wait()
        return {"done": True}

    async def main() -> None:
        signs: list[Request] = []
        answers = {"slow": slow, "numwatchers": lambda request: signs.append(request) or {"numwatchers": 0}}
        async with opened(answers=answers), AsyncClient(timeout=0.05) as client:
            call = asyncio.create_task(client.call("slow", waiting=True))
            await until(lambda: len(signs) >= 2)
            gate.set()
            assert (await call)["done"] is True
            gate.clear()
            with pytest.raises(NoAnswerError):
                await client.call("slow")

    asyncio.run(main())


def test_closing_an_async_client_ends_its_calls_and_followers() -> None:
    async def never(request: Request) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def main() -> None:
        async with opened(publisher=True, answers={"never": never}) as supervisor:
            client = AsyncClient()
            call = asyncio.create_task(client.call("never"))
            follower = client.events(since=supervisor.bus.seq)
            supervisor.bus.publish(WatcherStarted(watcher="one"))
            assert (await anext(follower))["event"] == "watcher_started"
            following = asyncio.ensure_future(anext(follower, None))
            await client.call("status")
            client.close()
            with pytest.raises(CircusError, match="the client was closed"):
                await call
            assert await following is None

    asyncio.run(main())


@pytest.mark.parametrize("question", ["events", "globaloptions"])
def test_closing_an_async_client_ends_a_follower_that_waits_for_an_answer(question: str) -> None:
    async def main() -> None:
        async with opened(publisher=True) as supervisor:
            asked = asyncio.Event()
            supervisor.command(question, lambda request: asked.set() or asyncio.Event().wait())
            client = AsyncClient()
            following = asyncio.ensure_future(anext(client.events(), None))
            await asked.wait()
            client.close()
            assert await following is None

    asyncio.run(main())


def test_no_event_comes_out_of_a_closed_client_though_it_has_arrived() -> None:
    async def main() -> None:
        async with opened(publisher=True) as supervisor:
            client = AsyncClient()
            follower = client.events(since=supervisor.bus.seq)
            for _ in range(600):  # more than one reply has
                supervisor.bus.publish(WatcherStarted(watcher="one"))
            seen = [await anext(follower) for _ in range(3)]
            assert [event["watcher"] for event in seen] == ["one"] * 3
            client.close()
            assert [event async for event in follower] == []
            with pytest.raises(CircusError, match="the client was closed"):
                await client.call("status")
            with pytest.raises(CircusError, match="the client was closed"):
                client.cast("status")

    asyncio.run(main())


def test_who_only_wants_messages_is_told_once_of_a_connection(tmp_path: Path) -> None:
    """Whether or not he asks if it is another one; else he would turn round for ever, and nobody else would."""

    async def main() -> None:
        context = zmq.Context()
        door = context.socket(zmq.XPUB)
        door.bind(f"ipc://{tmp_path}/door")
        async with AsyncClient(f"ipc://{tmp_path}/door") as client:
            subscription = await client.subscribe([b""], f"ipc://{tmp_path}/door")
            async with asyncio.timeout(20):
                assert await subscription.messages() == []
                assert not subscription.lost()
                waiting = asyncio.create_task(subscription.messages())
                await asyncio.to_thread(door.recv)
                door.send_multipart([b"topic", b"content"])
                assert await waiting == [(b"topic", b"content")]
                door.close(0)
                assert await subscription.messages() == []
                assert subscription.lost()
        context.destroy(0)

    asyncio.run(main())


def test_what_is_no_endpoint_or_no_circusd_is_said() -> None:
    with pytest.raises(EndpointError, match="nonsense is not an endpoint"):
        Client("nonsense")
    for junk in (b"", b"[]", b"not json", b"[" * 100_000):
        with pytest.raises(CircusError, match="not one of circusd's"):
            wire.reply(junk)


@pytest.mark.covers("error:no-answer")
def test_silence_has_its_cause_in_the_error(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/x.sock"
    with Client(endpoint, timeout=0.05) as client, pytest.raises(NoAnswerError) as caught:
        client.call("status")
    assert f"no answer from {endpoint} within 0.05 seconds: there is no socket" in str(caught.value)
    assert "is circusd running" in caught.value.hint


def test_a_client_of_some_patience_waits_no_longer_for_nobody(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/x.sock"
    with Client(endpoint, timeout=3600, patience=0) as client:
        with pytest.raises(NoAnswerError, match=r"x\.sock: there is no socket") as caught:
            client.call("status", waiting=True)
        assert not caught.value.timed_out
        with pytest.raises(NoAnswerError, match=r"within 0\.05 seconds: there is no socket") as caught:
            client.call("status", timeout=0.05)
        assert caught.value.timed_out


def test_what_speaks_something_else_is_not_said_to_ask_for_a_key() -> None:
    def answer(server: socket.socket) -> None:
        with server.accept()[0] as peer:
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            peer.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        endpoint = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with Client(endpoint, timeout=0.5) as client, pytest.raises(NoAnswerError):
            client.call("status")
        thread.join()


def test_the_blocking_client_is_told_at_once_that_keys_do_not_fit(tmp_path: Path) -> None:
    folder = str(tmp_path / "keys")
    ours, lost = keys.new(folder, "ann", "view"), keys.new(folder, "bob", "view")
    kept = keys.load(lost)
    keys.revoke(folder, "bob")

    def refusal(endpoint: str, key: str | keys.Pair | None) -> str:
        with Client(endpoint, timeout=60, key=key) as client, pytest.raises(ForbiddenError) as caught:
            client.call("status")
        return caught.value.message

    async def main() -> None:
        async with opened(endpoint="tcp://127.0.0.1:*", keys_dir=folder) as supervisor:
            endpoint = plugin(supervisor, "control")._entrance.served.door.text
            assert await asyncio.to_thread(refusal, endpoint, None) == f"{endpoint} asks for a key"
            said = await asyncio.to_thread(refusal, endpoint, kept)
            assert said == f"{endpoint} does not accept this key: it was revoked, or never made there"
        async with opened(endpoint="tcp://127.0.0.1:*") as supervisor:
            endpoint = plugin(supervisor, "control")._entrance.served.door.text
            assert await asyncio.to_thread(refusal, endpoint, ours) == f"{endpoint} takes no key"

    asyncio.run(main())


def test_the_blocking_client_follows_events() -> None:
    def use() -> list[dict[str, Any]]:
        with Client() as client:
            found = []
            for event in client.events(since=0, watcher="one"):
                found.append(event)
                if len(found) == 3:
                    break
            return found

    async def main() -> None:
        async with opened(publisher=True) as supervisor:
            for _ in range(2):
                supervisor.bus.publish(WatcherStarted(watcher="one"))
            using = asyncio.create_task(asyncio.to_thread(use))
            while not using.done():
                supervisor.bus.publish(WatcherStarted(watcher="two"))
                supervisor.bus.publish(WatcherStarted(watcher="one"))
                await asyncio.sleep(0.01)
            found = await using
            assert [event["watcher"] for event in found] == ["one"] * 3
            assert len({event["seq"] for event in found}) == 3

    asyncio.run(main())


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An endpoint that asks for a key, where `connect` returns only once who has none was refused."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    door = context.socket(zmq.ROUTER)
    door.curve_publickey, door.curve_secretkey = zmq.curve_keypair()
    door.curve_server = True
    # Which of them is told depends on who notices first.
    monitor = door.get_monitor_socket(zmq.Event.HANDSHAKE_FAILED_PROTOCOL | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL)
    connect = zmq.Socket.connect

    def slowly(self: zmq.Socket[bytes], endpoint: str) -> Any:
        result = connect(self, endpoint)
        if endpoint.startswith("tcp://"):
            monitor.recv_multipart()
        return result

    monkeypatch.setattr(zmq.Socket, "connect", slowly)
    door.bind("tcp://127.0.0.1:*")
    try:
        yield door.getsockopt_string(zmq.LAST_ENDPOINT)
    finally:
        door.disable_monitor()
        context.destroy(0)


def test_a_refusal_is_heard_however_early_it_comes(refused: str) -> None:
    with Client(refused, timeout=60) as client:
        for _ in range(3):
            with pytest.raises(ForbiddenError, match="asks for a key"):
                client.call("status")
        with pytest.raises(ForbiddenError, match="asks for a key"):
            client.cast("status")

    async def main() -> None:
        async with AsyncClient(refused, timeout=60) as client:
            for _ in range(2):
                with pytest.raises(ForbiddenError, match="asks for a key"):
                    await client.call("status")
            subscription = await client.subscribe([b"watcher."], endpoint=refused)
            with pytest.raises(ForbiddenError, match="asks for a key"):
                await subscription.batch()

    asyncio.run(main())


@pytest.fixture(params=["CURVE", "NULL"])
def hasty(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """An endpoint with this mechanism that hangs up on others before its greeting is out, as libzmq may."""
    signature, rest = b"\xff" + bytes(8) + b"\x7f\x03", request.param.encode().ljust(20, b"\0") + bytes(32)

    class Peer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(signature)
            greeting = b""
            while len(greeting) <= 10 and (more := self.request.recv(64)):
                greeting += more
            if len(greeting) == 11:
                self.request.sendall(b"\0" + rest)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Peer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield request.param, f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_who_hangs_up_is_asked_why(hasty: tuple[str, str], tmp_path: Path) -> None:
    mechanism, endpoint = hasty
    key = keys.new(str(tmp_path / "keys"), "ann", "view") if mechanism == "NULL" else None
    reason = "takes no key" if key else "asks for a key"
    with Client(endpoint, timeout=60, key=key) as client:
        for _ in range(2):
            with pytest.raises(ForbiddenError, match=reason):
                client.call("status")

    async def main() -> None:
        async with AsyncClient(endpoint, timeout=60, key=key) as client:
            for _ in range(2):
                with pytest.raises(ForbiddenError, match=reason):
                    await client.call("status")
            subscription = await client.subscribe([b"watcher."], endpoint=endpoint)
            with pytest.raises(ForbiddenError, match=reason):
                await subscription.batch()

    asyncio.run(main())


@pytest.mark.parametrize("cls", sorted(set(ERRORS.values()), key=lambda cls: cls.code))
def test_every_error_comes_out_as_it_went_in(cls: type[CircusError]) -> None:
    error = cls.__new__(cls)
    CircusError.__init__(error, "the reason", hint="the hint")
    reply = json.loads(envelopes.failure(envelopes.read(b'{"command": "x"}'), error))
    with pytest.raises(cls) as caught:
        wire.result(reply)
    assert (caught.value.message, caught.value.hint) == ("the reason", "the hint")
    assert type(caught.value) is cls
    if isinstance(caught.value, ConfigError):
        assert caught.value.problems == ("the reason",)


@given(st.dictionaries(st.sampled_from(["errno", "code", "reason", "hint"]), st.none() | st.text() | st.integers()))
def test_an_error_reply_of_anybody_is_some_error(reply: dict[str, Any]) -> None:
    with pytest.raises(CircusError):
        wire.result({"status": "error", **reply})


def test_errors_of_circus_itself_have_a_class_by_their_number() -> None:
    with pytest.raises(RequestError, match="program x not found"):
        wire.result({"status": "error", "errno": 3, "reason": "program x not found", "tb": None})


@pytest.mark.parametrize(
    ("control", "told", "expected"),
    [
        ("tcp://10.0.0.1:5555", "tcp://0.0.0.0:5556", "tcp://10.0.0.1:5556"),
        ("tcp://10.0.0.1:5555", "tcp://[::]:5556", "tcp://10.0.0.1:5556"),
        ("tcp://10.0.0.1:5555", "tcp://10.0.0.2:5556", "tcp://10.0.0.2:5556"),
        ("ipc:///x", "ipc:///y", "ipc:///y"),
    ],
)
def test_every_address_is_read_as_the_one_we_came_by(control: str, told: str, expected: str) -> None:
    assert wire.events_endpoint(control, told) == expected


def test_a_plain_call_imports_nothing_heavy() -> None:
    code = "import sys; from circus_plugins.client import Client; Client().close(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"asyncio", "attrs", "attr", "pluggy", "circus_core.model", "circus_core.events"} & set(loaded)
