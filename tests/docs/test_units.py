"""The units of systemd in the pages: systemd's own tool finds nothing wrong with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import every

if TYPE_CHECKING:
    from pathlib import Path

UNITS = [block for block in every("systemd") if block.file]
pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def verified(folder: Path, units: dict[str, str]) -> str:
    """What systemd says of units; programs need not be there."""
    for name, text in units.items():
        (folder / name).write_text(re.sub(r"=/srv/\S+", "=/bin/true", text))
    names = [f"./{name}" for name in units]
    done = subprocess.run(["systemd-analyze", "verify", *names], cwd=folder, capture_output=True, text=True, timeout=40)
    # It looks at all that these need, some of which is not there but in a whole system.
    return "\n".join(line for line in done.stderr.splitlines() if any(name in line for name in units))


def test_systemd_understands_them(tmp_path: Path) -> None:
    units = {block.file.rpartition("/")[2]: block.text for block in UNITS if block.file}
    assert units.keys() >= {"app.service", "app.socket"}
    assert verified(tmp_path, units) == ""


def test_a_mistake_would_be_found(tmp_path: Path) -> None:
    assert "KilMode" in verified(tmp_path, {"x.service": "[Service]\nExecStart=/bin/true\nKilMode=mixed\n"})
