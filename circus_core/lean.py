"""Let circusd do without asyncio's TLS, which costs 4 MB; programs that embed a supervisor are left as they are."""

from __future__ import annotations

import importlib
import sys


def import_asyncio() -> None:
    """Import asyncio as if Python had no `ssl`, unless one of them is imported already."""
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        return
    # None makes the import fail, which asyncio provides for (Python may be built without OpenSSL).
    sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("asyncio")
    finally:
        del sys.modules["ssl"]


def allow_tls() -> None:
    """Give asyncio its TLS back: somebody else's plugin is to run in circusd, and it may use it."""
    import asyncio.base_events
    import asyncio.selector_events
    import asyncio.sslproto

    if getattr(asyncio.sslproto, "ssl", None) is not None:
        return
    ssl = importlib.import_module("ssl")
    asyncio.base_events.ssl = ssl  # type: ignore[attr-defined]
    asyncio.selector_events.ssl = ssl  # type: ignore[attr-defined]
    importlib.reload(asyncio.sslproto)
