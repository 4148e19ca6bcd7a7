"""Asks a web server without a pause and says what became of each request. It asks none twice, and hides no failure.

wrk counts a connection that ends, whatever the reason, as a read error; here each failed request has its reason and
its time, so that it can be held against what was done to the server meanwhile.
"""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PATIENCE = 15.0
"""Seconds after which a request counts as unanswered."""
REFUSED = "nobody took the connection"
RESET = "reset before an answer"
CLOSED = "closed before an answer"
CUT = "closed within an answer"
SILENT = "no answer in time"
STALE = "closed while it was kept"
"""A connection that was kept for a next request ended before any answer to it: HTTP/1.1 allows a server that, at any
time (RFC 9112, 9.3.1 and 9.5), and a client may ask again. It is counted by itself."""


@dataclass(frozen=True)
class Failure:
    """A request that was not answered with status 200. Times are those of CLOCK_MONOTONIC in s."""

    reason: str
    began: float
    ended: float

    def __str__(self) -> str:
        return f"{self.reason}, begun at {self.began:.4f} and failed after {(self.ended - self.began) * 1000:.1f} ms"


@dataclass
class Answers:
    """What came of all requests so far. `by` counts answers by their bodies, which say who answered."""

    failures: list[Failure] = field(default_factory=list)
    stale: int = 0
    by: Counter[str] = field(default_factory=Counter)

    @property
    def answered(self) -> int:
        return self.by.total()


class Load:
    """`clients` that ask `address`, a (host, port) or a path, one request at a time each.

    Each request has a connection of its own, unless `keep`: then one connection serves as long as the server keeps it.
    Between two requests a client rests for `pause` s.
    """

    def __init__(
        self, address: tuple[str, int] | str, clients: int = 8, keep: bool = False, pause: float = 0.0
    ) -> None:
        self.answers = Answers()
        self._address = address
        self._pause = pause
        close = "" if keep else "Connection: close\r\n"
        self._request = f"GET / HTTP/1.1\r\nHost: localhost\r\n{close}\r\n".encode()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._client) for _ in range(clients)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> Answers:
        """What came of all, once the requests that are under way are answered."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.answers

    def _client(self) -> None:
        connection: _Connection | None = None
        while not self._over.wait(self._pause):
            began = time.monotonic()
            kept = connection is not None
            try:
                if connection is None:
                    connection = _Connection(self._address)
                body, goes_on = connection.ask(self._request)
            except _FailedError as error:
                connection = _closed(connection)
                with self._lock:
                    if kept and error.reason in (RESET, CLOSED):
                        self.answers.stale += 1
                    else:
                        self.answers.failures.append(Failure(error.reason, began, time.monotonic()))
                continue
            with self._lock:
                self.answers.by[body] += 1
            if not goes_on:
                connection = _closed(connection)
        _closed(connection)


@contextmanager
def asked(
    address: tuple[str, int] | str, clients: int = 8, keep: bool = False, pause: float = 0.0
) -> Iterator[Answers]:
    """A `Load` while the block runs; its answers are complete after it."""
    load = Load(address, clients, keep, pause)
    load.start()
    try:
        yield load.answers
    finally:
        load.stop()


class _FailedError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Connection:
    def __init__(self, address: tuple[str, int] | str) -> None:
        self._socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self._socket.settimeout(PATIENCE)
        self._buffer = b""
        try:
            self._socket.connect(address)
        except OSError as error:
            self.close()
            raise _FailedError(f"{REFUSED}: {error.strerror or error}") from error

    def close(self) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> tuple[str, bool]:
        """The body of the answer, and whether the connection may be used again; raises _FailedError."""
        try:
            self._socket.sendall(request)
        except OSError as error:
            # The server may have answered all the same, as by an error, before it closed.
            raise _FailedError(RESET) from error
        head = self._until(b"\r\n\r\n").decode("latin-1").lower()
        status = head.split(" ", 2)[1]
        fields = dict(line.partition(":")[::2] for line in head.split("\r\n")[1:-2])
        body = self._body({name: value.strip() for name, value in fields.items()})
        if status != "200":
            raise _FailedError(f"status {status}")
        return body.decode().strip(), fields.get("connection", "").strip() != "close"

    def _body(self, fields: dict[str, str]) -> bytes:
        if fields.get("transfer-encoding") == "chunked":
            whole = b""
            while size := int(self._until(b"\r\n"), 16):
                whole += self._take(size + 2)[:-2]
            self._take(2)
            return whole
        if "content-length" in fields:
            return self._take(int(fields["content-length"]))
        raise _FailedError("an answer that does not say where it ends")

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._read()
        return self._take(self._buffer.index(mark) + len(mark))

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._read(within=True)
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _read(self, within: bool = False) -> None:
        within = within or bool(self._buffer)
        try:
            data = self._socket.recv(65536)
        except TimeoutError as error:
            raise _FailedError(SILENT) from error
        except OSError as error:
            raise _FailedError(CUT if within else RESET) from error
        if not data:
            raise _FailedError(CUT if within else CLOSED)
        self._buffer += data


def _closed(connection: _Connection | None) -> None:
    if connection is not None:
        connection.close()
