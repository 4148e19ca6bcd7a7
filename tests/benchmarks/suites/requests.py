"""requests: what one raw client gets out of the control endpoint, and what that costs the daemon."""

import json
import socket
import time
from abc import ABC, abstractmethod

import proc
from bench import Bench, bring_up, say
from report import Column, Report
from supervisors.base import Supervisor, lives
from supervisors.circus import Circus
from supervisors.ours import Ours
from supervisors.supervisord import Supervisord

NAMES = ("requests",)
CHILDREN = 10
SEQUENTIAL = 3000
PIPELINED = 20_000
WINDOW = 64
SETTLE = 2.0


class Client(ABC):
    """A connection to the control endpoint of a supervisor that is up."""

    @abstractmethod
    def ask(self, number: int) -> None:
        """One request for the names of all that is supervised, and its whole reply."""

    def pipeline(self, count: int) -> bool:
        """`count` requests with WINDOW under way at any time; False if the protocol cannot do that."""
        return False


class ZmqClient(Client):
    """A DEALER socket; JSON is made and read as a client would, once per request."""

    def __init__(self, endpoint: str, command: str = "list") -> None:
        import zmq

        self.command = command
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, 10_000)
        self.socket.connect(endpoint)

    def ask(self, number: int) -> None:
        self._send(number)
        reply = json.loads(self.socket.recv())
        if reply["status"] != "ok" or reply["id"] != number:
            raise RuntimeError(f"not an answer to request {number}: {reply}")

    def pipeline(self, count: int) -> bool:
        for number in range(count + WINDOW):
            if number >= WINDOW:
                self.socket.recv()
            if number < count:
                self._send(number)
        return True

    def _send(self, number: int) -> None:
        self.socket.send(json.dumps({"command": self.command, "properties": {}, "id": number}).encode())


class XmlRpcClient(Client):
    """XML-RPC over one kept HTTP connection on a unix socket; the XML of the reply is not parsed."""

    BODY = b"<?xml version='1.0'?><methodCall><methodName>%s</methodName><params></params></methodCall>"

    def __init__(self, endpoint: str, method: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(endpoint)
        body = self.BODY % f"supervisor.{method}".encode()
        head = ("POST /RPC2 HTTP/1.1", "Host: localhost", "Content-Type: text/xml", f"Content-Length: {len(body)}")
        self.request = "\r\n".join([*head, "", ""]).encode() + body
        self.reader = self.socket.makefile("rb")

    def ask(self, number: int) -> None:
        self.socket.sendall(self.request)
        length = 0
        if b" 200 " not in self.reader.readline():
            raise RuntimeError("supervisord refused the request")
        while (line := self.reader.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.reader.read(length)


def run(bench: Bench, wanted: set[str]) -> list[Report]:
    """All daemons are up at the same time, idle but for the one that is being asked."""
    columns = [
        Column("sequential", "one at a time: requests/s", 0),
        Column("sequential_us", "daemon CPU us each", 0),
        Column("pipelined", f"{WINDOW} under way: requests/s", 0),
        Column("pipelined_us", "daemon CPU us each", 0),
    ]
    report = Report("requests", f"by one raw client, of a daemon with {CHILDREN} watchers", columns)
    kinds = bench.pick((Ours, Circus, Supervisord), report)
    with lives(bench.cache, bench.program, kinds, CHILDREN) as running:
        bring_up(running, CHILDREN)
        time.sleep(SETTLE)
        clients = [(name, daemon, client) for daemon in running for name, client in _clients(daemon)]
        for number in range(bench.rounds):
            for name, daemon, client in clients:
                say(f"requests: round {number + 1}, {name}")
                _round(name, daemon, client, report)
    report.at_most("at most 110 us of the daemon's CPU per request", Ours.name, "sequential_us", 110.0, " us")
    report.at_least("6,000 requests/s from one raw client", Ours.name, "sequential", 6000.0, "/s")
    return [report]


def _clients(daemon: Supervisor) -> list[tuple[str, Client]]:
    if isinstance(daemon, Circus):
        return [(daemon.name, ZmqClient(daemon.endpoint))]
    assert isinstance(daemon, Supervisord)
    methods = ("getState", "getAllProcessInfo")
    return [(f"{daemon.name} {method}", XmlRpcClient(daemon.endpoint, method)) for method in methods]


def _round(name: str, daemon: Supervisor, client: Client, report: Report) -> None:
    pids = daemon.own_pids()
    for _ in range(WINDOW):
        client.ask(0)

    before, cpu = time.monotonic(), proc.cpu_ns(pids)
    for number in range(SEQUENTIAL):
        client.ask(number)
    seconds, used = time.monotonic() - before, proc.cpu_ns(pids) - cpu
    report.add(name, sequential=SEQUENTIAL / seconds, sequential_us=used / SEQUENTIAL / 1000)

    before, cpu = time.monotonic(), proc.cpu_ns(pids)
    if client.pipeline(PIPELINED):
        seconds, used = time.monotonic() - before, proc.cpu_ns(pids) - cpu
        report.add(name, pipelined=PIPELINED / seconds, pipelined_us=used / PIPELINED / 1000)
