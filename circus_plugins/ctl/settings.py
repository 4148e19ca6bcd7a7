"""The global options in force: those given, else the environment's. It reads no file and contacts nobody."""

from __future__ import annotations

import os
from typing import Any

DEFAULT_TIMEOUT = 5.0


class Settings:
    """Global options; `limit` is the timeout that was asked for, or None if nobody asked."""

    __slots__ = ("endpoint", "json", "key", "limit", "prettify", "ssh", "ssh_keyfile")

    def __init__(self, given: dict[str, Any]) -> None:
        self.endpoint: str | None = given.get("endpoint")
        self.key: str | None = given.get("key") or os.environ.get("CIRCUSCTL_KEY") or None
        self.limit: float | None = given.get("timeout")
        self.json = bool(given.get("json"))
        self.prettify = bool(given.get("prettify"))
        self.ssh: str | None = given.get("ssh")
        self.ssh_keyfile: str | None = given.get("ssh_keyfile")

    @property
    def timeout(self) -> float:
        """Seconds without any sign of life after which circusd counts as gone."""
        return DEFAULT_TIMEOUT if self.limit is None else self.limit

    def connection(self) -> tuple[str | None, ...]:
        """What a connection depends on: two settings with the same can share one."""
        return (self.endpoint, self.key, self.ssh, self.ssh_keyfile)

    def control_endpoint(self) -> str | None:
        """Where commands go, or None for the default."""
        return self.endpoint or os.environ.get("CIRCUSCTL_ENDPOINT") or None
