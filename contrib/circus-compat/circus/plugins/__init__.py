"""`CircusPlugin` as plugins for Circus subclass it; circus-bus hosts what is made of it."""

from __future__ import annotations

from typing import Any

from circus import missing
from circus.plugins.base import CircusPlugin

__all__ = ["CircusPlugin"]


def __getattr__(name: str) -> Any:
    missing.absent(__name__, name)
