"""Real receivers on this machine: an HTTP server that answers as it is told to, and a mail server."""

from __future__ import annotations

import asyncio
import gc
import json
import queue
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from circus_core.testing import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message


class Receiver:
    """What was posted, in order; `answers` are the statuses to come, then always 200."""

    def __init__(self) -> None:
        self.posts: queue.Queue[tuple[str, dict[str, str], Any]] = queue.Queue()
        self.answers: list[tuple[int, dict[str, str]]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                # Before the answer: the next request comes in another thread as soon as that is out.
                receiver.posts.put((self.path, dict(self.headers), body))
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def next(self) -> tuple[str, dict[str, str], Any]:
        """The next that was posted."""
        return self.posts.get(timeout=PATIENCE)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    serving = threading.Thread(target=made.server.serve_forever)
    serving.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    serving.join()


class Mailbox:
    """What the mail server took; `answers` are its replies to messages to come."""

    def __init__(self) -> None:
        self.letters: queue.Queue[tuple[list[str], Message]] = queue.Queue()
        self.answers: list[str] = []
        self.refused: set[str] = set()
        self.logins: list[tuple[str, str]] = []
        self.port = 0
        self.open: dict[Any, Any] = {}
        self.changed = asyncio.Event()

    async def hang_up(self) -> None:
        """Close the connections that clients have left open."""
        for transport in self.open.values():
            transport.abort()
        while self.open:
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), PATIENCE)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address in self.refused:
            return "550 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        from email import message_from_bytes, policy

        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.letters.put((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return answer

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)

    def next(self) -> tuple[list[str], Message]:
        """The next letter."""
        return self.letters.get(timeout=PATIENCE)


class Conversation(SMTP):
    """A connection, which its mailbox knows until it is lost."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.event_handler.open[self] = transport

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.event_handler.open.pop(self, None)
        self.event_handler.changed.set()


@pytest.fixture
def certificate(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate that this process trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(params=["starttls"])
def mailbox(request: pytest.FixtureRequest, certificate: ssl.SSLContext) -> Iterator[Mailbox]:
    box = Mailbox()
    manner: dict[str, dict[str, Any]] = {
        "starttls": {"tls_context": certificate, "require_starttls": True},
        "tls": {"ssl_context": certificate, "auth_require_tls": False},
        "none": {},
    }
    loop = asyncio.new_event_loop()
    tls = manner[request.param].pop("ssl_context", None)
    server = loop.run_until_complete(
        loop.create_server(
            lambda: Conversation(box, authenticator=box.login, loop=loop, **manner[request.param]),
            "127.0.0.1", 0, ssl=tls,
        )
    )  # fmt: skip
    box.port = server.sockets[0].getsockname()[1]
    serving = threading.Thread(target=loop.run_forever)
    serving.start()
    yield box
    loop.call_soon_threadsafe(loop.stop)
    serving.join()
    server.close()
    loop.run_until_complete(box.hang_up())
    loop.close()


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a test leaves open is that test's failure, and not one of those after it."""
    # What was there before need not be looked through: in a run of all tests that takes a second.
    gc.freeze()
    yield
    gc.collect()
    gc.unfreeze()
