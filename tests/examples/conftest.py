"""Examples run where their programs are installed."""

from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.examples.folder import Example

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NEEDS = {"gunicorn": "gunicorn", "uvicorn": "uvicorn", "nginx": "nginx"}


def missing(name: str) -> bool:
    """Whether the program of an example is not here. Those of Python are part of what the tests are installed with."""
    needed = NEEDS.get(name)
    return needed is not None and not (importlib.util.find_spec(needed) or shutil.which(needed))


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Callable[..., Example]]:
    """`example(name, port)` runs docs/examples/NAME, which names that port; it is over when the test is."""
    running: list[Example] = []

    def start(name: str, port: int) -> Example:
        if missing(name):
            pytest.skip(f"{NEEDS[name]} is not installed")
        running.append(Example(name, tmp_path / name, port))
        running[-1].up()
        return running[-1]

    yield start
    for each in running:
        each.close()
