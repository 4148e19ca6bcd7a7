"""Who has an address: the process that opened the socket, at whatever address includes it, by port and by path."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from circus_plugins.holders import Holder, Holders, _opener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPENER = """
import os, socket, sys
family, kind, *address = sys.argv[1:]
opened = socket.socket(getattr(socket, family), getattr(socket, kind))
if family == "AF_INET6":
    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
opened.bind(address[0].replace("@", "\\0", 1) if len(address) == 1 else (address[0], int(address[1])))
if kind != "SOCK_DGRAM":
    opened.listen()
child = os.fork()
if child:
    print(child, *opened.getsockname()[1:2] if len(address) == 2 else "", flush=True)
sys.stdin.read()
"""


@contextmanager
def opener(*words: str) -> Iterator[tuple[int, int, int]]:
    """A process with a socket, which a child has too; answers the pids of both, and the port."""
    ran = subprocess.Popen(
        [sys.executable, "-c", OPENER, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with ran:
        assert ran.stdout is not None
        said = ran.stdout.readline().split()
        yield ran.pid, int(said[0]), int(said[1]) if len(said) > 1 else 0


def pid(holder: Holder | None) -> int | None:
    return holder.pid if holder is not None else None


@pytest.mark.parametrize(
    ("family", "held", "asked"),
    [
        ("AF_INET", "127.0.0.1", "127.0.0.1"),
        ("AF_INET", "0.0.0.0", "127.0.0.1"),
        ("AF_INET", "127.0.0.1", "0.0.0.0"),
        ("AF_INET6", "::", "127.0.0.1"),
        ("AF_INET6", "::1", "::"),
    ],
)
def test_whoever_is_in_the_way_at_a_port_is_named(family: str, held: str, asked: str) -> None:
    with opener(family, "SOCK_STREAM", held, "0") as (parent, _child, port):
        own = socket.AF_INET6 if ":" in asked else socket.AF_INET
        assert pid(Holders().of_port(own, socket.IPPROTO_TCP, asked, port)) == parent
        assert Holders().of_port(own, socket.IPPROTO_UDP, asked, port) is None


def test_somebody_at_the_port_of_another_address_is_not() -> None:
    with opener("AF_INET", "SOCK_STREAM", "127.0.0.2", "0") as (_one, _child, port):
        assert Holders().of_port(socket.AF_INET, socket.IPPROTO_TCP, "127.0.0.1", port) is None
        with opener("AF_INET", "SOCK_STREAM", "127.0.0.1", str(port)) as (other, _other, _port):
            assert pid(Holders().of_port(socket.AF_INET, socket.IPPROTO_TCP, "127.0.0.1", port)) == other


def test_datagrams_are_another_protocol() -> None:
    with opener("AF_INET", "SOCK_DGRAM", "127.0.0.1", "0") as (parent, _child, port):
        assert pid(Holders().of_port(socket.AF_INET, socket.IPPROTO_UDP, "127.0.0.1", port)) == parent
        assert Holders().of_port(socket.AF_INET, socket.IPPROTO_TCP, "127.0.0.1", port) is None


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_paths_and_abstract_names(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The kernel knows a path as it was given.
    with opener("AF_UNIX", kind, "web.sock") as (parent, _child, _port):
        assert pid(Holders().of_path(str(tmp_path / "web.sock"))) == parent
        assert Holders().of_path(str(tmp_path / "other.sock")) is None
    with opener("AF_UNIX", kind, f"@circus-{os.getpid()}") as (parent, _child, _port):
        assert pid(Holders().of_path(f"\0circus-{os.getpid()}")) == parent
    (tmp_path / "file").touch()
    assert Holders().of_path(str(tmp_path / "file")) is None


def test_it_is_the_one_that_the_others_have_it_from() -> None:
    with opener("AF_INET", "SOCK_STREAM", "127.0.0.1", "0") as (parent, child, _port):
        assert _opener([child, parent]) == parent
        assert _opener([child]) == child
        assert _opener([]) is None


def test_one_look_serves_for_a_while() -> None:
    now = 0.0
    holders = Holders(clock=lambda: now)
    assert holders.of_port(socket.AF_INET, socket.IPPROTO_TCP, "127.0.0.1", 1) is None
    with socket.create_server(("127.0.0.1", 0)) as later:
        port = later.getsockname()[1]
        assert holders.of_port(socket.AF_INET, socket.IPPROTO_TCP, "127.0.0.1", port) is None
        now = 1.0
        found = holders.of_port(socket.AF_INET, socket.IPPROTO_TCP, "127.0.0.1", port)
        assert found is not None
        assert found.ours


def test_who_is_not_to_be_seen_is_named_by_user() -> None:
    assert str(Holder(None, 0)) == f"a program of {pwd.getpwuid(0).pw_name}"
    assert str(Holder()) == "another program"
    assert str(Holder(os.getpid(), 0)).endswith(f"(pid {os.getpid()})")
    assert str(Holder(os.getpid(), 0, "[socket:web]")) == "[socket:web]"
