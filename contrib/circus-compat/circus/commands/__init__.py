"""The place of `circus.commands.errors`; commands themselves are circusd's."""

from __future__ import annotations

from typing import Any

from circus import missing


def __getattr__(name: str) -> Any:
    missing.absent(__name__, name)
