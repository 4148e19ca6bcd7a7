"""Web servers with two workers each, of docs/examples: under circusd, and beside it under the server's own master."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import proc
from install import Cache, NotHereError

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NAMED = 8000  # the port in the examples
UP = 20.0
END = 40.0
WORKERS = 2
WATCHER = "web"


@dataclass(frozen=True)
class Kind:
    """The example in the folder `example`; `own` is what starts the same workers under the server's own master."""

    example: str
    own: str = ""


GUNICORN = Kind("gunicorn", "gunicorn --config gunicorn.conf.py --workers 2 --bind 127.0.0.1:{port} app:app")
UVICORN = Kind("uvicorn", "uvicorn --workers 2 --no-access-log --host 127.0.0.1 --port {port} app:app")
ASYNCIO = Kind("asyncio")


class Site:
    """A server of `kind` in a folder of its own, at a free port of 127.0.0.1: under circusd, or its `own` master."""

    def __init__(self, cache: Cache, kind: Kind, own: bool) -> None:
        self.kind = kind
        self.ours = not own
        self.name = f"{kind.example}'s own" if own else f"ours {kind.example}"
        self._bin = cache.python_peer(kind.example, kind.example) if kind.own else cache.ours
        self._circus = cache.ours
        self.port = _free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self.log = self.folder / "log"
        shutil.copytree(EXAMPLES / kind.example, self.folder, dirs_exist_ok=True)
        self._endpoint = f"ipc://{self.folder}/control.sock"
        if own:
            self.command = kind.own.format(port=self.port).split()
        else:
            self.command = [str(self._circus / "circusd"), "circus.ini"]
            file = self.folder / "circus.ini"
            file.write_text(
                f"[circus]\nendpoint = {self._endpoint}\npubsub_endpoint = ipc://{self.folder}/events.sock\n"
                + file.read_text().replace(str(NAMED), str(self.port))
            )

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def start(self) -> None:
        """Start it and wait until it answers; RuntimeError if it does not."""
        environment = {**os.environ, "PATH": f"{self._bin}:{os.environ['PATH']}"}
        with open(self.log, "wb") as log:
            # In a session of its own, as circusd's are: the kernel schedules by sessions (sched(7), autogroup), and one
            # shared with wrk takes 6 % less CPU for a request.
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + UP
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"{self.name} does not answer: {self.log.read_text(errors='replace')[-300:]}")
            time.sleep(0.05)

    def pids(self) -> list[int]:
        """All its processes, the one above them too."""
        return proc.tree(self.process.pid)

    def workers(self) -> list[int]:
        """The processes of ours."""
        return [int(word) for word in self.ctl("list", WATCHER).replace(",", " ").split()]

    def ctl(self, *words: str) -> str:
        """Have circusd do something; RuntimeError if it does not."""
        command = [self._circus / "circusctl", "--endpoint", self._endpoint, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"circusctl {' '.join(words)}: {done.stdout}{done.stderr}".strip())
        return done.stdout

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(END)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(self.address, 5) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in client.recv(65536)
        except OSError:
            return False


@contextmanager
def sites(cache: Cache, wanted: Sequence[tuple[Kind, bool]], absent: dict[str, str]) -> Iterator[list[Site]]:
    """Those of `wanted` (kind, and whether under its own master) that are here, up; `absent` knows of the others."""
    found: list[Site] = []
    try:
        for kind, own in wanted:
            try:
                found.append(Site(cache, kind, own))
            except NotHereError as error:
                absent[kind.example] = f"not here: {error}"
        for site in found:
            site.start()
        yield found
        for site in found:
            site.stop()
    finally:
        proc.end_descendants()
        for site in found:
            shutil.rmtree(site.folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
