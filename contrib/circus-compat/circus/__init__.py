"""The names of Circus 0.19 that plugins and clients import, on circus-bus, and little of its way to be embedded."""

from __future__ import annotations

import logging
from typing import Any

from circus import conflict, missing

conflict.refuse_both()
missing.tell()

__version__ = "0.19.0"
"""The version of Circus whose names these are."""
version_info = (0, 19, 0)
logger = logging.getLogger("circus")


def __getattr__(name: str) -> Any:
    if name == "get_arbiter":
        # Plugins and clients can do without a supervisor.
        from circus.embedding import get_arbiter

        return get_arbiter
    missing.absent(__name__, name)
