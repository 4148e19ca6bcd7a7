"""What these tests have read is let go when the last of them is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract import sources

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package", autouse=True)
def _trees() -> Iterator[None]:
    """The syntax trees are a hundred megabytes, which each fork of a later test would copy the tables of."""
    yield
    sources.tree.cache_clear()
