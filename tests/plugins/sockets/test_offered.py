"""Sockets that circusd was handed: which section each is for, and what becomes of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from circus_core.errors import CircusError
from circus_core.testing import until
from circus_plugins import sockdiag
from circus_plugins.sockets import listing
from circus_plugins.sockets.held import Sockets
from circus_plugins.sockets.offered import Offered
from tests.plugins.manager import Manager
from tests.plugins.sockets.serving import SERVER
from tests.plugins.sockets.test_sockets import answer, call, descriptors, listed, made, pids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from circus_core.testing import Circusd


@pytest.fixture
def manager(circusd: Callable[..., Circusd]) -> Iterator[Manager]:
    with Manager(circusd) as one:
        yield one


@pytest.fixture
def offers() -> Iterator[Callable[..., Offered]]:
    """Makes what circusd was handed of (name, address, kind), without a circusd."""
    with contextlib.ExitStack() as stack:

        def offer(*given: tuple[str, Any] | tuple[str, Any, int]) -> Offered:
            handed = {}
            for name, address, *kind in given:
                family = (
                    socket.AF_UNIX if isinstance(address, str | bytes)
                    else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
                )  # fmt: skip
                one = socket.socket(family, *kind)
                one.bind(address)
                if not kind:
                    one.listen()
                handed[one.detach()] = name
            offered = Offered(handed)
            assert handed == {}
            stack.callback(offered.close)
            return offered

        yield offer


def taken(offered: Offered, *wanted: str, **section: Any) -> Any:
    """The address of the socket that a section gets."""
    options = made(**section)
    found = offered.take(options, {options.name, *wanted})
    if found is None:
        return None
    at = found.socket.getsockname()
    found.close()
    return at


def test_by_name_then_by_address(offers: Callable[..., Offered], tmp_path: Path) -> None:
    path = str(tmp_path / "x.sock")
    here = ("127.0.0.1", 0)
    assert taken(offers(("web", here)), port=1)[0] == "127.0.0.1", "the name is enough"
    assert taken(offers(("WEB.socket", here)), port=1), "as a unit without FileDescriptorName has it"
    assert taken(offers(("web", here)), name="other", port=1) is None
    assert taken(offers(("unknown", path)), path=f"{tmp_path}/./x.sock") == path
    os.unlink(path)
    assert taken(offers(("admin", path)), "admin", path=path) is None, "it is another section's"
    abstract = f"circus-offered-{os.getpid()}"
    assert taken(offers(("unknown", f"\0{abstract}")), path=f"@{abstract}") == b"\0" + abstract.encode()
    offered = offers(("unknown", here), ("unknown", here))
    ports = [each.socket.getsockname()[1] for each in offered._free]
    for port in reversed(ports):
        assert taken(offered, port=port) == ("127.0.0.1", port)
        assert taken(offered, port=port) is None
    assert taken(offers(("unknown", ("::1", 0))), port=0) is None
    assert taken(offers(("u", here)), host="no.such.host.invalid", port=ports[0]) is None


def test_several_of_one_name(offers: Callable[..., Offered], tmp_path: Path) -> None:
    """As a unit has them with several lines of ListenStream."""
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    offered = offers(("web", ("127.0.0.1", 0)), ("web", one), ("web", two))
    with pytest.raises(
        CircusError, match=r"\[socket:web\] circusd was handed 2 sockets of this name, none at /no"
    ) as no:
        taken(offered, path="/no")
    assert "FileDescriptorName" in no.value.hint
    assert taken(offered, path=two) == two
    assert taken(offered, path="/no") == one, "there is only one of that sort left"
    assert taken(offered, port=1)[0] == "127.0.0.1"


def test_of_another_kind(offers: Callable[..., Offered], tmp_path: Path) -> None:
    here = ("127.0.0.1", 0)
    for given, section, said in (
        (here, {"path": "/x"}, "is AF_INET SOCK_STREAM, and the section has AF_UNIX SOCK_STREAM"),
        (("::", 0), {}, "is AF_INET6 SOCK_STREAM, and the section has AF_INET SOCK_STREAM"),
        (here, {"type": "SOCK_DGRAM"}, "is AF_INET SOCK_STREAM, and the section has AF_INET SOCK_DGRAM"),
        (here, {"so_reuseport": True}, "is one for all processes, and the section has so_reuseport"),
    ):
        with pytest.raises(CircusError, match=rf"\[socket:web\] descriptor \d+ \(web\) that circusd was handed {said}"):
            taken(offers(("web", given)), **section)
    one, two = socket.socketpair()
    offered = Offered({one.detach(): "web"})
    with two, pytest.raises(CircusError, match="is a connection, and no socket that listens"):
        taken(offered, path="/x")
    offered.close()
    assert taken(offers(("web", here, socket.SOCK_DGRAM)), type="SOCK_DGRAM")


def test_what_is_no_socket_stays_where_it_is() -> None:
    reader, writer = os.pipe()
    handed = {reader: "pipe"}
    offered = Offered(handed)
    assert (handed, list(offered.unwanted(()))) == ({reader: "pipe"}, [])
    os.close(reader)
    os.close(writer)


def test_a_section_that_changes_keeps_it_and_one_that_goes_gives_it_back(
    offers: Callable[..., Offered], tmp_path: Path
) -> None:
    path = tmp_path / "web.sock"
    sockets = Sockets()
    sockets._offered = offers(("web", str(path)), ("unknown", ("127.0.0.1", 0)))

    def settled(*sections: Any) -> dict[str, Any]:
        sockets.want({options.name: options for options in sections})
        assert sockets.settle() == []
        return shown()

    def shown() -> dict[str, Any]:
        return {entry["name"]: entry for entry in listing.listed(sockets.open(), {})}

    first = settled(made(path=str(path)))["web"]
    again = settled(made(path=str(tmp_path / "elsewhere"), backlog=7))["web"]
    assert (again["fd"], again["path"], again["backlog"]) == (first["fd"], str(path), 7)
    sockets.want({"web": made()})
    (refused,) = sockets.settle()
    assert "is AF_UNIX SOCK_STREAM, and the section has AF_INET" in refused.message
    assert shown()["web"]["fd"] == first["fd"], "it goes on as it was"
    assert settled() == {}
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert settled(made(path=str(path), mode=0o600))["web"]["fd"] == first["fd"]
    sockets.close()
    assert path.exists(), "it is for whoever made it to take it away"


def test_connections_wait_while_circusd_is_replaced(manager: Manager, server: str, tmp_path: Path) -> None:
    path = str(tmp_path / "web.sock")
    web = manager.listen("web", ("127.0.0.1", 0))
    manager.listen("unknown", path)
    manager.listen("stray.socket", ("127.0.0.1", 0))
    configuration = f"""
[socket:Web]
port = 1
[socket:admin]
path = {path}
[socket:own]
port = 0
host = 127.0.0.1
[watcher:web]
cmd = {server} $(circus.sockets.web) web
copy_env = True
[watcher:admin]
cmd = {server} $(circus.sockets.admin) admin
"""
    run = manager.start(configuration)
    manager.hear("READY")
    sockets = listed(run)
    assert (sockets["web"]["host"], sockets["web"]["port"]) == web
    assert (sockets["web"]["fd"], sockets["admin"]["fd"], sockets["admin"]["path"]) == (3, 4, path)
    assert answer(web).endswith("['web']")
    assert answer(path).endswith("['admin']")
    output = run.output()
    assert f"[socket:web] is descriptor 3 (web) that circusd was handed, at 127.0.0.1:{web[1]}" in output
    assert "circusd was handed descriptor 5 (stray.socket), and nobody wants it: closed" in output
    assert 5 not in descriptors(run.pid) or "socket" not in descriptors(run.pid)[5]
    (process,) = pids(run, "web")
    assert set(descriptors(process)) - {3} == {0, 1, 2}
    run.configure(configuration.replace("port = 1", "port = 2"))
    call(run, "reloadconfig", waiting=True)
    assert pids(run, "web") == [process], "the socket is the same, so nobody is replaced"
    call(run, "quit", waiting=True)
    assert run.wait() == 0
    assert os.path.exists(path)
    with socket.create_connection(web) as early, socket.socket(socket.AF_UNIX) as other:
        other.connect(path)
        manager.start(configuration)
        for client, word in ((early, "web"), (other, "admin")):
            client.settimeout(20)
            with client.makefile() as said:
                assert said.read().endswith(f"['{word}']")


def test_a_daemon_has_them_too(manager: Manager, server: str) -> None:
    web = manager.listen("web", ("127.0.0.1", 0))
    run = manager.start(f"[socket:web]\nport = 1\n[watcher:web]\ncmd = {server} $(circus.sockets.web)\n", "--daemon")
    assert run.wait() == 0
    assert int(answer(web).split()[0]) in pids(run, "web")
    call(run, "quit", waiting=True)


def test_activation_in_both_directions(manager: Manager, tmp_path: Path) -> None:
    web = manager.listen("web", ("127.0.0.1", 0))
    program = tmp_path / "program.py"
    program.write_text(SERVER.replace("int(sys.argv[1])", "2 + int(os.environ['LISTEN_FDS'])"))
    run = manager.start(f"""
[socket:web]
port = 1
[watcher:web]
cmd = {sys.executable} -I {program} both
socket_activation = true
""")
    manager.hear("READY")
    assert answer(web) == f"{pids(run, 'web')[0]} []"


def test_of_another_kind_keeps_only_its_own_watchers(manager: Manager, server: str) -> None:
    manager.listen("web", ("::1", 0))
    configuration = f"[socket:web]\nhost = ::1\n[watcher:web]\ncmd = {server} $(circus.sockets.web)\n"
    run = manager.start(configuration + "[watcher:other]\ncmd = sleep 1000\n")
    manager.hear("READY")
    assert call(run, "status")["statuses"] == {"web": "stopped", "other": "active"}
    assert "(web) that circusd was handed is AF_INET6 SOCK_STREAM, and the section has AF_INET SOCK" in run.output()
    run.configure(configuration.replace("::1\n", "::1\nfamily = AF_INET6\n"))
    call(run, "reloadconfig", waiting=True)
    call(run, "start", name="web", waiting=True)
    assert listed(run)["web"]["host"] == "::1"


def test_without_plugins_nobody_wants_any(manager: Manager) -> None:
    manager.listen("web", ("127.0.0.1", 0))
    run = manager.start("[watcher:one]\ncmd = sleep 1000\n", "--no-plugins")
    until(lambda: "circusd is up" in run.output())
    assert "circusd was handed descriptor 3 (web), and nobody wants it: closed" in run.output()


def listens(path: str) -> bool:
    """Whether somebody listens there; no connection is made."""
    inodes = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith(f" {path}")}
    return bool(inodes & {str(inode) for inode in sockdiag.every(sockdiag.LISTENING, 0)})


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd is not installed")
def test_systemd_s_own_tool(circusd: Callable[..., Circusd], server: str, tmp_path: Path) -> None:
    """It listens, and executes circusd when the first connection comes."""
    path, start = f"{tmp_path}/web.sock", tmp_path / "start"
    start.write_text(
        "#!/bin/sh\n"
        f"exec systemd-socket-activate --listen={path} --fdname=web --setenv=PATH --setenv=PYTHONPATH"
        f' --setenv=XDG_RUNTIME_DIR={tmp_path} {sys.executable} "$@"\n'
    )
    start.chmod(0o755)
    run = circusd(
        f"[socket:web]\npath = {path}\n[watcher:web]\ncmd = {server} $(circus.sockets.web)\n", python=str(start)
    )
    until(lambda: listens(path))
    assert int(answer(path).split()[0]) in pids(run, "web")
    assert "[socket:web] is descriptor 3 (web) that circusd was handed" in run.output()
    call(run, "quit", waiting=True)
    assert os.path.exists(path)
