"""Amounts of bytes and spans of time as people write them: `100M`, `7d`."""

from __future__ import annotations

import re

from circus_core.options import Kind

_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SPANS = {"": 1, "S": 1, "M": 60, "H": 3600, "D": 86_400, "W": 604_800}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([SMHDW]?)", re.IGNORECASE)


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError("expected bytes, such as 1048576 or 100M")
    return int(float(found[1]) * _SIZES[found[2].upper()])


def _check_size(value: object) -> int:
    if isinstance(value, str):
        return _size(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("expected bytes, such as 1048576 or 100M")
    return value


def _span(text: str) -> float:
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError("expected seconds, or a time such as 12h or 7d")
    return float(found[1]) * _SPANS[found[2].upper()]


def _check_span(value: object) -> float:
    if isinstance(value, str):
        return _span(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected seconds, or a time such as 12h or 7d")
    return float(value)


SIZE: Kind[int] = Kind(
    "size", "bytes, such as 1048576 or 100M", "isn't a size", _size, _check_size, schema={"type": ["integer", "string"]}
)
SPAN: Kind[float] = Kind(
    "span of time", "seconds, or a time such as 12h or 7d", "isn't a span of time", _span, _check_span,
    schema={"type": ["number", "string"]},
)  # fmt: skip
