"""Who may reach an endpoint: private folders, locks, loopback and beyond, and what is said when one cannot be had."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circus_core.errors import EndpointError
from circus_plugins.client import AsyncClient, Client
from circus_plugins.doors import address, holder
from circus_plugins.doors.lock import PathLock
from tests.plugins.standin import opened, plugin

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from circus_plugins.doors.lock import PathLock
PathLock(sys.argv[1], "endpoint")
print("held", flush=True)
sys.stdin.read()
"""


def refusal(**options: object) -> str:
    """What is said when a supervisor with these options is not allowed to start."""

    async def main() -> str:
        with pytest.raises(EndpointError) as caught:
            async with opened(publisher=True, **options):
                pass
        return str(caught.value)

    return asyncio.run(main())


@given(st.text())
def test_any_text_is_an_address_or_a_refusal(text: str) -> None:
    for endpoint in (text, f"tcp://{text}", f"ipc://{text}"):
        with contextlib.suppress(EndpointError):
            found = address.parse(endpoint, "endpoint")
            assert found.tcp + bool(found.path) + found.abstract == 1


@pytest.mark.parametrize(
    ("endpoint", "wide"),
    [
        ("tcp://127.0.0.1:5555", False),
        ("tcp://127.9.9.9:5555", False),
        ("tcp://localhost:5555", False),
        ("tcp://[::1]:5555", False),
        ("tcp://0.0.0.0:5555", True),
        ("tcp://*:5555", True),
        ("tcp://[::]:5555", True),
        ("tcp://lo:5555", True),
        ("tcp://eth0:5555", True),
        ("tcp://192.168.1.1:5555", True),
        ("tcp://example.org:5555", True),
        ("tcp://[::ffff:127.0.0.1]:5555", True),
        ("tcp://127.1:5555", True),
    ],
)
def test_only_numbers_of_the_loopback_are_not_wide(endpoint: str, wide: bool) -> None:
    found = address.parse(endpoint, "endpoint")
    assert (found.wide, found.abstract) == (wide, False)


@pytest.mark.covers("error:endpoint")
@pytest.mark.parametrize(
    "endpoint",
    ["", "nonsense", "udp://127.0.0.1:1", "inproc://x", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "ipc://", "ipc://*",
     "ipc:///" + "x" * 200, "tcp://1.2.3.4:1;5.6.7.8:2"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused_with_its_option(endpoint: str) -> None:
    with pytest.raises(EndpointError, match=r"^pubsub_endpoint = "):
        address.parse(endpoint, "pubsub_endpoint")


@pytest.mark.parametrize("option", ["endpoint", "pubsub_endpoint"])
@pytest.mark.parametrize("host", ["0.0.0.0", "*", "lo"])
def test_beyond_loopback_needs_keys(option: str, host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("circus_plugins.doors.keys.default_folder", lambda: str(tmp_path / "keys"))
    said = refusal(**{option: f"tcp://{host}:5999"})
    assert f"{option} = tcp://{host}:5999 can be reached from other machines" in said
    assert "circusctl keys new NAME --role admin" in said
    assert "tcp://127.0.0.1:5999" in said


def test_the_runtime_folder_must_be_ours_and_private(runtime_directory: Path) -> None:
    folder = runtime_directory / "circus"
    folder.mkdir(mode=0o755)
    assert f"chmod 700 {folder}" in refusal()
    folder.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(folder, 65534, -1)
        assert "belongs to user 65534" in refusal()
        with pytest.raises(EndpointError, match="belongs to user 65534"):
            Client()
    folder.rmdir()
    (runtime_directory / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(runtime_directory / "elsewhere")
    assert "is not a folder" in refusal()
    folder.unlink()
    folder.write_text("")
    assert "is not a folder" in refusal()


@pytest.mark.parametrize(
    ("base", "uid", "expected"),
    [
        ("/run/user/0", 0, "/run/circus"),
        ("/run/user/1000", 0, "/run/circus"),
        ("/var/empty/no-such", 0, "/run/circus"),
        ("/var/empty/no-such", 1234, "/tmp/circus-1234"),
        ("/tmp", 1234, "/tmp/circus"),
        ("/tmp", 0, "/tmp/circus"),
    ],
)
def test_a_shell_finds_the_folder_that_a_service_made(
    base: str, uid: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", base)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: uid)
    assert address.runtime_dir() == expected


def test_a_second_circusd_is_refused_and_told_who_holds_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(EndpointError, match=rf"{path} is in use by pid {first.pid} \("):
            PathLock(str(path), "endpoint")
        first.send_signal(signal.SIGKILL)
    PathLock(str(path), "endpoint").release()
    assert not (tmp_path / "x.sock.lock").exists()


def test_a_lock_is_not_had_twice_in_one_process(tmp_path: Path) -> None:
    lock = PathLock(str(tmp_path / "x"), "endpoint")
    with pytest.raises(EndpointError, match="is in use by"):
        PathLock(str(tmp_path / "x"), "endpoint")
    lock.release()
    lock.release()


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert f"is in use by pid {os.getpid()}" in refusal(endpoint=f"ipc://{path}")
    assert path.exists()

    async def main() -> None:
        async with opened(endpoint=f"ipc://{path}"), AsyncClient(f"ipc://{path}") as client:
            assert (await client.call("status"))["status"] == "ok"
        assert not path.exists()

    asyncio.run(main())


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    assert "exists and is not a socket" in refusal(endpoint=f"ipc://{path}")
    assert path.read_text() == "mine"


def test_a_taken_port_is_told_with_its_holder() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code = f"""
import asyncio
from circus_core.errors import EndpointError
from tests.plugins.standin import opened
async def main():
    try:
        async with opened(endpoint="tcp://127.0.0.1:{port}"): pass
    except EndpointError as error:
        print(error)
asyncio.run(main())
"""
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"endpoint = tcp://127.0.0.1:{port} cannot be opened: Address already in use by pid {os.getpid()} (" in said


def test_a_failed_start_leaves_nothing_open(tmp_path: Path) -> None:
    assert "port" in refusal(endpoint=f"ipc://{tmp_path}/x.sock", pubsub_endpoint="tcp://127.0.0.1:99999")
    assert list(tmp_path.iterdir()) == []


def test_two_supervisors_in_one_program_do_not_meet(tmp_path: Path) -> None:
    async def main() -> None:
        for number in (1, 2):
            (tmp_path / str(number)).mkdir()
        async with (
            opened(endpoint=f"ipc://{tmp_path}/1/c", publisher=True, pubsub_endpoint=f"ipc://{tmp_path}/1/e") as one,
            opened(endpoint=f"ipc://{tmp_path}/2/c", publisher=True, pubsub_endpoint=f"ipc://{tmp_path}/2/e") as two,
        ):
            assert plugin(one, "control")._entrance.house is plugin(one, "publisher")._entrance.house
            assert plugin(one, "control")._entrance.house is not plugin(two, "control")._entrance.house
            async with AsyncClient(f"ipc://{tmp_path}/2/c") as client:
                assert (await client.call("status"))["status"] == "ok"

    asyncio.run(main())
    assert [path.name for path in tmp_path.rglob("*") if not path.is_dir()] == []


def test_silence_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    assert address.silence(f"ipc://{path}") == f"there is no socket {path}"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        assert address.silence(f"ipc://{path}") == f"nobody listens at ipc://{path}"
        other.listen()
        assert address.silence(f"ipc://{path}") == ""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        endpoint = f"tcp://localhost:{other.getsockname()[1]}"
        assert address.silence(endpoint) == f"nobody listens at {endpoint}"
    assert address.silence("tcp://192.0.2.1:5555") == ""
    assert address.silence("ipc://" + "x" * 200) == ""
    assert address.silence("nonsense") == ""


def test_nobody_holds_a_free_port() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
    assert holder.of_port(port) is None
    assert holder.describe(os.getpid()).startswith(f"pid {os.getpid()} (")
    assert holder.describe(2**22 + 1) == f"pid {2**22 + 1}"
