"""The Python client of circusd: `Client` (blocking) and `AsyncClient` (asyncio), imported only when asked for.

Both speak to this circusd and, but for events and progress, to Circus 0.19.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circus_plugins.client.aio import AsyncClient
    from circus_plugins.client.blocking import Client
    from circus_plugins.client.wire import NoAnswerError

__all__ = ["AsyncClient", "Client", "NoAnswerError"]


_HOMES = {"AsyncClient": "aio", "Client": "blocking", "NoAnswerError": "wire"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
