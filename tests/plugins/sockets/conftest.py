"""A program that serves at a socket of circusd."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.plugins.sockets.serving import SERVER

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> str:
    """A command line that serves at the socket whose number comes next."""
    program = tmp_path / "server.py"
    program.write_text(SERVER)
    return f"{sys.executable} {program}"
