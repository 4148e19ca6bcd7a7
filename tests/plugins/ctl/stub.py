"""A circusd of tests: a real ROUTER on a thread, with answers that the test wrote, and a record of what was asked."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import zmq

from circus_core.requests import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path

Reply = dict[str, Any]
Answer = Reply | list[Reply] | Callable[[Reply], Reply | None]
"""A reply, several of them (progress first), or a function of the properties; None is no reply at all."""


class Stub:
    """Answers at `endpoint` until closed; `asked` has the command and properties of every request."""

    def __init__(self, folder: Path, answers: dict[str, Answer] | None = None) -> None:
        self.endpoint = f"ipc://{folder}/control.sock"
        self.answers: dict[str, Answer] = {
            "commands": {"commands": [command.schema() for command in COMMANDS.values()]},
            "list": {"watchers": ["api", "web"]},
            **(answers or {}),
        }
        self.asked: list[tuple[str, Reply]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.bind(self.endpoint)
        self._wake, self._awake = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """End the thread, then the socket."""
        os.write(self._awake, b"x")
        self._thread.join()
        self._socket.close(0)
        self._context.term()
        os.close(self._wake)
        os.close(self._awake)

    def of(self, command: str) -> list[Reply]:
        """The properties of each request for a command."""
        return [properties for name, properties in self.asked if name == command]

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._wake in ready:
                return
            client, raw = self._socket.recv_multipart()
            message = json.loads(raw)
            self.asked.append((message["command"], message["properties"]))
            self._answer(client, message)

    def _answer(self, client: bytes, message: Reply) -> None:
        answer = self.answers.get(message["command"])
        if callable(answer):
            answer = answer(message["properties"])
        elif answer is None:
            answer = refusal(f"unknown command: {message['command']!r}", errno=2)
        for reply in answer if isinstance(answer, list) else [answer] if answer is not None else []:
            whole = {"status": "ok", "time": time.time(), **reply, "id": message["id"]}
            self._socket.send_multipart([client, json.dumps(whole).encode()])


def refusal(reason: str, *, hint: str = "", errno: int = 3) -> Reply:
    """An error reply."""
    return {"status": "error", "reason": reason, "tb": None, "errno": errno, "code": "bad-request", "hint": hint}


def silence(_properties: Reply) -> None:
    """The answer of a circusd that hangs."""


def detail(**given: Any) -> Reply:
    """The details of a watcher as `status` with `extended` tells them."""
    return {
        "state": "active",
        "numprocesses": 1,
        "processes": [{"wid": 1, "pid": 4242, "state": "ready", "age": 3725.0, "restarts": 0}],
        "restarts": 0,
        "waiting": [],
        "gave_up": [],
        "last_error": "",
        "last_exit": None,
        "operation": None,
        "uptime": 3725.0,
        **given,
    }
