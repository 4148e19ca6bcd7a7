"""Circus 0.19.0 from the package index, in an environment of the tests' own: a client that we did not write."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any, Self

REQUIREMENT = "circus==0.19.0"
UNREACHABLE = ("NewConnectionError", "name resolution", "ConnectTimeout", "ProxyError", "Network is unreachable")

DRIVER = """
import asyncio, json, sys
from circus.client import AsyncCircusClient, CircusClient
from circus.exc import CallError

def ask(kind, endpoint, command, properties):
    if kind == "CircusClient":
        client = CircusClient(endpoint=endpoint)
        try:
            return client.send_message(command, **properties)
        finally:
            client.stop()
    async def main():
        client = AsyncCircusClient(endpoint=endpoint)
        try:
            return await client.send_message(command, **properties)
        finally:
            client.stop()
    return asyncio.run(main())

for line in sys.stdin:
    try:
        reply = ask(*json.loads(line))
    except CallError as error:
        reply = {"raised": str(error)}
    print(json.dumps(reply), flush=True)
"""


class NoIndexError(Exception):
    """The package index cannot be reached."""


def install() -> Path:
    """The `bin` folder of the environment, made the first time; raises NoIndexError."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "circus-bus-tests"
    base.mkdir(parents=True, exist_ok=True)
    folder = base / f"circus-0.19.0-python{sys.version_info.major}.{sys.version_info.minor}"
    done = folder / "installed"
    with open(base / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            venv.create(folder, clear=True, with_pip=True)
            pip = [folder / "bin" / "python", "-m", "pip", "install", "--retries", "1", REQUIREMENT]
            made = subprocess.run(pip, capture_output=True, text=True)
            if made.returncode:
                said = made.stdout + made.stderr
                if any(sign in said for sign in UNREACHABLE):
                    raise NoIndexError(said)
                raise RuntimeError(f"{REQUIREMENT} cannot be installed:\n{said}")
            done.touch()
    return folder / "bin"


class Driver:
    """Circus' Python clients, in a process of that environment."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [folder / "python", "-W", "ignore", "-c", DRIVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def ask(self, kind: str, endpoint: str, command: str, **properties: Any) -> dict[str, Any]:
        """The reply that `CircusClient` or `AsyncCircusClient` gets, or what it raised."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([kind, endpoint, command, properties]) + "\n")
        self._process.stdin.flush()
        reply: dict[str, Any] = json.loads(self._process.stdout.readline())
        return reply


def circusctl(folder: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    """Run Circus' own circusctl: its exit status, output and errors."""
    done = subprocess.run(
        [folder / "python", "-W", "ignore", folder / "circusctl", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr
