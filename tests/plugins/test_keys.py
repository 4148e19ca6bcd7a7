"""Keys and roles: who has none, the wrong one, one too small, or one taken back."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st
from zmq.auth import load_certificate
from zmq.utils.monitor import parse_monitor_message

from circus_core.errors import ConflictError, EndpointError, ForbiddenError, RequestError
from circus_core.events import WatcherStarted
from circus_core.requests import Role
from circus_plugins.client import AsyncClient
from circus_plugins.doors import keys
from circus_plugins.doors.visitors import Visitors
from tests.plugins.standin import StandIn, opened, plugin, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "keys")


def test_a_new_key_is_private_and_in_the_format_of_pyzmq(folder: str) -> None:
    file = keys.new(folder, "ann", "operate")
    public, secret = load_certificate(file)
    assert load_certificate(os.path.join(folder, "clients", "ann.key")) == (public, None)
    pair = keys.load(file)
    assert (pair.public, pair.secret) == (public, secret)
    assert pair.server == load_certificate(os.path.join(folder, "server.key"))[0]
    assert keys.list_keys(folder) == [keys.ClientKey("ann", Role.OPERATE, public.decode())]
    for path in Path(folder).rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_the_server_keeps_its_own_key(folder: str) -> None:
    first, second = keys.load(keys.new(folder, "ann", "view")), keys.load(keys.new(folder, "bob", "admin"))
    assert first.server == second.server
    assert first.public != second.public


def test_a_name_has_one_key_until_it_is_revoked(folder: str) -> None:
    keys.new(folder, "ann", "view")
    with pytest.raises(ConflictError, match="there is a key for ann already"):
        keys.new(folder, "ann", "admin")
    keys.revoke(folder, "ann")
    assert keys.list_keys(folder) == []
    with pytest.raises(RequestError, match="there is no key for ann"):
        keys.revoke(folder, "ann")
    keys.new(folder, "ann", "admin")


def test_bad_names_and_roles_are_refused(folder: str) -> None:
    with pytest.raises(RequestError, match="'owner' is not a role"):
        keys.new(folder, "ann", "owner")
    for name in ("", "../x", "a/b", ".hidden", "x" * 65, "new\nline"):
        with pytest.raises(RequestError, match="cannot be the name of a key"):
            keys.new(folder, name, "view")
        with pytest.raises(RequestError, match="there is no key"):
            keys.revoke(folder, name)


@given(junk=st.text())
def test_a_damaged_key_lets_nobody_in(junk: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = str(tmp_path_factory.mktemp("keys"))
    file = Path(keys.new(folder, "ann", "view"))
    (Path(folder) / "clients" / "ann.key").write_text(junk, encoding="utf-8", errors="replace")
    file.write_text(junk, encoding="utf-8", errors="replace")
    assert keys.list_keys(folder) == []
    with pytest.raises(EndpointError):
        keys.load(str(file))


def test_a_keyring_follows_its_folder(folder: str) -> None:
    keyring = keys.Keyring(folder)
    assert keyring.server() is None
    public = keys.load(keys.new(folder, "ann", "view")).public.decode()
    assert keyring.role(public) is Role.VIEW
    assert keyring.role("x" * 40) is None
    keys.revoke(folder, "ann")
    assert keyring.role(public) is None


async def endpoint_of(supervisor: StandIn, option: str = "endpoint") -> str:
    text: str = plugin(supervisor, "control")._entrance.house.doors[option].text
    return text


def test_each_key_has_its_role_and_refusals_name_the_one_needed(folder: str) -> None:
    async def main() -> None:
        files = {role: keys.new(folder, role.name.lower(), role) for role in Role}
        async with opened(endpoint="tcp://127.0.0.1:*", keys_dir=folder) as supervisor:
            for role in Role:
                supervisor.command(role.name.lower(), lambda request: {}, role)
            endpoint = await endpoint_of(supervisor)
            for role, file in files.items():
                async with AsyncClient(endpoint, key=file) as client:
                    for needed in Role:
                        if needed <= role:
                            await client.call(needed.name.lower())
                        else:
                            with pytest.raises(ForbiddenError, match=f"needs the role {needed.name.lower()}"):
                                await client.call(needed.name.lower())

    asyncio.run(main())


def test_a_wrong_or_missing_key_is_refused_at_once(folder: str, tmp_path: Path) -> None:
    ours = Path(keys.new(folder, "ann", "admin")).read_text()
    stranger = Path(keys.new(str(tmp_path / "others"), "ann", "admin"))
    server = next(line for line in ours.splitlines() if "server-key" in line)
    stranger.write_text(stranger.read_text().replace("server-key", "other-key") + server + "\n")

    async def main() -> None:
        async with opened(endpoint="tcp://127.0.0.1:*", keys_dir=folder) as supervisor:
            endpoint = await endpoint_of(supervisor)
            for file, reason in ((None, "asks for a key"), (str(stranger), "does not accept this key")):
                async with AsyncClient(endpoint, key=file) as client:
                    for _ in range(2):
                        with pytest.raises(ForbiddenError, match=f"^{endpoint} {reason}"):
                            await client.call("status", timeout=60)
            assert supervisor.roles == []

    asyncio.run(main())


def test_a_revoked_key_is_refused_on_its_next_request_and_its_next_connection(folder: str, tmp_path: Path) -> None:
    file = keys.new(folder, "ann", "view")
    kept = tmp_path / "kept.key"
    kept.write_text(Path(file).read_text())

    async def main() -> None:
        async with opened(endpoint="tcp://127.0.0.1:*", keys_dir=folder) as supervisor:
            endpoint = await endpoint_of(supervisor)
            async with AsyncClient(endpoint, key=file) as client:
                await client.call("status")
                keys.revoke(folder, "ann")
                with pytest.raises(ForbiddenError, match="revoked"):
                    await client.call("status")
            async with AsyncClient(endpoint, key=str(kept)) as client:
                with pytest.raises(ForbiddenError, match="does not accept this key: it was revoked"):
                    await client.call("status", timeout=60)

    asyncio.run(main())


def test_events_need_a_key_too_and_reach_who_has_one(folder: str) -> None:
    async def main() -> None:
        file = keys.new(folder, "ann", "view")
        async with opened(
            publisher=True, endpoint="tcp://127.0.0.1:*", pubsub_endpoint="tcp://0.0.0.0:*", keys_dir=folder
        ) as supervisor:
            endpoint = await endpoint_of(supervisor)
            supervisor.bus.publish(WatcherStarted(watcher="one"))
            async with AsyncClient(endpoint, key=file) as client:
                follower = client.events(since=0)
                while (await anext(follower))["event"] != "watcher_started":
                    pass
                await follower.aclose()
            context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
            socket = context.socket(zmq.SUB)
            refused = zmq.Event.HANDSHAKE_FAILED_AUTH | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
            refused |= zmq.Event.HANDSHAKE_FAILED_NO_DETAIL | zmq.Event.DISCONNECTED
            monitor = socket.get_monitor_socket(refused | zmq.Event.HANDSHAKE_SUCCEEDED)
            socket.linger = 0
            events = await endpoint_of(supervisor, "pubsub_endpoint")
            socket.connect(events.replace("0.0.0.0", "127.0.0.1"))
            assert await asyncio.to_thread(monitor.poll, 20_000)
            # Which of the ways to be refused is told depends on who notices first.
            assert parse_monitor_message(monitor.recv_multipart())["event"] != zmq.Event.HANDSHAKE_SUCCEEDED
            socket.disable_monitor()
            context.destroy(0)

    asyncio.run(main())


def test_a_revoked_key_gets_no_further_event_and_the_others_lose_none(folder: str) -> None:
    async def main() -> None:
        ann, bob = (keys.new(folder, name, "view") for name in ("ann", "bob"))
        async with opened(
            publisher=True, endpoint="tcp://127.0.0.1:*", pubsub_endpoint="tcp://127.0.0.1:*", keys_dir=folder
        ) as supervisor:
            client = AsyncClient(await endpoint_of(supervisor), key=bob)
            follower = client.events(since=supervisor.bus.seq)
            with subscriber(await endpoint_of(supervisor, "pubsub_endpoint"), ann) as (socket, monitor):
                topics = plugin(supervisor, "publisher")._outlet
                await until(lambda: b"watcher." in topics.topics)
                supervisor.bus.publish(WatcherStarted(watcher="one"))
                assert (await anext(follower))["watcher"] == "one"
                assert await asyncio.to_thread(socket.poll, 20_000)
                assert b'"one"' in socket.recv_multipart()[1]
                keys.revoke(folder, "ann")
                for name in ("two", "three"):
                    supervisor.bus.publish(WatcherStarted(watcher=name))
                assert [(await anext(follower))["watcher"] for _ in range(2)] == ["two", "three"]
                assert await asyncio.to_thread(monitor.poll, 20_000)
                assert parse_monitor_message(monitor.recv_multipart())["event"] == zmq.Event.DISCONNECTED
                supervisor.bus.publish(WatcherStarted(watcher="four"))
                assert (await anext(follower))["watcher"] == "four"
                assert not socket.poll(0)
            client.close()

    asyncio.run(main())


def test_a_follower_is_told_that_its_key_was_revoked(folder: str) -> None:
    async def main() -> None:
        file = keys.new(folder, "ann", "view")
        async with (
            opened(
                publisher=True, endpoint="tcp://127.0.0.1:*", pubsub_endpoint="tcp://127.0.0.1:*", keys_dir=folder
            ) as supervisor,
            AsyncClient(await endpoint_of(supervisor), key=file) as client,
        ):
            follower = client.events(since=supervisor.bus.seq)
            supervisor.bus.publish(WatcherStarted(watcher="one"))
            assert (await anext(follower))["watcher"] == "one"
            following = asyncio.ensure_future(anext(follower))
            await client.call("status")
            keys.revoke(folder, "ann")
            supervisor.bus.publish(WatcherStarted(watcher="two"))
            with pytest.raises(ForbiddenError, match="revoked"):
                await following

    asyncio.run(main())


@contextmanager
def subscriber(endpoint: str, file: str) -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    """A subscriber as Circus' clients have it, and what tells of its connection's end."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = keys.load(file)
    monitor = socket.get_monitor_socket(zmq.Event.DISCONNECTED)
    socket.subscribe(b"watcher.")
    socket.connect(endpoint)
    try:
        yield socket, monitor
    finally:
        socket.disable_monitor()
        context.destroy(0)


def test_nothing_but_a_connection_at_the_door_is_cut(folder: str) -> None:
    class Frame:
        def __init__(self, descriptor: int) -> None:
            self.descriptor = descriptor

        def get(self, what: object) -> object:
            return self.descriptor if what == zmq.SRCFD else "revoked"

    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        socket.create_server(("127.0.0.1", 0)) as other,
        open(os.devnull, "rb") as file,
        socket.socket(socket.AF_UNIX) as unix,
        socket.create_connection(door.getsockname()),
        socket.create_connection(other.getsockname()) as elsewhere,
    ):
        visitors = Visitors(keys.Keyring(folder), door.getsockname()[1])
        accepted, strange = door.accept()[0], other.accept()[0]
        with accepted, strange:
            ours = (door, file, unix, strange, accepted)
            for number in (*(entry.fileno() for entry in ours), 2**20):
                visitors.note(Frame(number))
            assert visitors.show_out() == ["revoked"]
            assert visitors.show_out() == []
            assert accepted.recv(1) == b""
            strange.sendall(b"still there")
            assert elsewhere.recv(20) == b"still there"
            socket.create_connection(door.getsockname()).close()


@pytest.mark.covers("circus-option:keys_dir")
def test_loopback_asks_for_keys_only_where_a_folder_is_named(folder: str) -> None:
    async def main() -> None:
        with pytest.raises(EndpointError, match="has no keys yet"):
            async with opened(endpoint="tcp://127.0.0.1:*", keys_dir=folder):
                pass
        async with opened(keys_dir=folder), AsyncClient() as client:
            await client.call("status")

    asyncio.run(main())


def test_beyond_loopback_works_with_keys(folder: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        file = keys.new(folder, "ann", "admin")
        async with opened(endpoint="tcp://0.0.0.0:*", keys_dir=folder) as supervisor:
            endpoint = (await endpoint_of(supervisor)).replace("0.0.0.0", "127.0.0.1")
            async with AsyncClient(endpoint, key=file) as client:
                await client.call("status")

    asyncio.run(main())
    assert "every user" not in caplog.text
