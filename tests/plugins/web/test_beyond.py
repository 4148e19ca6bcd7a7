"""Beyond this machine: TLS, and a proxy in front."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest
import socketio

from circus_core.testing import PATIENCE, until
from tests.docs.pages import ROOT
from tests.plugins.web.conftest import PROGRAM, Console, section

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from circus_core.testing import Circusd

    Served = Callable[..., Console]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("without openssl there is no certificate")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        ["openssl", *words.split(), *names, "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.mark.covers("web-option:certificate", "web-option:certificate_key")
def test_tls(served: Served, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    # With it, other machines are served without a further word.
    console = served("host = 0.0.0.0", f"certificate = {cert}", f"certificate_key = {key}")
    assert console.address.startswith("https://localhost:")
    trusted = ssl.create_default_context(cafile=str(cert))
    with httpx.Client(base_url=console.address, headers=PROGRAM, verify=trusted) as client:
        answer = client.post("/login", json={"link": console.link.partition("link=")[2]})
        assert "; Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"]
        assert client.get("/api/v1/me").json()["role"] == "admin"
        # A page that came without TLS may have been changed on the way.
        assert client.post("/logout", headers={"Origin": f"http://localhost:{console.port}"}).status_code == 403


def test_a_certificate_that_is_none(circusd: Callable[..., Circusd], tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nonsense")
    daemon = circusd(section(f"certificate = {tmp_path / 'cert.pem'}")).up()
    until(lambda: "the web console cannot be opened: " in daemon.output())


@pytest.mark.covers("web-option:trusted_proxies")
def test_a_proxy_says_who_is_there(served: Served) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    console = served("trusted_proxies = 127.0.0.1 ::1", "root_path = /circus/")
    assert "/circus/login?link=" in console.link
    with httpx.Client(headers={**PROGRAM, **forwarded}) as client:
        base = f"http://localhost:{console.port}"
        # The path may be there or have been taken away by the proxy.
        answer = client.post(f"{base}/circus/login", json={"link": console.link.partition("link=")[2]})
        assert "; Secure" in answer.headers["set-cookie"]
        assert "Path=/circus/" in answer.headers["set-cookie"]
        (cookie,) = answer.headers["set-cookie"].split("; ")[:1]
        for path in ("/circus/api/v1/me", "/api/v1/me"):
            assert client.get(base + path, headers={"Cookie": cookie}).json()["user"] == "owner"
    console.audit(r"owner \(admin\) from 203\.0\.113\.7: logged in by link")


def test_nobody_else_is_believed(served: Served) -> None:
    console = served()
    with console.client() as client:
        forwarded = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
        answer = client.post("/login", json={"link": console.link.partition("link=")[2]}, headers=forwarded)
        assert "Secure" not in answer.headers["set-cookie"]
    console.audit(r"owner \(admin\) from 127\.0\.0\.1: logged in by link")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


NGINX = """
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""
PAGE = ROOT / "docs" / "howto" / "web-console.md"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_behind_nginx_as_the_page_says(served: Served, tmp_path: Path, tcp_port: int, transport: str) -> None:
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    console = served("root_path = /circus", "allowed_hosts = www.example.org", "trusted_proxies = 127.0.0.1")
    location = PAGE.read_text().partition("location /circus/ {")[2].partition("```")[0]
    location = f"location /circus/ {{{location}".replace("127.0.0.1:8080", f"127.0.0.1:{console.port}")
    (tmp_path / "nginx.conf").write_text(NGINX.format(port=tcp_port, location=location))
    words = [program, "-p", str(tmp_path), "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        until(lambda: listens(tcp_port))
        base, host = f"http://127.0.0.1:{tcp_port}", {**PROGRAM, "Host": "www.example.org"}
        async with aiohttp.ClientSession(headers=host) as session:
            link = {"link": console.link.partition("link=")[2]}
            async with session.post(f"{base}/circus/login", json=link) as answer:
                assert answer.status == 200, await answer.text()
                cookie = answer.headers["set-cookie"].partition(";")[0]
            async with session.get(f"{base}/circus/", headers={"Cookie": cookie}) as answer:
                assert answer.status == 200
        sent = {**host, "Cookie": cookie, "Origin": "http://www.example.org"}
        async with aiohttp.ClientSession(headers=sent) as session:
            page = socketio.AsyncClient(http_session=session, reconnection=False)
            await page.connect(base, headers=sent, transports=[transport], socketio_path="/circus/socket.io")
            try:
                assert (await page.call("call", {"id": 1, "command": "numwatchers"}, timeout=PATIENCE))["ok"] is True
            finally:
                await page.disconnect()
    finally:
        process.terminate()
        process.wait(PATIENCE)
