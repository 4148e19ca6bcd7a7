"""A console is there where it is wanted, by Circus' options or its own; and what keeps it from being there is said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from circus_core.testing import Circusd, alive, until
from circus_plugins.web import main
from tests.plugins.web.conftest import Console, section

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., Circusd]
    Served = Callable[..., Console]


@pytest.mark.covers("circus-option:httpd", "circus-option:httpd_host", "circus-option:httpd_port")
def test_circus_options_are_enough(circusd: Start, tcp_port: int) -> None:
    daemon = circusd(f"[circus]\nhttpd = True\nhttpd_host = 127.0.0.1\nhttpd_port = {tcp_port}\n").up()
    console = Console(daemon)
    assert console.address == f"http://127.0.0.1:{tcp_port}"
    assert daemon.call("status")["statuses"] == {"circushttpd": "active"}
    with console.owner() as owner:
        assert owner.get("/api/v1/me").json() == {"status": "ok", "user": "owner", "role": "admin", "way": "link"}


def test_without_them_there_is_none(circusd: Start) -> None:
    daemon = circusd("[circus]\nhttpd = False\nhttpd_port = 1\n").up()
    assert daemon.call("status")["statuses"] == {}


@pytest.mark.covers("web-option:host", "web-option:port")
def test_its_section_counts_before_them(circusd: Start) -> None:
    lines = "[circus]\nhttpd = True\nhttpd_port = 1\n[plugin:circushttpd]\nhost = 127.0.0.1\nport = 0\n"
    console = Console(circusd(lines).up())
    assert console.address.startswith("http://127.0.0.1:")
    assert console.port > 1


@pytest.mark.covers("circus-option:httpd_close_outputs")
def test_its_log_goes_nowhere_where_that_is_wanted(circusd: Start) -> None:
    daemon = circusd("[circus]\nhttpd = True\nhttpd_port = 0\nhttpd_close_outputs = True\n").up()
    pid = daemon.call("list", name="circushttpd")["pids"][0]
    assert os.readlink(f"/proc/{pid}/fd/2") == "/dev/null"
    assert "web console at" not in daemon.output()


def test_circusd_does_not_import_what_it_needs(circusd: Start) -> None:
    daemon = circusd("[circus]\nhttpd = True\nhttpd_port = 0\n").up()
    with open(f"/proc/{daemon.pid}/maps") as maps:
        loaded = maps.read()
    assert not [name for name in ("/_ssl.", "_argon2", "_cffi", "psutil") if name in loaded]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "app.ini").write_text("[circus]\nhttpd = True\n")
    # As if it were not installed.
    code = (
        "import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *more: None if name == 'starlette' else find(name, *more);"
        "import sys; from circus_core.main import main; sys.exit(main(['--check', 'app.ini']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "the plugin web needs starlette, which is not installed" in ran.stderr
    assert "pip install 'circus-bus[web]'" in ran.stderr


def test_inside_circusd_it_is_refused(circusd: Start) -> None:
    daemon = circusd(section("host = core"))
    until(lambda: "serves pages only in a process of its own" in daemon.output())


def test_a_port_that_another_program_has(circusd: Start, tcp_port: int) -> None:
    with socket.create_server(("127.0.0.1", tcp_port)):
        daemon = circusd(f"[circus]\nhttpd = True\nhttpd_host = 127.0.0.1\nhttpd_port = {tcp_port}\n").up()
        until(lambda: f"the web console cannot listen at 127.0.0.1:{tcp_port}" in daemon.output())
        assert "set another port" in daemon.output()


@pytest.mark.covers("web-option:unencrypted")
def test_other_machines_are_not_served_without_tls_unless_that_is_meant(circusd: Start, served: Served) -> None:
    daemon = circusd(section("host = 0.0.0.0")).up()
    until(lambda: "can be reached from other machines" in daemon.output())
    assert "set certificate" in daemon.output()
    console = served("host = 0.0.0.0", "unencrypted = True")
    assert "passwords can be read on the way" in console.daemon.output()
    with console.client() as client:
        assert client.get("/").status_code in (200, 303)
        assert client.get("/", headers={"Host": "203.0.113.7:8080"}).status_code in (200, 303)
        assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 403


def test_a_socket_of_circusd(served: Served) -> None:
    watchers = "    [socket:console]\n    port = 0\n"
    console = served("socket_activation = console", watchers=watchers)
    (known,) = console.daemon.call("listsockets")["sockets"]
    assert console.port == known["port"]
    with console.client() as client:
        assert client.get("/api/v1/me").status_code == 401
    former = console.pid
    os.kill(former, 9)
    until(lambda: not alive(former))
    # A connection that is made while there is none waits for the next.
    with console.client() as client:
        assert client.get("/api/v1/me").status_code == 401


@pytest.mark.covers("web-option:fd")
def test_by_hand_with_the_options_of_circus(circusd: Start, tmp_path: Path) -> None:
    daemon = circusd("[watcher:web]\ncmd = sleep 1000\ncopy_env = True\n").up()
    log = tmp_path / "console.log"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        words = ["--endpoint", daemon.endpoint, "--fd", str(listening.fileno()), "--log-output", str(log)]
        process = subprocess.Popen(
            [sys.executable, "-m", "circus_plugins.web.main", *words], pass_fds=[listening.fileno()]
        )
    try:
        until(lambda: log.exists() and "to log in" in log.read_text())
        shown = subprocess.run(
            [sys.executable, "-m", "circus_plugins.web.main", "--link", "--port", str(port)],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        assert shown in log.read_text()
        with httpx.Client(base_url=f"http://localhost:{port}", headers={"X-Requested-With": "circus"}) as client:
            client.post("/login", json={"link": shown.partition("link=")[2]}).raise_for_status()
            assert client.get("/api/v1/commands/status").json()["statuses"] == {"web": "active"}
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_no_console_no_link(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["--link", "--port", "9"]) == 1
    assert "no web console at port 9" in capsys.readouterr().err


@pytest.mark.covers("error:endpoint")
def test_what_is_no_socket(circusd: Start) -> None:
    daemon = circusd(section("fd = 77")).up()
    until(lambda: "fd = 77 is no socket to listen at" in daemon.output())
