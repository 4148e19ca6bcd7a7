"""By which name, and from which page, the console may be asked: whatever a browser of somebody else is made to send."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from circus_plugins.web.app import Below
from circus_plugins.web.guard import LARGEST_BODY, Guard

if TYPE_CHECKING:
    from tests.plugins.web.conftest import Console

HEADERS = {"host": "localhost:8080"}


def asked(
    headers: dict[str, str] | list[tuple[bytes, bytes]],
    *,
    method: str = "GET",
    scheme: str = "http",
    wide: bool = False,
    kind: str = "http",
    body: bytes = b"",
    host: str = "localhost",
    hosts: tuple[str, ...] = (),
) -> int:
    """The status that comes of a request; 200 if the guard let it pass."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        taken = await receive()
        status = 200 if taken["type"] != "http.disconnect" else 0
        if kind == "http":
            await send({"type": "http.response.start", "status": status, "headers": []})
        else:
            await send({"type": "websocket.accept"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body} if kind == "http" else {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = headers if isinstance(headers, list) else [(key.encode(), text.encode()) for key, text in headers.items()]
    scope = {"type": kind, "method": method, "scheme": scheme, "headers": pairs, "path": "/"}
    asyncio.run(Guard(app, [host, *hosts], wide=wide)(scope, receive, send))
    if kind == "websocket":
        return 200 if sent[0]["type"] == "websocket.accept" else 403
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8080", 200),
        ("LOCALHOST", 200),
        ("localhost.:8080", 200),
        ("127.0.0.1:9000", 200),
        ("[::1]:8080", 200),
        ("evil.example:8080", 403),
        ("localhost.evil.example", 403),
        ("192.168.0.7:8080", 403),
        ("me@localhost", 403),
        ("localhost/x", 403),
        ("localhost:port", 403),
        ("", 403),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_names_that_it_does_not_have_are_refused(host: str, status: int, kind: str) -> None:
    assert asked({"host": host}, kind=kind, scheme="ws" if kind == "websocket" else "http") == status


@pytest.mark.covers("web-option:allowed_hosts")
def test_names_that_are_allowed() -> None:
    assert asked({"host": "console.example.org"}) == 403
    assert asked({"host": "console.example.org"}, hosts=("console.example.org",)) == 200
    assert asked({"host": "box:8080"}, host="box") == 200
    # No name server has said a number.
    assert asked({"host": "192.168.0.7:8080"}, wide=True) == 200
    assert asked({"host": "evil.example"}, wide=True) == 403


def test_one_host_and_one_origin() -> None:
    assert asked([]) == 400
    assert asked([(b"host", b"localhost"), (b"host", b"evil.example")]) == 400
    assert asked([(b"host", b"localhost"), (b"origin", b"http://localhost"), (b"origin", b"http://evil")]) == 400


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8080", 200),
        # A proxy does TLS in front of it.
        ("https://localhost:8080", 200),
        ("http://localhost:8081", 403),
        ("http://localhost", 403),
        ("http://127.0.0.1:8080", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://localhost:port", 403),
        ("file://", 403),
    ],
)
@pytest.mark.parametrize(("kind", "method"), [("http", "GET"), ("http", "POST"), ("websocket", "GET")])
def test_pages_of_others_are_refused(origin: str, status: int, kind: str, method: str) -> None:
    scheme = "ws" if kind == "websocket" else "http"
    assert asked({**HEADERS, "origin": origin}, kind=kind, method=method, scheme=scheme) == status


def test_a_proxy_that_does_tls() -> None:
    given = {"host": "console.example.org", "origin": "https://console.example.org"}
    allowed = ("console.example.org",)
    assert asked(given, hosts=allowed) == 200
    assert asked(given, hosts=allowed, scheme="https") == 200
    given["origin"] = "http://console.example.org"
    assert asked(given, hosts=allowed, scheme="https") == 403, "a page that was changed on the way"


def test_what_changes_something_says_where_it_comes_from() -> None:
    assert asked(HEADERS, method="POST") == 403
    assert asked({**HEADERS, "x-requested-with": "circus"}, method="POST") == 200
    assert asked({**HEADERS, "authorization": "Bearer x"}, method="POST") == 200
    assert asked({**HEADERS, "authorization": "Basic x"}, method="POST") == 403


def test_bodies_have_an_end() -> None:
    program = {**HEADERS, "x-requested-with": "circus"}
    assert asked({**program, "content-length": str(LARGEST_BODY + 1)}, method="POST") == 413
    assert asked(program, method="POST", body=b"x" * (LARGEST_BODY + 1)) == 0, "and where no length was given"
    assert asked(program, method="POST", body=b"x" * LARGEST_BODY) == 200


@pytest.mark.covers("web-option:root_path")
@pytest.mark.parametrize(
    ("path", "root", "seen"),
    [
        ("/x", "", "/x"),
        ("/circus/x", "/circus", "/x"),
        ("/circus", "/circus", "/"),
        ("/x", "/circus", "/x"),
        ("/circusx", "/circus", "/circusx"),
    ],
)
def test_a_path_at_a_proxy(path: str, root: str, seen: str) -> None:
    found: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        found.append(scope["path"])

    asyncio.run(Below(app, root)({"path": path}, None, None))  # type: ignore[arg-type]
    assert found == [seen]


def test_what_browsers_are_told(console: Console) -> None:
    with console.client() as client:
        told = client.get("/login").headers
        assert "script-src 'self';" in told["content-security-policy"]
        assert told["content-security-policy"].startswith("default-src 'none';")
        assert told["x-content-type-options"] == "nosniff"
        assert told["date"]
        assert "server" not in told
        assert client.get("/api/v1/me").headers["cache-control"] == "no-store"
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
        refused = client.post("/logout", headers={"Origin": "http://evil.example"})
        assert refused.status_code == 403
        assert "evil.example" in refused.json()["reason"]
