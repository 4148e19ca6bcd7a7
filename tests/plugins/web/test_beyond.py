"""Beyond this machine: TLS, and a proxy in front."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from circus_core.testing import until
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
