"""What every test gets: a runtime directory of its own, and properties that are tried without a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from pathlib import Path

# A busy machine is slow, and that is no defect.
settings.register_profile("circus", deadline=None)
settings.load_profile("circus")


@pytest.fixture(autouse=True)
def runtime_directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where default endpoints go, so that no test meets a circusd that happens to run on this machine."""
    directory = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    monkeypatch.delenv("CIRCUSCTL_ENDPOINT", raising=False)
    return directory
