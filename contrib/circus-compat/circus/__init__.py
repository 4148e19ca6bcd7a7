"""The names of Circus 0.19 that plugins and clients import, on circus-bus; it supervises nothing itself."""

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
    missing.absent(__name__, name)
