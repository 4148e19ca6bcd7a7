"""Looks up the addresses of a host. It does so in a process of its own: getaddrinfo(3) may wait for a name server."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

from circus_core.errors import SpawnError
from circus_plugins.streams.aside import Aside

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_UP = """
import json, socket, sys
host, port, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
try:
    found = [(entry[0], entry[4]) for entry in socket.getaddrinfo(host, port, type=kind)]
    answer = {"found": found}
except OSError as error:
    answer = {"number": error.errno, "words": error.strerror}
print(json.dumps(answer))
"""
MOST = 1 << 16
"""Bytes of an answer, which a pipe holds, so that the process never waits to say it."""

Address = tuple[int, Any]
"""A family of addresses, and an address as `socket.connect` takes it."""


def numeric(host: str, port: int, kind: int) -> list[Address]:
    """The address that `host` is, if it is no name; else none."""
    try:
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
    except OSError:
        return []
    return [(entry[0], entry[4]) for entry in found]


class Lookup:
    """One look-up; `answered` gets the addresses, or what went wrong."""

    def __init__(self, host: str, port: int, kind: int, answered: Callable[[list[Address] | OSError], None]) -> None:
        self._host = host
        self._answered = answered
        self._answer, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            os.set_blocking(self._answer, False)
            self._aside = Aside(LOOK_UP, host, str(port), str(int(kind)), done=self._done, stdout=theirs)
        except (OSError, SpawnError) as error:
            os.close(self._answer)
            raise OSError(getattr(error, "errno", None), f"{host} cannot be looked up: {error}") from error
        finally:
            os.close(theirs)

    def stop(self) -> None:
        """Nobody wants to know any more."""
        self._aside.stop()
        os.close(self._answer)

    def _done(self) -> None:
        try:
            answer = json.loads(os.read(self._answer, MOST))
        except (OSError, ValueError):
            answer = {"number": None, "words": "the look-up failed"}
        finally:
            os.close(self._answer)
        if "found" in answer:
            self._answered([(family, _address(address)) for family, address in answer["found"]])
        else:
            self._answered(OSError(answer["number"], f"{self._host}: {answer['words']}"))


def _address(parts: list[Any]) -> tuple[Any, ...]:
    return tuple(parts)
